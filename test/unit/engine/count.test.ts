// SPDX-License-Identifier: Apache-2.0
// How many engines `auto` makes: affinity and the quotas of the control groups.

import t from 'tap';
import { engineCount } from '../../../src/engine/count.js';

/** A machine with these files; the others are not there. */
const machine = (cpus: number, files: Record<string, string>) => ({
  cpus,
  read: (path: string): string => {
    const text = files[path];
    if (text === undefined) throw new Error(`ENOENT: ${path}`);
    return text;
  },
});

const own = { '/proc/self/cgroup': '0::/system.slice/spliced.service\n' };
const maxOf = (group: string): string => `/sys/fs/cgroup${group}cpu.max`;

t.test('one for each CPU, at most eight; a number is a number', async (t) => {
  for (const [cpus, wanted] of [
    [1, 1],
    [2, 2],
    [4, 4],
    [64, 8],
  ] as const) {
    t.equal(engineCount('auto', machine(cpus, {})), wanted);
    t.equal(engineCount(3, machine(cpus, {})), 3);
  }
  t.ok(engineCount('auto') >= 1);
});

t.test('the smallest quota of the own group and those above it counts, rounded up', async (t) => {
  const rows: [service: string, slice: string, wanted: number][] = [
    ['max 100000', 'max 100000', 4],
    ['200000 100000', 'max 100000', 2],
    ['150000 100000', 'max 100000', 2],
    ['10000 100000', 'max 100000', 1],
    ['max 100000', '100000 100000', 1],
    ['300000 100000', '200000 100000', 2],
    ['800000 100000', 'max 100000', 4],
    ['nonsense', '', 4],
  ];
  for (const [service, slice, wanted] of rows) {
    const files = {
      ...own,
      [maxOf('/system.slice/spliced.service/')]: `${service}\n`,
      [maxOf('/system.slice/')]: `${slice}\n`,
    };
    t.equal(engineCount('auto', machine(4, files)), wanted, `${service}, ${slice}`);
  }
});

t.test('version 1 of control groups says nothing', async (t) => {
  const files = { '/proc/self/cgroup': '4:cpu:/docker/x\n' };
  t.equal(engineCount('auto', machine(4, files)), 4);
});
