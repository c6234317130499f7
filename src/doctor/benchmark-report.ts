// SPDX-License-Identifier: Apache-2.0
// What the benchmark's figures mean, as findings, and as the table above them.

import {
  type Benchmark,
  type Ratio,
  type SideFigures,
  type Workload,
  type WorkloadFigures,
  workloads,
} from './benchmark.js';
import type { Finding } from './board.js';

// Closer than this is no difference: the ratios of one board differ by more from run to run.
const marginOfRatio = 0.05;

type Verdict = 'kernel' | 'userSpace' | 'equal' | 'unknown';

/** Only what all rounds but the extreme ones say is a difference. */
function verdictOf(ratio: Ratio | null): Verdict {
  if (ratio === null) return 'unknown';
  if (ratio.most < 1 - marginOfRatio) return 'kernel';
  return ratio.least > 1 + marginOfRatio ? 'userSpace' : 'equal';
}

const names: Readonly<Record<Workload, string>> = {
  small: 'Small records',
  large: 'Large files',
};

const factor = (value: number): string => value.toFixed(2);
const spread = ({ median, least, most }: Ratio): string =>
  `${factor(median)} (${factor(least)} to ${factor(most)})`;

function judgeWorkload(workload: Workload, { cpuRatio }: WorkloadFigures): Finding {
  const id = `benchmark.${workload}`;
  const words: Record<Verdict, string> = {
    kernel: 'kernel TLS takes less processor time',
    userSpace: 'user-space TLS takes less processor time',
    equal: 'no clear difference in processor time',
    unknown: 'the processor time could not be measured',
  };
  const title = `${names[workload]}: ${words[verdictOf(cpuRatio)]}`;
  const detail =
    cpuRatio === null ? '' : `Kernel TLS took ${spread(cpuRatio)} times that of user space.`;
  return { id, level: 'info', title, detail };
}

function choose({ small, large }: Benchmark): Finding {
  const id = 'benchmark.choice';
  const verdicts = [small, large].map(({ cpuRatio }) => verdictOf(cpuRatio));
  const isCheaper = verdicts.includes('kernel');
  const isDearer = verdicts.includes('userSpace');
  if (verdicts.includes('unknown')) {
    const title = 'No advice without the processor time of both';
    return { id, level: 'warning', title, detail: '' };
  }
  if (isDearer && isCheaper) {
    const title = 'The choice depends on what this device serves';
    const advice =
      'Mostly large files: what is cheaper for them. Measure with the load of the device: ' +
      '"--tls-offload off" is user space, "auto" the kernel.';
    return { id, level: 'info', title, detail: '', advice };
  }
  if (isDearer) {
    const title = 'User-space TLS is the cheaper choice on this board';
    const advice = 'Set tls_offload = "off", and measure again with the load of the device.';
    return { id, level: 'info', title, detail: '', advice };
  }
  const title = isCheaper
    ? 'Kernel TLS is the cheaper choice on this board: tls_offload = "auto"'
    : 'Neither is clearly cheaper: tls_offload = "auto" is as good as "off"';
  return { id, level: 'ok', title, detail: '' };
}

export function judgeBenchmark(benchmark: Benchmark): Finding[] {
  const { promoted, expected } = benchmark;
  if (promoted < expected) {
    const title = `Only ${promoted} of ${expected} connections had kernel TLS: no comparison`;
    const detail = 'The status shows why, in offload.fallbacks.';
    return [{ id: 'benchmark.kernel', level: 'warning', title, detail }];
  }
  return [
    judgeWorkload('small', benchmark.small),
    judgeWorkload('large', benchmark.large),
    choose(benchmark),
  ];
}

/** Without kernel TLS there is nothing to choose. */
export function benchmarkImpossible(reason: string): Finding {
  const title = 'The benchmark needs kernel TLS, which is not available here';
  return { id: 'benchmark.impossible', level: 'warning', title, detail: reason };
}

export function benchmarkBrokenOff(reason: string): Finding {
  const title = 'The benchmark broke off';
  return { id: 'benchmark.broken-off', level: 'problem', title, detail: `${reason}.` };
}

type Row = [name: string, kernel: number | null, userSpace: number | null, digits: number];

function rowsOf(workload: Workload, { kernel, userSpace }: WorkloadFigures): Row[] {
  const row = (name: string, key: keyof SideFigures, digits: number): Row => [
    name,
    kernel[key],
    userSpace[key],
    digits,
  ];
  const rows = [
    row('MiB/s', 'mibPerS', 1),
    row('CPU ms/MiB, process', 'processCpuMsPerMib', 2),
    row('CPU ms/MiB, system', 'systemCpuMsPerMib', 2),
  ];
  if (workload === 'small') rows.push(row('CPU us/response', 'processCpuUsPerResponse', 0));
  return rows;
}

export function benchmarkLines(benchmark: Benchmark): string[] {
  const { conditions, driver } = benchmark;
  const how = driver?.async === true ? 'asynchronous' : 'synchronous';
  const named = driver === null ? 'not known' : `${driver.name} (${how})`;
  const line = (name: string, left: string, right: string): string =>
    `    ${name.padEnd(22)}${left.padStart(14)}${right.padStart(14)}`;
  const number = (value: number | null, digits: number): string => value?.toFixed(digits) ?? '-';
  const sections = (Object.keys(workloads) as Workload[]).flatMap((workload) => {
    const { bodyBytes } = workloads[workload];
    const records = workload === 'small' ? 'one record each' : 'records of 16 KiB';
    return [
      `  responses of ${bodyBytes / 1_024} KiB, ${records}:`,
      ...rowsOf(workload, benchmark[workload]).map(([name, left, right, digits]) =>
        line(name, number(left, digits), number(right, digits)),
      ),
    ];
  });
  return [
    `  ${conditions.cipher} over loopback, ${conditions.connections} connections, medians of`,
    `  ${conditions.rounds} rounds of ${conditions.durationMs / 1_000} s; processor time without the clients' own.`,
    `  The kernel's driver: ${named}`,
    line('', 'kernel TLS', 'user space'),
    ...sections,
  ];
}
