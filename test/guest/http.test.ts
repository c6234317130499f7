// SPDX-License-Identifier: Apache-2.0
// The rules of HTTP over kernel TLS: the tests of test/contract themselves, in a guest, first with the
// kernel's asynchronous cipher and then in user space. The engines' own figures say which it was.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { compileTests } from '../../scripts/compile.mjs';
import { countTap } from '../../scripts/tap.mjs';
import { prepare } from './host/prepare.js';

const names = ['files', 'http', 'http-rules', 'nginx', 'request-framing', 'site', 'variants'];
const modes = ['auto', 'off'] as const;

interface Offload {
  promoted: Record<string, number>;
  fallbacks: Record<string, number>;
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

const unable = prepare();
t.test(
  'the contract of HTTP, in the kernel and in user space',
  { skip: unable ?? false },
  async (t) => {
    const shared = mkdtempSync(join(tmpdir(), 'spliced-http-'));
    t.teardown(() => rmSync(shared, { recursive: true }));
    const sources = names.map((name) => `test/contract/${name}.test.ts`);
    const compiled = await compileTests(process.cwd(), sources, 'build/guest/tests');
    const script = `for mode in ${modes.join(' ')}; do for file in ${compiled.join(' ')}; do
    export SPLICED_TLS_OFFLOAD=$mode SPLICED_TEST_FIGURES=${shared}/$mode
    # It does both by itself, whatever the mode.
    [ "$mode $(basename "$file")" != "off http-rules.test.js" ] || SPLICED_TEST_FIGURES=
    "${process.execPath}" "$file" >"${shared}/$mode-$(basename "$file")" 2>&1
  done; done`;
    const guest = ['-k', '6.12', '-a', '-M', 'tls', '-m', '768', '-t', '240', '-w', shared];
    const { status, stderr } = spawnSync(
      'test/guest/lab/run-guest',
      [...guest, '--', 'bash', '-c', script],
      {
        encoding: 'utf8',
        env: { ...process.env, TAP_TIMEOUT: '120', UV_USE_IO_URING: '0' },
      },
    );
    if (status !== 0) t.comment(stderr);
    const counts: number[][] = [];
    for (const mode of modes) {
      const passed: number[] = [];
      for (const name of names) {
        const text = readFileSync(join(shared, `${mode}-${name}.test.js`), 'utf8');
        const tally = countTap(text, `${name}, offload ${mode}`);
        if (!t.same(tally.failures, [], `${name}, offload ${mode}: ${tally.passed} passed`))
          t.comment(text);
        t.same(tally.skipped, [], 'none was skipped');
        passed.push(tally.passed);
      }
      counts.push(passed);
      const { engines, promoted } = figuresOf(join(shared, mode));
      t.comment(`offload ${mode}: ${engines} engines, ${promoted} connections promoted`);
      // More connections than engines: the tests open hundreds, and each is promoted or none.
      if (mode === 'auto') t.ok(promoted > 100, `${promoted} connections were the kernel's`);
      else t.equal(promoted, 0, 'no connection was');
    }
    t.same(counts[0], counts[1], 'the same tests for both');
  },
);
