// SPDX-License-Identifier: Apache-2.0
// What an adapter tells of the installations that other programs begin, kept for its tests.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import type { Follow, OthersEvents, Progress } from '../../../src/update/installer.js';

export async function until(what: () => boolean): Promise<void> {
  while (!what()) await sleep(5);
}

interface Watching {
  watchOthers(events: OthersEvents): void;
  close(): void;
}

/** `callbacks` are for whoever follows one; `told` and `tokens` is what they were given. */
export function watchOthers(t: Test, installer: Watching) {
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
  return { begun, troubles, told, tokens, callbacks };
}
