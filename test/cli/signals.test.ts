// SPDX-License-Identifier: Apache-2.0
// Signals that scripts send to a daemon: none opens Node's debugger, and none ends it but those that
// are documented.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { beginDownload, logLines, startCli, startServer } from './server.js';

t.test('SIGUSR1 and SIGUSR2 do nothing', async (t) => {
  const { child, port, ended } = await startCli(t.testdir());
  for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGXFSZ', 'SIGPIPE'] as const) {
    child.kill(signal);
    const { status, read } = await beginDownload(port, '/');
    await read();
    t.equal(status, 200, signal);
  }
  child.kill('SIGTERM');
  const { code, stderr } = await ended;
  t.match({ code, stderr }, { code: 0, stderr: '' }, 'no word of a debugger');
});

const hook = `
  const inspector = require('node:inspector');
  process.kill(process.pid, 'SIGUSR1');
  while (inspector.url() === undefined);
`;

t.test('a debugger that a signal opened before we could take it is closed', async (t) => {
  const directory = t.testdir({ 'hook.cjs': hook });
  const own = ['--listen', '127.0.0.1:0', '--state-dir', join(directory, 'state')];
  const node = [process.execPath, '--inspect-port=0', '--require', join(directory, 'hook.cjs')];
  const { child, ended } = await startServer([...node, 'dist/cli.js', 'serve', ...own]);
  child.kill('SIGTERM');
  const { code, stdout, stderr } = await ended;
  t.equal(code, 0);
  const [, port] = /Debugger listening on ws:\/\/127\.0\.0\.1:(\d+)/.exec(stderr) ?? [];
  t.ok(port, 'there was one');
  t.match(
    logLines(stdout).find(({ event }) => event === 'debugger_closed'),
    { level: 'warn' },
  );
});

t.test('in a command that runs to its end', async (t) => {
  const file = join(t.testdir(), 'hook.cjs');
  writeFileSync(file, "setImmediate(() => process.kill(process.pid, 'SIGUSR2'));");
  const args = ['--require', file, 'dist/cli.js', 'config', 'show'];
  const { status, signal } = spawnSync(process.execPath, args);
  t.match({ status, signal }, { status: 0, signal: null });
});
