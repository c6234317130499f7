// SPDX-License-Identifier: Apache-2.0
// A log that nobody reads stops nothing: the service starts, answers, reloads and stops.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../free-port.js';
import { beginDownload, runCli } from './server.js';

/** A FIFO that is full to the last byte; the descriptor that is passed on is a blocking one. */
function fullPipe(t: Test) {
  const path = join(t.testdir({}), 'fifo');
  t.equal(spawnSync('mkfifo', [path]).status, 0);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const filler = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  for (const size of [65_536, 4096, 512, 1]) {
    try {
      for (;;) writeSync(filler, Buffer.alloc(size, '.'));
    } catch {}
  }
  return { reader, filler, writer: openSync(path, 'w') };
}

/** A stream that is full, and whose peer never reads: what a journal is that is stuck. */
async function fullSocket(t: Test): Promise<Socket> {
  const path = join(t.testdir({}), 'socket');
  const server = createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const socket = connect(path);
  await new Promise((resolve) => socket.on('connect', resolve));
  while (socket.writableLength === 0) {
    socket.write(Buffer.alloc(4096, '.'));
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.teardown(() => {
    socket.destroy();
    server.close();
  });
  return socket;
}

async function answers(port: number): Promise<number> {
  for (let tries = 0; ; tries += 1) {
    try {
      const { status, read } = await beginDownload(port, '/');
      await read();
      return status;
    } catch (error) {
      if (tries === 400) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function serveTo(t: Test, stdout: number | Socket) {
  const stateDir = join(t.testdir({}), '..', `${t.name.replaceAll(/\W/g, '-')}-state`);
  const port = await freePort();
  const args = ['dist/cli.js', 'serve', '--listen', `127.0.0.1:${port}`, '--state-dir', stateDir];
  const child: ChildProcess = spawn(process.execPath, args, {
    stdio: ['ignore', stdout, 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  return { child, port, ended, stateDir };
}

/** Reloads, and waits until the service says in its own memory that it has. */
async function reload(child: ChildProcess, stateDir: string): Promise<string> {
  child.kill('SIGHUP');
  for (;;) {
    const { stdout } = await runCli(['log', '--state-dir', stateDir]);
    if (stdout.includes('"event":"reloaded"')) return stdout;
  }
}

t.test('a full pipe', async (t) => {
  const { writer, reader, filler } = fullPipe(t);
  const { child, port, ended, stateDir } = await serveTo(t, writer);
  t.equal(await answers(port), 200);
  await reload(child, stateDir);
  t.equal(await answers(port), 200);
  child.kill('SIGTERM');
  t.equal(await ended, 0, 'it ends although its last lines found no place');
  for (const fd of [writer, reader, filler]) closeSync(fd);
});

t.test('a socket that is never read', async (t) => {
  const { child, port, ended, stateDir } = await serveTo(t, await fullSocket(t));
  t.equal(await answers(port), 200);
  await reload(child, stateDir);
  child.kill('SIGTERM');
  t.equal(await ended, 0);
});

t.test('a reader that has gone', async (t) => {
  const { writer, reader, filler } = fullPipe(t);
  const { child, port, ended, stateDir } = await serveTo(t, writer);
  for (const fd of [writer, reader, filler]) closeSync(fd);
  t.equal(await answers(port), 200);
  await reload(child, stateDir);
  const { stdout } = await runCli(['status', '--json', '--state-dir', stateDir]);
  const { log, housekeeping } = JSON.parse(stdout);
  t.ok(log.linesDropped > 0, `${log.linesDropped} lines dropped`);
  t.match(housekeeping, [{ what: 'writing the log', reason: /EPIPE/ }]);
  child.kill('SIGTERM');
  t.equal(await ended, 0);
});

t.test('a refusal on a standard error that is full', async (t) => {
  const { writer } = fullPipe(t);
  const args = ['dist/cli.js', 'serve', '--listen', 'nonsense'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', writer] });
  t.equal(await new Promise((resolve) => child.on('exit', resolve)), 2);
});
