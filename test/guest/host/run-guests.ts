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

export interface Guest {
  exitCode: number | null;
  output: string;
  durationMs: number;
  release?: string;
  cases: Record<string, Case>;
}

interface Options {
  directory: string;
  cases: string[];
  parallel: number;
  timeoutS: number;
}

const nameOf = (kernel: string, isAsync: boolean) => `${kernel} ${isAsync ? 'cryptd' : 'sync'}`;

async function runGuest(kernel: string, isAsync: boolean, options: Options): Promise<Guest> {
  const startedMs = Date.now();
  const directory = join(options.directory, nameOf(kernel, isAsync).replace(' ', '-'));
  mkdirSync(directory);
  const report = join(directory, 'report.json');
  const mode = isAsync ? ['-a'] : [];
  const command = [process.execPath, 'test/guest/inside/main.mjs', report, ...options.cases];
  const timeout = String(options.timeoutS);
  const child = spawn(
    'test/guest/lab/run-guest',
    ['-k', kernel, ...mode, '-M', 'tls', '-t', timeout, '-w', directory, '--', ...command],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
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
    const run = (lanes[lane] ?? Promise.resolve()).then(() => runGuest(kernel, isAsync, options));
    lanes[lane] = run.catch(() => undefined);
    runs.set(nameOf(kernel, isAsync), run);
  }
  return runs;
}
