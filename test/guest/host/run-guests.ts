// SPDX-License-Identifier: Apache-2.0
// Runs inside/main.mjs in guests, a few at a time, and reads their reports. Used by matrix.test.ts.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Status {
  ring: { backend: string };
  offload: {
    kernel: string;
    ciphers: { version: string; cipher: string; tx: boolean }[];
    driver: { name: string; async: boolean };
    promoted: Record<string, number>;
    fallbacks: Record<string, number>;
  };
  drains: { aborted: number };
  pending: { contradictions: number };
  files: { coldFills: number };
  /** Of keys that are not in memory. */
  tls?: { signatures: { made: number; failed: number } };
}

/** What one case reports; naive has no status, exit code or stopped line. */
export interface Case {
  error?: string;
  expected?: Record<string, number>;
  outcomes?: Record<string, number>;
  offending?: unknown[];
  clientErrors?: string;
  status?: Status;
  exitCode?: number | null;
  stopped?: { drained: number; aborted: number; bytesSent: number };
  active?: number;
  dropped?: number;
  log?: string[];
}

/** What became of a guest, with what its report says: `release` and `cases`. */
export interface GuestOf<AnyCase> {
  exitCode: number | null;
  output: string;
  durationMs: number;
  release?: string;
  cases: Record<string, AnyCase>;
}

export type Guest = GuestOf<Case>;

export interface GuestRun {
  /** What boots it: test/guest/lab/run-guest, or run-smp for one with several CPUs. */
  launcher?: string;
  kernel: string;
  /** More options of the launcher. */
  options: string[];
  /** Beneath test/guest/inside, with its arguments; `report` is where it is to write. */
  script: (report: string) => string[];
  /** Made, and writable for the guest. */
  directory: string;
  timeoutS: number;
}

interface Options {
  directory: string;
  cases: string[];
  parallel: number;
  timeoutS: number;
}

const nameOf = (kernel: string, isAsync: boolean) => `${kernel} ${isAsync ? 'cryptd' : 'sync'}`;

/** Boots a guest with kernel TLS, runs a script in it, and reads the script's report. */
export async function runGuest<AnyCase>(run: GuestRun): Promise<GuestOf<AnyCase>> {
  const { launcher = 'test/guest/lab/run-guest', kernel, directory, timeoutS } = run;
  const startedMs = Date.now();
  mkdirSync(directory);
  const report = join(directory, 'report.json');
  const [script = '', ...scriptArguments] = run.script(report);
  const command = [process.execPath, join('test/guest/inside', script), ...scriptArguments];
  const options = ['-k', kernel, ...run.options, '-M', 'tls', '-t', String(timeoutS)];
  const child = spawn(launcher, [...options, '-w', directory, '--', ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      output += data;
    });
  }
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const parsed = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : { cases: {} };
  return { ...parsed, exitCode, output, durationMs: Date.now() - startedMs };
}

/** Starts all; each promise by the guest's name. At most `parallel` of them run at once. */
export function runGuests(
  guests: { kernel: string; isAsync: boolean }[],
  options: Options,
): Map<string, Promise<Guest>> {
  const lanes: Promise<unknown>[] = Array.from({ length: options.parallel }, () =>
    Promise.resolve(),
  );
  const runs = new Map<string, Promise<Guest>>();
  for (const [index, { kernel, isAsync }] of guests.entries()) {
    const lane = index % options.parallel;
    const run = (lanes[lane] ?? Promise.resolve()).then(() =>
      runGuest<Case>({
        kernel,
        options: isAsync ? ['-a'] : [],
        script: (report) => ['main.mjs', report, ...options.cases],
        directory: join(options.directory, nameOf(kernel, isAsync).replace(' ', '-')),
        timeoutS: options.timeoutS,
      }),
    );
    lanes[lane] = run.catch(() => undefined);
    runs.set(nameOf(kernel, isAsync), run);
  }
  return runs;
}
