// SPDX-License-Identifier: Apache-2.0
// The journal's priorities: only on the stream that JOURNAL_STREAM names, and right for each level.

import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import t, { type Test } from 'tap';
import { isJournal, priorityPrefix } from '../../../src/log/journal.js';

const nameOf = (fd: number): string => {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return `${dev}:${ino}`;
};

t.test('is it the journal?', async (t) => {
  const path = join(t.testdir({ log: '' }), 'log');
  const fd = openSync(path, 'w');
  t.teardown(() => closeSync(fd));
  const is = (stream?: string): boolean =>
    isJournal(stream === undefined ? {} : { JOURNAL_STREAM: stream }, fd);
  t.ok(is(nameOf(fd)));
  for (const other of [undefined, '', '1', '8:1', 'a:b', `${nameOf(fd)}:1`, ` ${nameOf(fd)}`]) {
    t.notOk(is(other), String(other));
  }
  t.notOk(isJournal({ JOURNAL_STREAM: '1:1' }, 9_999), 'a descriptor that is not open');
});

t.test('priorities', async (t) => {
  const rows = [60, 50, 40, 35, 30, 20, 10].map((level) => priorityPrefix(level));
  t.same(rows, ['<2>', '<3>', '<4>', '<6>', '<6>', '<7>', '<7>']);
});

/** The lines of a process whose log goes to a file, which is the journal or is not. */
async function run(t: Test, isOurs: boolean): Promise<string[]> {
  const directory = t.testdir({ log: '' });
  const outfile = join(directory, 'log.mjs');
  const contents = `
    import { createLog } from './src/log/log.js';
    const log = createLog('debug');
    for (const level of ['debug', 'info', 'warn', 'error', 'fatal']) log[level]({ event: 'reloaded' });
    const child = log.child({ part: 'x' });
    child.error({ event: 'other' });`;
  await build({
    stdin: { contents, resolveDir: process.cwd(), loader: 'ts' },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  const fd = openSync(join(directory, 'log'), 'w');
  const env = { ...process.env, JOURNAL_STREAM: isOurs ? nameOf(fd) : '1:2' };
  const { status } = spawnSync(process.execPath, [outfile], { env, stdio: ['ignore', fd, 2] });
  closeSync(fd);
  t.equal(status, 0);
  return readFileSync(join(directory, 'log'), 'utf8').trim().split('\n');
}

t.test('each line has its priority, and is JSON behind it', async (t) => {
  const lines = await run(t, true);
  t.same(
    lines.map((line) => line.slice(0, 3)),
    ['<7>', '<6>', '<4>', '<3>', '<2>', '<3>'],
  );
  for (const line of lines.slice(0, 5)) {
    t.match(JSON.parse(line.slice(3)), { securityEvent: 'SPLICED-CONFIGURATION-CHANGED' });
  }
});

t.test('elsewhere it is JSON alone', async (t) => {
  const lines = await run(t, false);
  t.equal(lines.length, 6);
  for (const line of lines) t.match(JSON.parse(line), { level: String });
});
