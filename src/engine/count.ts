// SPDX-License-Identifier: Apache-2.0
// How many engines serve, where the configuration leaves it to us: one for each CPU that the process
// may use, by its affinity (sched_setaffinity(2)) and by the quota of its control groups (cpu.max of
// version 2: the kernel's Documentation/admin-guide/cgroup-v2.rst).

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';

/** As in native/base/limits.hpp. */
export const enginesMax = 8;

export interface CpuSources {
  /** CPUs by affinity. */
  cpus: number;
  /** Throws where the file is not there. */
  read: (path: string) => string;
}

const system: CpuSources = {
  cpus: availableParallelism(),
  read: (path) => readFileSync(path, 'utf8'),
};

const cgroupRoot = '/sys/fs/cgroup';

/** The smallest quota of the process's control group and those above it, in CPUs. */
function cpuQuota(read: CpuSources['read']): number {
  let quota = Number.POSITIVE_INFINITY;
  try {
    const own = /^0::(\/.*)$/m.exec(read('/proc/self/cgroup'))?.[1] ?? '/';
    for (let path = own; ; path = dirname(path)) {
      try {
        const [, max, period] = /^(\d+) (\d+)/.exec(read(join(cgroupRoot, path, 'cpu.max'))) ?? [];
        if (max !== undefined) quota = Math.min(quota, Number(max) / Number(period));
      } catch {
        // The root has none, and neither has a group without the controller.
      }
      if (path === '/') return quota;
    }
  } catch {
    return quota; // Without version 2 there is nothing to heed.
  }
}

/** A quota of one and a half CPUs is for two engines: threads that share it wait for each other. */
export function engineCount(wanted: number | 'auto', { cpus, read } = system): number {
  if (wanted !== 'auto') return wanted;
  return Math.max(1, Math.min(cpus, Math.ceil(cpuQuota(read)), enginesMax));
}
