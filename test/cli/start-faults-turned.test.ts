// SPDX-License-Identifier: Apache-2.0
// The turns that start-faults.test.ts leaves: with both, every call fails with every errno.

import t from 'tap';
import { type Errno, errnos, failEach, makeGood } from './faults.js';

const names = Object.keys(errnos) as Errno[];
const good = await makeGood();

for (const turn of [1, 3]) {
  const order = [...names.slice(turn), ...names.slice(0, turn)];
  t.test(`each call that writes fails once: ${order}`, (t) => failEach(t, good, order));
}
