// SPDX-License-Identifier: Apache-2.0
// The adapter for RAUC beside a bus and a busctl of our own, for its tests.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { RaucInstaller } from '../../../src/update/adapters/rauc.js';
import type { Follow, Progress } from '../../../src/update/installer.js';
import { type FakeBus, type RaucState, startBus } from './bus.js';

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

export async function until(what: () => boolean): Promise<void> {
  while (!what()) await sleep(5);
}

export async function watch(t: Test, before: RaucState, mood: FakeBus['mood'] = 'kind') {
  const bus = await startBus(t);
  bus.mood = mood;
  bus.rauc(before);
  const installer = new RaucInstaller(5);
  t.teardown(() => installer.close());
  const begun: Follow[] = [];
  const troubles: string[] = [];
  installer.watchOthers({
    onBegun: (follow) => void begun.push(follow),
    onTrouble: (reason) => void troubles.push(reason),
  });
  const told: Progress[] = [];
  const tokens: string[] = [];
  const callbacks = {
    onProgress: (one: Progress) => void told.push(one),
    onToken: (token: string) => void tokens.push(token),
  };
  /** Ends, and with what. */
  const follow = async (which: Follow | undefined): Promise<string> => {
    if (which === undefined) throw new Error('nothing has begun');
    return which(callbacks).then(
      () => 'installed',
      (error: Error) => error.message,
    );
  };
  return { bus, installer, begun, troubles, told, tokens, callbacks, follow };
}
