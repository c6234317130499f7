// SPDX-License-Identifier: Apache-2.0
// The benchmark: the order of its rounds, what its figures mean, and, with the real addon and engine,
// that what it counts is what was served. The kernel's half needs kernel TLS: test/guest.

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { newBenchmarkApparatus } from '../../../src/commands/doctor-apparatus.js';
import {
  type Benchmark,
  type BenchmarkApparatus,
  benchmarkConditions,
  type Measured,
  runBenchmark,
  type Side,
  workloads,
} from '../../../src/doctor/benchmark.js';
import { benchmarkLines, judgeBenchmark } from '../../../src/doctor/benchmark-report.js';
import { loadNative } from '../../../src/engine/native.js';

const base: Measured = {
  bodyBytes: 10 * 1_048_576,
  responses: 100,
  durationMs: 500,
  processUs: 100_000,
  systemUs: 200_000,
};
const { rounds, connections } = benchmarkConditions;

/** What the benchmark makes of measurements that `of` invents; the calls that it made. */
async function invented(
  of: (side: Side, workload: string, round: number) => Partial<Measured>,
  promoted = rounds * connections * 2,
): Promise<{ benchmark: Benchmark; calls: string[]; stops: number; root: string }> {
  const calls: string[] = [];
  let stops = 0;
  let root = '';
  const apparatus: BenchmarkApparatus = {
    startService: async (directory, side) => {
      root = directory;
      for (const { path, bodyBytes } of Object.values(workloads)) {
        t.equal(statSync(join(directory, path)).size, bodyBytes);
      }
      const offload = () => ({ promoted, driver: { name: 'gcm-aes-caam', async: true } });
      const stop = async () => {
        stops += 1;
      };
      return { port: side === 'kernel' ? 1 : 2, offload, stop };
    },
    measure: async (port, workload) => {
      const side = port === 1 ? 'kernel' : 'userSpace';
      const round = calls.length >> 2;
      calls.push(`${workload} ${side}`);
      return { ...base, ...of(side, workload, round) };
    },
  };
  return { benchmark: await runBenchmark(apparatus), calls, stops, root };
}

t.test('rounds alternate, both engines are stopped, nothing stays', async (t) => {
  const { benchmark, calls, stops, root } = await invented(() => ({}));
  t.same(calls.slice(0, 8), [
    'small kernel',
    'small userSpace',
    'large kernel',
    'large userSpace',
    'small userSpace',
    'small kernel',
    'large userSpace',
    'large kernel',
  ]);
  t.equal(calls.length, rounds * 4);
  t.equal(stops, 2);
  t.notOk(existsSync(root));
  const figures = {
    mibPerS: 20,
    processCpuMsPerMib: 10,
    systemCpuMsPerMib: 20,
    processCpuUsPerResponse: 1_000,
  };
  t.match(benchmark.small, { kernel: figures, userSpace: figures });
  t.match(benchmark.large.cpuRatio, { median: 1, least: 1, most: 1 });
});

t.test('an engine that does not start leaves none behind', async (t) => {
  let stops = 0;
  const apparatus: BenchmarkApparatus = {
    startService: async (_root, side) => {
      if (side === 'userSpace') throw new Error('no port');
      const stop = async () => {
        stops += 1;
      };
      return { port: 1, offload: () => ({ promoted: 0, driver: null }), stop };
    },
    measure: async () => base,
  };
  await t.rejects(runBenchmark(apparatus), { message: 'no port' });
  t.equal(stops, 1);
});

t.test('what the figures mean', async (t) => {
  const verdicts = async (factor: (workload: string, round: number) => number) => {
    const { benchmark } = await invented((side, workload, round) =>
      side === 'kernel' ? { systemUs: base.systemUs * factor(workload, round) } : {},
    );
    return judgeBenchmark(benchmark).map(({ id, level, title }) => [id, level, title]);
  };
  t.match(await verdicts(() => 0.5), [
    ['benchmark.small', 'info', /kernel TLS takes less/],
    ['benchmark.large', 'info', /kernel TLS takes less/],
    ['benchmark.choice', 'ok', /Kernel TLS is the cheaper choice/],
  ]);
  t.match((await verdicts(() => 2))[2], [
    'benchmark.choice',
    'info',
    /User-space TLS is the cheap/,
  ]);
  t.match((await verdicts(() => 1.02))[2], ['benchmark.choice', 'ok', /Neither/]);
  const mixed = await verdicts((workload) => (workload === 'small' ? 2 : 0.5));
  t.match(mixed[2], ['benchmark.choice', 'info', /depends on what/]);
  // One disturbed round says nothing; rounds that disagree say that there is no difference.
  t.match((await verdicts((_, round) => (round === 3 ? 9 : 0.5)))[1]?.[2], /kernel TLS takes less/);
  t.match((await verdicts((_, round) => (round < 3 ? 2 : 0.5)))[1]?.[2], /no clear difference/);

  const { benchmark: short } = await invented(() => ({}), 3);
  t.match(judgeBenchmark(short), [{ level: 'warning', title: /Only 3 of 112 connections/ }]);
  const { benchmark: blind } = await invented(() => ({ systemUs: 0, processUs: 0 }));
  t.match(judgeBenchmark(blind).at(-1), { level: 'warning', title: /No advice/ });
  const { benchmark: process } = await invented((side) => ({
    systemUs: 0,
    processUs: side === 'kernel' ? 10_000 : 100_000,
  }));
  t.match(process.large.cpuRatio, { median: 0.1 }, "the process's where the system's is unknown");
});

t.test('the table', async (t) => {
  const { benchmark } = await invented((side) => (side === 'kernel' ? { processUs: 50_000 } : {}));
  const lines = benchmarkLines(benchmark);
  t.match(lines.join('\n'), /driver: gcm-aes-caam \(asynchronous\)/);
  t.match(lines.join('\n'), /CPU ms\/MiB, process +5\.00 +10\.00/);
  for (const line of lines) t.ok(line.length <= 80, line);
});

t.test('the real clients count what a real engine served', async (t) => {
  const native = loadNative();
  const apparatus = await newBenchmarkApparatus(native);
  const directory = t.testdir({ small: 'x'.repeat(1_024), other: 'x'.repeat(1_000) });
  const service = await apparatus.startService(directory, 'userSpace');
  const plan = { port: service.port, path: '/small', bodyBytes: 1_024, connections: 3 };
  const figures = await native.measureLoad({ ...plan, durationMs: 300 });
  t.ok(figures.responses > 10, `${figures.responses} responses`);
  // Of each connection at most one body is under way at either end.
  t.ok(Math.abs(figures.bodyBytes - figures.responses * 1_024) <= 3 * 1_024);
  t.ok(figures.durationMs >= 300 && figures.processUs > 0 && figures.clientUs > 0);
  t.equal(service.offload().promoted, 0);
  // Not the file that was promised, or none.
  for (const path of ['/other', '/none']) {
    await t.rejects(native.measureLoad({ ...plan, path, durationMs: 50 }), { message: /not the/ });
  }
  await service.stop();
  await t.rejects(native.measureLoad({ ...plan, durationMs: 50 }), { message: /failed/ });
  t.throws(() => native.measureLoad({ ...plan, connections: 1_000, durationMs: 50 }), {
    code: 'EINVAL_OPTION',
  });
});
