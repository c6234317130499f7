// SPDX-License-Identifier: Apache-2.0
// The adapter for RAUC beside a bus and a busctl of our own, for its tests.

import type { Test } from 'tap';
import { RaucInstaller } from '../../../src/update/adapters/rauc.js';
import type { Follow } from '../../../src/update/installer.js';
import { type FakeBus, type RaucState, startBus } from './bus.js';
import { watchOthers } from './others.js';

export const idle: RaucState = {
  owner: ':1.7',
  operation: 'idle',
  percent: 0,
  message: '',
  lastError: '',
};
export const busy: RaucState = {
  ...idle,
  operation: 'installing',
  percent: 20,
  message: 'Checking',
};
export const done: RaucState = { ...idle, percent: 100, message: 'Installing done.' };

export async function watch(t: Test, before: RaucState, mood: FakeBus['mood'] = 'kind') {
  const bus = await startBus(t);
  bus.mood = mood;
  bus.rauc(before);
  const installer = new RaucInstaller(5);
  const others = watchOthers(t, installer);
  /** Ends, and with what. */
  const follow = async (which: Follow | undefined): Promise<string> => {
    if (which === undefined) throw new Error('nothing has begun');
    return which(others.callbacks).then(
      () => 'installed',
      (error: Error) => error.message,
    );
  };
  return { bus, installer, ...others, follow };
}
