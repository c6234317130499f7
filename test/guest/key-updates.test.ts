// SPDX-License-Identifier: Apache-2.0
// New keys in the middle of a connection on the newest kernel, which takes them (Linux 6.14), with an
// asynchronous cipher and a synchronous one; on 6.12 a KeyUpdate ends its connection.

import t from 'tap';
import { runInGuest } from './host/contract.js';
import { prepare } from './host/prepare.js';

const contract = ['contract/key-updates'];
const unable = prepare();
for (const [kernel, isSynchronous] of [
  ['newest', false],
  ['newest', true],
  ['6.12', false],
] as const) {
  const cipher = isSynchronous ? 'a synchronous' : 'an asynchronous';
  t.test(`${kernel}, with ${cipher} cipher`, { skip: unable ?? false }, (t) =>
    runInGuest(t, { contract, kernel, isSynchronous, promotedMin: 3 }),
  );
}
t.test('floods, newest', { skip: unable ?? false }, (t) =>
  runInGuest(t, { contract: ['contract/floods'], kernel: 'newest', promotedMin: 10 }),
);
