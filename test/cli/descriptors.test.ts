// SPDX-License-Identifier: Apache-2.0
// A server that may open few files, and one that may not read some: it sheds what it cannot serve,
// counts it, serves the others on, and recovers by itself.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { beginDownload, type Server, startServer } from './server.js';

function get(port: number, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false };
    const outgoing = request({ ...options, timeout: 10_000 }, (response) => {
      let body = '';
      response.on('data', (data) => {
        body += data;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

const largeBytes = 20_000_000;

async function serve(t: Test, prefix: string[], env: NodeJS.ProcessEnv = {}): Promise<Server> {
  const directory = mkdtempSync(join(tmpdir(), 'spliced-'));
  writeFileSync(join(directory, 'a.txt'), 'hello');
  writeFileSync(join(directory, 'large.bin'), Buffer.alloc(largeBytes));
  writeFileSync(join(directory, 'unreadable.txt'), 'secret');
  chmodSync(join(directory, 'unreadable.txt'), 0);
  const own = ['--listen', '127.0.0.1:0', '--root', directory, '--state-dir', `${directory}/state`];
  const command = [...prefix, process.execPath, 'dist/cli.js', 'serve', ...own];
  const server = await startServer(command, env);
  t.teardown(async () => {
    server.child.kill('SIGTERM');
    await server.ended;
    rmSync(directory, { recursive: true });
  });
  return server;
}

for (const ring of ['auto', 'epoll']) {
  t.test(`out of descriptors, ring ${ring}`, async (t) => {
    const server = await serve(t, ['prlimit', '--nofile=64:64', '--'], { SPLICED_RING: ring });
    const download = await beginDownload(server.port, '/large.bin');
    // Clients that say nothing hold every descriptor, for less time than lets them make room.
    const sockets: Socket[] = [];
    const refused = new Promise<void>((resolve) => {
      for (let i = 0; i < 100; i += 1) {
        const socket = connect({ host: '127.0.0.1', port: server.port });
        socket.on('error', () => resolve());
        sockets.push(socket);
      }
    });
    await refused;
    t.equal(await download.read(), largeBytes, 'who is being served is served on');
    for (const socket of sockets) socket.destroy();
    // Those that wait in the backlog are taken 100 ms later.
    let answer: Promise<{ body: string }> = get(server.port, '/.spliced/status');
    while (
      await answer.then(
        () => false,
        () => true,
      )
    )
      answer = get(server.port, '/.spliced/status');
    const { connections } = JSON.parse((await answer).body);
    t.ok(connections.shedBy.descriptors > 0, 'counted by its reason');
    t.ok(connections.acceptPauses > 0, 'and how often it waited');
    for (let i = 0; i < 20; i += 1) {
      t.match(await get(server.port, '/a.txt'), { status: 200, body: 'hello' }, 'it has recovered');
    }
  });
}

// Root without its capabilities: another user may not reach the checkout.
const bare =
  process.getuid?.() === 0
    ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search', '--inh-caps=-all', '--']
    : [];

t.test('a file that may not be read is 404', async (t) => {
  const server = await serve(t, bare);
  t.match(await get(server.port, '/a.txt'), { status: 200, body: 'hello' });
  t.equal((await get(server.port, '/unreadable.txt')).status, 404);
});
