// SPDX-License-Identifier: Apache-2.0
// The socket's file, with real sockets: mode, place, what was there before, and long paths.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { listenPrivately, withShortPath } from '../../../src/api/private-socket.js';

function newServer(t: Test): Server {
  const server = createServer((socket) => {
    socket.on('error', () => {}); // Who only looks whether somebody answers is gone at once.
    socket.end('hello');
  });
  t.teardown(() => server.listening && server.close());
  return server;
}

const ask = (directory: string, name: string): Promise<string> =>
  withShortPath(directory, name, async (path) => {
    const socket = connect(path);
    const [data] = await once(socket, 'data');
    socket.destroy();
    return String(data);
  });

/** What a process leaves that was killed: a socket on which nobody listens. */
function leaveStale(directory: string, name: string): void {
  const script = `import socket, sys, os
os.chdir(sys.argv[1])
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[2])`;
  const { status } = spawnSync('python3', ['-c', script, directory, name]);
  if (status !== 0) throw new Error('python3 did not bind');
}

t.test('for its owner alone, whatever the umask is, and gone at the end', async (t) => {
  const directory = t.testdir();
  const before = process.umask(0);
  t.teardown(() => process.umask(before));
  const server = newServer(t);
  const remove = await listenPrivately(server, directory, 'api.sock');
  const { mode } = lstatSync(join(directory, 'api.sock'));
  t.equal(mode & 0o777, 0o600);
  t.same(readdirSync(directory), ['api.sock'], 'and nothing else is left');
  t.equal(await ask(directory, 'api.sock'), 'hello');
  remove();
  remove();
  server.close();
  await once(server, 'close');
  t.same(readdirSync(directory), []);
});

t.test('a living process keeps it, a dead one does not', async (t) => {
  const directory = t.testdir();
  leaveStale(directory, 'api.sock');
  mkdirSync(join(directory, '.api.sock.new'));
  writeFileSync(join(directory, '.api.sock.new', 'api.sock'), 'of a start that was killed');
  const first = newServer(t);
  const remove = await listenPrivately(first, directory, 'api.sock');
  t.equal(await ask(directory, 'api.sock'), 'hello');
  const second = newServer(t);
  await t.rejects(listenPrivately(second, directory, 'api.sock'), {
    name: 'StartError',
    message: /another process listens on .*api\.sock: end it, or give .*--state-dir/,
  });
  t.equal(await ask(directory, 'api.sock'), 'hello', 'the first is not disturbed');
  remove();
  await listenPrivately(second, directory, 'api.sock');
  remove();
  t.equal(await ask(directory, 'api.sock'), 'hello', "another's socket is not removed");
});

t.test('what is in the way is not removed', async (t) => {
  const directory = t.testdir({ file: 'text' });
  symlinkSync('/dev/null', join(directory, 'link'));
  for (const name of ['file', 'link']) {
    const refused = listenPrivately(newServer(t), directory, name);
    await t.rejects(refused, { message: /is no socket; remove it/ });
  }
  const absent = listenPrivately(newServer(t), join(directory, 'absent'), 'api.sock');
  await t.rejects(absent, { name: 'StartError', message: /cannot listen on \S+: ENOENT/ });
});

t.test('a path that is longer than a socket address', async (t) => {
  const directory = join(t.testdir(), 'd'.repeat(120), 'e'.repeat(120));
  mkdirSync(directory, { recursive: true });
  const server = newServer(t);
  await listenPrivately(server, directory, 'api.sock');
  t.equal(await ask(directory, 'api.sock'), 'hello');
  await t.rejects(listenPrivately(newServer(t), directory, 'api.sock'), {
    message: /another process/,
  });
});

t.test('a bind that fails is told by its own reason, and ends nothing else', async (t) => {
  const server = createServer();
  // As Node does it: nothing is bound, and the error comes a tick later.
  server.listen = () => {
    process.nextTick(() => server.emit('error', new Error('listen EMFILE')));
    return server;
  };
  const refusal = { name: 'StartError', message: /cannot listen on \S+a\.sock: listen EMFILE$/ };
  await t.rejects(listenPrivately(server, t.testdir(), 'a.sock'), refusal);
});
