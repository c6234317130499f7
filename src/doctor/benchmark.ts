// SPDX-License-Identifier: Apache-2.0
// The benchmark on the board itself: the same keep-alive clients, over loopback, against two engines
// that differ in one setting, tls_offload. That is the choice an operator has: kernel TLS takes the
// driver of the highest priority for AES-GCM, and no socket can ask for another. Rounds alternate, so
// that what else the board does meets both. Bounded: 28 measurements of half a second, each after at
// most 15 s of handshakes; 4 MiB in the directory for temporary files.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withScratchDirectory } from './scratch.js';

export const sides = ['kernel', 'userSpace'] as const;
export type Side = (typeof sides)[number];

/** What is asked for. A small body comes in one record with its head, a large one in full records. */
export const workloads = {
  small: { path: '/small', bodyBytes: 1_024 },
  large: { path: '/large', bodyBytes: 4 * 1_048_576 },
} as const;
export type Workload = keyof typeof workloads;

export const benchmarkConditions = {
  cipher: 'TLS 1.3 AES-128-GCM',
  connections: 8,
  rounds: 7,
  durationMs: 500,
  smallBodyBytes: workloads.small.bodyBytes,
  largeBodyBytes: workloads.large.bodyBytes,
  recordBytesMax: 16_384,
} as const;

/** One measurement; src/engine/experiments.ts, LoadFigures. */
export interface Measured {
  bodyBytes: number;
  responses: number;
  durationMs: number;
  processUs: number;
  systemUs: number;
}

export interface LoadedService {
  port: number;
  /** How many connections the kernel encrypted so far, and by which driver. */
  offload(): { promoted: number; driver: { name: string; async: boolean } | null };
  stop(): Promise<unknown>;
}

/** The parts of the product that the benchmark drives; src/commands/doctor-apparatus.ts. */
export interface BenchmarkApparatus {
  startService(root: string, side: Side): Promise<LoadedService>;
  measure(port: number, workload: Workload): Promise<Measured>;
}

/** Medians over the rounds; null: nothing was read from /proc/stat, or nothing came. */
export interface SideFigures {
  mibPerS: number | null;
  processCpuMsPerMib: number | null;
  systemCpuMsPerMib: number | null;
  /** A response and its request. Null where a round is too short for whole responses. */
  processCpuUsPerResponse: number | null;
}

/**
 * Kernel TLS by user space, of each round: the median, and the extremes without the one round at
 * either end that something else may have disturbed.
 */
export interface Ratio {
  median: number;
  least: number;
  most: number;
}

export interface WorkloadFigures {
  kernel: SideFigures;
  userSpace: SideFigures;
  /** Below 1 the kernel's is cheaper. The system's where it could be read, else the process's. */
  cpuRatio: Ratio | null;
  /** Above 1 the kernel's is faster. */
  throughputRatio: Ratio | null;
}

export interface Benchmark {
  conditions: typeof benchmarkConditions;
  /** The kernel's driver of AES-GCM while it was measured; null: the kernel did not say. */
  driver: { name: string; async: boolean } | null;
  /** Connections that the kernel encrypted, and how many there should have been. */
  promoted: number;
  expected: number;
  small: WorkloadFigures;
  large: WorkloadFigures;
}

const mib = 1_048_576;

function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [upper = 0, lower = 0] = [sorted[middle], sorted[middle - 1]];
  return sorted.length % 2 === 1 ? upper : (upper + lower) / 2;
}

const known = (values: (number | null)[]): number[] => values.filter((value) => value !== null);
const perMib = (us: number, { bodyBytes }: Measured): number | null =>
  us > 0 && bodyBytes > 0 ? us / 1_000 / (bodyBytes / mib) : null;
const processCost = (measured: Measured) => perMib(measured.processUs, measured);
const systemCost = (measured: Measured) => perMib(measured.systemUs, measured);
const speed = ({ bodyBytes, durationMs }: Measured): number | null =>
  durationMs > 0 && bodyBytes > 0 ? bodyBytes / mib / (durationMs / 1_000) : null;

const perResponse = ({ processUs, responses }: Measured): number | null =>
  processUs > 0 && responses > 0 ? processUs / responses : null;

function summarise(rounds: readonly Measured[]): SideFigures {
  return {
    mibPerS: median(known(rounds.map(speed))),
    processCpuMsPerMib: median(known(rounds.map(processCost))),
    systemCpuMsPerMib: median(known(rounds.map(systemCost))),
    processCpuUsPerResponse: median(known(rounds.map(perResponse))),
  };
}

type Rounds = Record<Side, Measured[]>;

function ratioOf(rounds: Rounds, of: (measured: Measured) => number | null): Ratio | null {
  const ratios = rounds.kernel.flatMap((kernel, index) => {
    const other = rounds.userSpace[index];
    const [above, below] = [of(kernel), other === undefined ? null : of(other)];
    return above !== null && below !== null && below > 0 ? [above / below] : [];
  });
  const middle = median(ratios);
  if (middle === null || ratios.length < rounds.kernel.length) return null;
  const inner = ratios.sort((a, b) => a - b).slice(1, -1);
  return { median: middle, least: inner.at(0) ?? middle, most: inner.at(-1) ?? middle };
}

const figuresOf = (rounds: Rounds): WorkloadFigures => ({
  kernel: summarise(rounds.kernel),
  userSpace: summarise(rounds.userSpace),
  cpuRatio: ratioOf(rounds, systemCost) ?? ratioOf(rounds, processCost),
  throughputRatio: ratioOf(rounds, speed),
});

async function measureRounds(
  apparatus: BenchmarkApparatus,
  engines: Record<Side, LoadedService>,
): Promise<Record<Workload, Rounds>> {
  const results: Record<Workload, Rounds> = {
    small: { kernel: [], userSpace: [] },
    large: { kernel: [], userSpace: [] },
  };
  for (let round = 0; round < benchmarkConditions.rounds; round += 1) {
    // Who is first changes: a clock that rises with the load favours the second.
    const order = round % 2 === 0 ? sides : ([...sides].reverse() as Side[]);
    for (const workload of Object.keys(workloads) as Workload[]) {
      for (const side of order) {
        results[workload][side].push(await apparatus.measure(engines[side].port, workload));
      }
    }
  }
  return results;
}

async function withEngines(apparatus: BenchmarkApparatus, root: string): Promise<Benchmark> {
  const started: LoadedService[] = [];
  const start = async (side: Side): Promise<LoadedService> => {
    const service = await apparatus.startService(root, side);
    started.push(service);
    return service;
  };
  try {
    const kernel = await start('kernel');
    const userSpace = await start('userSpace');
    const results = await measureRounds(apparatus, { kernel, userSpace });
    const { promoted, driver } = kernel.offload();
    const { rounds, connections } = benchmarkConditions;
    const expected = rounds * connections * Object.keys(workloads).length;
    return {
      conditions: benchmarkConditions,
      driver,
      promoted,
      expected,
      small: figuresOf(results.small),
      large: figuresOf(results.large),
    };
  } finally {
    for (const service of started) await service.stop();
  }
}

/** Runs all rounds, and removes what it made. Rejects when a connection fails. */
export function runBenchmark(apparatus: BenchmarkApparatus): Promise<Benchmark> {
  return withScratchDirectory((directory) => {
    for (const { path, bodyBytes } of Object.values(workloads)) {
      writeFileSync(join(directory, path), Buffer.alloc(bodyBytes, 'spliced '));
    }
    return withEngines(apparatus, directory);
  });
}
