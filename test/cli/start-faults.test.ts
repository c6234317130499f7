// SPDX-License-Identifier: Apache-2.0
// A start on a disk that refuses, with a good pair: every call that writes fails once, by fault.c.
// What could not be written is told, and the service serves.

import t from 'tap';
import { type Errno, errnos, failAll, failEach, makeGood } from './faults.js';

const names = Object.keys(errnos) as Errno[];
const good = await makeGood();

// The other two turns are start-faults-turned.test.ts: a file has its time.
for (const turn of [0, 2]) {
  const order = [...names.slice(turn), ...names.slice(0, turn)];
  t.test(`each call that writes fails once: ${order}`, (t) => failEach(t, good, order));
}

t.test('every call that writes fails', (t) => failAll(t, good));
