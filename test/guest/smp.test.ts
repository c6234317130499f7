// SPDX-License-Identifier: Apache-2.0
// Several engines on several CPUs, with kernel TLS and an asynchronous cipher: nothing is truncated, whatever
// happens to the network, the CPUs and the clients. The part that every run of the tests has; all of it is
// `npm run test:smp`. docs/GUESTS.md
import t from 'tap';
import { prepareSmp } from './host/prepare.js';
import { testGuest } from './host/smp.js';

const kernel = '6.12';
const unable = prepareSmp([kernel]);
if (unable !== undefined) t.test('guests with several CPUs', { skip: unable }, () => {});
else {
  const cases = ['naive', 'engines 2', 'deadline'];
  await testGuest({ kernel, cpus: 2, isAsync: true, rounds: 1, cases, timeoutS: 1400 });
}
