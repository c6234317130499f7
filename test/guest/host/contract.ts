// SPDX-License-Identifier: Apache-2.0
// Tests of test/contract and test/cli themselves, in a guest: with the kernel's asynchronous cipher and
// in user space. The server's own figures say which it was.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Test } from 'tap';
import { compileTests } from '../../../scripts/compile.mjs';
import { countTap } from '../../../scripts/tap.mjs';

const modes = ['auto', 'off'] as const;

interface Offload {
  promoted: Record<string, number>;
  fallbacks: Record<string, number>;
}

/** One test file in the guest: the line of the shell, and where its TAP goes. */
interface Run {
  mode: string;
  name: string;
  output: string;
  line: string;
}

const sum = (counts: Record<string, number>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

/** All engines of one run: what the kernel took over, and what stayed behind. */
function figuresOf(path: string) {
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  const all = lines.map((line) => (JSON.parse(line) as { offload: Offload }).offload);
  const promoted = all.reduce((total, offload) => total + sum(offload.promoted), 0);
  return { engines: all.length, promoted };
}

export interface Suite {
  /** Run once for each mode; test/contract/service.ts reads it from the environment. */
  contract: readonly string[];
  /** These do both by themselves. */
  ofBothModes?: readonly string[];
  /** What boots; else 6.12, with an asynchronous cipher. */
  kernel?: string;
  isSynchronous?: boolean;
  /** Connections that the kernel must have taken over, at least. */
  promotedMin: number;
}

export async function runInGuest(t: Test, suite: Suite): Promise<void> {
  const { contract, ofBothModes = [], promotedMin, kernel = '6.12' } = suite;
  const shared = mkdtempSync(join(tmpdir(), 'spliced-contract-'));
  // A directory of its own: files that run side by side would remove each other's.
  const directory = join('build', basename(shared));
  t.teardown(() => {
    for (const made of [shared, directory]) rmSync(made, { recursive: true, force: true });
  });
  const names = [...contract, ...ofBothModes];
  const sources = names.map((name) => `test/${name}.test.ts`);
  const compiled = await compileTests(process.cwd(), sources, directory);
  const runs: Run[] = compiled.flatMap((file: string, index: number): Run[] => {
    const isOfBoth = index >= contract.length;
    const name = basename(file, '.test.js');
    return (isOfBoth ? ['both'] : modes).map((mode) => {
      const figures = `SPLICED_TEST_FIGURES=${join(shared, mode)}`;
      const env = isOfBoth ? '' : `SPLICED_TLS_OFFLOAD=${mode} ${figures} `;
      const output = join(shared, `${mode}-${name}`);
      return { mode, name, output, line: `${env}"${process.execPath}" ${file} >${output} 2>&1` };
    });
  });
  const script = runs.map(({ line }) => line).join('\n');
  const cipher = suite.isSynchronous ? [] : ['-a'];
  const guest = ['-k', kernel, ...cipher, '-M', 'tls', '-m', '768', '-t', '700', '-w', shared];
  const { status, stderr } = spawnSync(
    'test/guest/lab/run-guest',
    [...guest, '--', 'bash', '-c', script],
    {
      encoding: 'utf8',
      env: { ...process.env, TAP_TIMEOUT: '120', UV_USE_IO_URING: '0' },
    },
  );
  if (status !== 0) t.comment(stderr);
  const passed: Record<string, number> = {};
  for (const { mode, name, output } of runs) {
    const label = `${name}, offload ${mode}`;
    const text = readFileSync(output, 'utf8');
    const tally = countTap(text, label);
    if (!t.same(tally.failures, [], `${label}: ${tally.passed} passed`)) t.comment(text);
    t.same(tally.skipped, [], 'none was skipped');
    passed[mode] = (passed[mode] ?? 0) + tally.passed;
  }
  t.equal(passed.auto, passed.off, 'the same tests for both');
  for (const mode of modes) {
    const { engines, promoted } = figuresOf(join(shared, mode));
    t.comment(`offload ${mode}: ${engines} engines, ${promoted} connections promoted`);
    if (mode === 'auto') t.ok(promoted > promotedMin, `${promoted} connections were the kernel's`);
    else t.equal(promoted, 0, 'no connection was');
  }
}
