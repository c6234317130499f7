// SPDX-License-Identifier: Apache-2.0
// The adapter for any program, with real programs: progress, errors, and what a program may not do
// to us.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { CommandInstaller } from '../../../src/update/adapters/command.js';
import type { Progress } from '../../../src/update/installer.js';
import { linesOf, programBounds, runProgram } from '../../../src/update/program.js';

/** Installs by this text of a shell's. */
async function install(t: Test, text: string, installer?: CommandInstaller) {
  const directory = t.testdir();
  const program = join(directory, 'install');
  writeFileSync(program, `#!/bin/sh\n${text}`, { mode: 0o755 });
  const told: Progress[] = [];
  const callbacks = { onProgress: (one: Progress) => told.push(one), onToken: () => {} };
  const command = installer ?? new CommandInstaller([program, 'two words']);
  let error = '';
  try {
    await command.install(`${directory}/a "bundle" $(x);`, callbacks);
  } catch (reason) {
    error = (reason as Error).message;
  }
  return { told, error, directory };
}

t.test('progress', async (t) => {
  const { told, error, directory } = await install(
    t,
    `echo '{"percent": 10, "message": "unpacking"}'
     echo 'a word of its own'; echo '{'; echo '[1]'; echo '{"other": 1}'
     echo '{"percent": 140.4}'; echo '{"percent": "x", "message": 5}'
     printf '{"message": "done", "percent": -3}'
     printf '%s\\n' "$@" >"$(dirname "$0")/arguments"`,
  );
  t.equal(error, '');
  t.same(told, [
    { percent: 10, message: 'unpacking' },
    { percent: 100, message: 'unpacking' },
    { percent: 100, message: 'unpacking' },
    { percent: 0, message: 'done' },
  ]);
  const words = readFileSync(join(directory, 'arguments'), 'utf8');
  t.equal(words, `two words\n${directory}/a "bundle" $(x);\n`, 'no shell has seen them');
});

t.test('the reason of a failure', async (t) => {
  const cases: [text: string, expected: RegExp][] = [
    [`echo '{"error": "wrong signature"}'; exit 1`, /^wrong signature$/],
    [`echo '{"error": "wrong signature"}'`, /^wrong signature$/],
    [`echo '{"error": "slow"}'; echo '{"percent": 100}'`, /^$/],
    ['echo first >&2; echo "no space left" >&2; exit 3', /^no space left$/],
    ['exit 3', /^it ended with exit code 3$/],
    ['kill -9 $$', /^it was ended by SIGKILL$/],
    [`head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1`, /^x{2048}$/],
  ];
  for (const [text, expected] of cases) t.match((await install(t, text)).error, expected, text);
  t.match((await install(t, '', new CommandInstaller(['/nowhere']))).error, /no such program/);
  t.match((await install(t, '', new CommandInstaller(['/etc/passwd']))).error, /not be executed/);
});

t.test('a stop of the service ends it', async (t) => {
  const directory = t.testdir();
  const program = join(directory, 'sleep');
  writeFileSync(program, `#!/bin/sh\necho '{"percent": 1}'\nexec sleep 600\n`, { mode: 0o755 });
  const installer = new CommandInstaller([program]);
  const installed = new Promise<void>((resolve, reject) => {
    const onProgress = (): void => installer.close();
    installer.install('x', { onProgress, onToken: () => {} }).then(resolve, reject);
  });
  await t.rejects(installed, /the service was stopped/);
});

t.test('lines are bounded, in number of characters and in time', async (t) => {
  const lines: string[] = [];
  const cut = linesOf((line) => lines.push(line), 4);
  for (const part of ['ab', 'cdef', 'gh\n', '\n\r\nxy\rz', '12345\n', 'end']) cut.take(part);
  cut.end();
  t.same(lines, ['abcd', 'xy', 'z123', 'end']);
  const hanging = await runProgram(['sleep', '600'], { timeoutMs: 50 });
  t.match(hanging, { isTimedOut: true, code: null });
  const begunMs = performance.now();
  const left = await runProgram(['sh', '-c', 'sleep 600 & echo here'], { timeoutMs: 60_000 });
  t.equal(left.code, 0, 'a child that keeps the streams is not waited for');
  t.ok(performance.now() - begunMs < 10 * programBounds.trailingOutputMs);
});
