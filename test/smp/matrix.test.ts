// SPDX-License-Identifier: Apache-2.0
// All of what test/guest/smp.test.ts is a part of: both kernels, both ciphers, two and four CPUs, one, two and
// four engines. `npm run test:smp`; SPLICED_SMP_KERNELS ("6.1"), SPLICED_SMP_CPUS ("4") and
// SPLICED_SMP_ROUNDS (2) change a run.
import t from 'tap';
import { prepareSmp } from '../guest/host/prepare.js';
import { testGuest } from '../guest/host/smp.js';

const all = ['6.1', '6.12'] as const;
const wanted = process.env.SPLICED_SMP_KERNELS?.split(' ');
const kernels = all.filter((kernel) => wanted?.includes(kernel) ?? true);
const wantedCpus = process.env.SPLICED_SMP_CPUS?.split(' ').map(Number);
const cpusOfGuests = [2, 4].filter((cpus) => wantedCpus?.includes(cpus) ?? true);
const rounds = Number(process.env.SPLICED_SMP_ROUNDS ?? 2);
const cases = ['naive', 'engines 1', 'engines 2', 'engines 4', 'epoll 2', 'cold 2', 'deadline'];

const unable = prepareSmp(kernels);
if (unable !== undefined) t.test('guests with several CPUs', { skip: unable }, () => {});
else {
  for (const kernel of kernels) {
    for (const cpus of cpusOfGuests) {
      for (const isAsync of [true, false]) {
        await testGuest({ kernel, cpus, isAsync, rounds, cases, timeoutS: 5400 });
      }
    }
  }
}
