// SPDX-License-Identifier: Apache-2.0
// The package as a library: the two examples as their readers would run them, what attaches to the
// server that Node has of it, its errors, and its close.

import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { Agent, type RequestOptions, request } from 'node:https';
import { join } from 'node:path';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import type { ServerOptions } from '../../types/index.js';
import { newPair } from '../contract/service.js';
import { createServer, start, startExample, version } from './library.js';

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

function ask(port: number, ca: string, options: RequestOptions = {}, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ keepAlive: false, maxCachedSessions: 0 });
    const outgoing = request({ host: '127.0.0.1', port, ca, agent, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: Buffer.concat(chunks).toString() });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Resolves when one event of the stream has come, and ends it. */
function firstEvent(port: number, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, ca, path: '/api/events' }, (response) => {
      response.once('data', (chunk) => {
        resolve(String(chunk));
        response.destroy();
      });
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

for (const name of ['express', 'fastify']) {
  t.test(`examples/${name}`, async (t) => {
    const { child, port, ca } = await startExample(t, name);
    const page = await ask(port, ca, { path: '/ui/' });
    t.match(page, { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
    t.match(page.body, '<h1>A device</h1>');
    const device = await ask(port, ca, { path: '/api/device' });
    t.same(JSON.parse(device.body), { name: 'gate 7', you: '127.0.0.1', secure: true });
    const forged = { 'X-Forwarded-For': '9.9.9.9', 'X-Forwarded-Proto': 'http' };
    const again = await ask(port, ca, { path: '/api/device', headers: forged });
    t.same(JSON.parse(again.body), JSON.parse(device.body), 'a client cannot forge its address');
    const put = {
      path: '/api/device',
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
    };
    t.match(await ask(port, ca, put, '{"name": "gate 8"}'), { status: 200 });
    t.equal(JSON.parse((await ask(port, ca, { path: '/api/device' })).body).name, 'gate 8');
    t.match(await ask(port, ca, put, '{}'), { status: 400 });
    t.match(await ask(port, ca, { path: '/nowhere' }), { status: 404 });
    const part = { path: '/manual', headers: { Range: 'bytes=0-2' } };
    t.match(
      await ask(port, ca, part),
      { status: 206, body: 'For' },
      'a file that the engine sends',
    );
    t.match(await ask(port, ca, { path: '/guarded/manual.txt' }), { status: 404 });
    if (name === 'express') t.match(await firstEvent(port, ca), /^data: 1\n/);
    child.kill('SIGTERM');
    t.same(await once(child, 'exit'), [0, null]);
  });
}

t.test('what attaches to the server that Node has of it: ws', async (t) => {
  const { chain, privateKey } = await newPair();
  const server = createServer({ cert: chain, key: privateKey });
  const sockets = new WebSocketServer({ server: server.http });
  sockets.on('connection', (socket, { socket: { remoteAddress } }) => {
    socket.on('message', (data) => socket.send(`${remoteAddress} ${data}`));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `wss://127.0.0.1:${server.address()?.port}/`;
  const client = new WebSocket(url, { ca: chain });
  await once(client, 'open');
  client.send('hello');
  const [data] = await once(client, 'message');
  t.equal(String(data), '127.0.0.1 hello');
  const ended = once(client, 'close');
  const outcome = await server.close();
  t.equal((await ended)[0], 1001, 'going away (RFC 6455 7.4.1)');
  t.match(outcome, { aborted: 0 });
});

t.test('a body of many megabytes from a handler, and a close in the middle of it', async (t) => {
  const bytes = 24 * 1024 * 1024;
  const { server, port, ca } = await start(t, {}, (_request, response) => {
    response.end(Buffer.alloc(bytes, 'x'));
  });
  let outcome: Promise<unknown> = Promise.resolve();
  const received = await new Promise<number>((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, ca }, (response) => {
      let count = 0;
      response.once('data', () => {
        outcome = server.close();
      });
      response.on('data', (chunk: Buffer) => {
        count += chunk.length;
      });
      response.on('end', () => resolve(count));
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
  t.equal(received, bytes);
  t.match(await outcome, { aborted: 0 });
  t.equal(server.address(), null);
  t.equal(await server.close(), await outcome, 'again: the same');
});

t.test('files, their routes, and no handler', async (t) => {
  const root = t.testdir({ 'index.html': '<p>root</p>' });
  mkdirSync(join(root, 'more'));
  writeFileSync(join(root, 'more/a.txt'), 'a');
  const { server, port, ca } = await start(t, { root });
  t.match(await ask(port, ca), { status: 200, body: '<p>root</p>' });
  t.match(await ask(port, ca, { path: '/more/a.txt' }), { status: 200, body: 'a' });
  t.match(await ask(port, ca, { path: '/none' }), { status: 404 });
  t.match(server.status(), { requests: { total: 3 } });
  const next = await newPair();
  server.setSecureContext({ cert: next.chain, key: next.privateKey });
  t.match(await ask(port, next.chain), { status: 200 }, 'the new certificate');
  t.throws(() => server.setSecureContext({ cert: 'x', key: 'y' }), {
    code: 'ERR_OSSL_PEM_NO_START_LINE',
  });
  t.match(await ask(port, next.chain), { status: 200 }, 'and it stays');
});

t.test('what is wrong is said', async (t) => {
  const { chain: cert, privateKey: key } = await newPair();
  t.match(version, /^\d+\.\d+\.\d+$/);
  const wrong = (options: object, message: RegExp) =>
    t.throws(() => createServer({ cert, key, ...options } as ServerOptions), { message });
  wrong({ certificate: cert }, /there is no option certificate; there are .*cert, key/);
  wrong({ limits: { connections_max: 0 } }, /limits\.connections_max/);
  wrong({ limits: { conections_max: 5 } }, /limits\.connections_max/);
  wrong({ routes: [{ path: 'x' }] }, /path/);
  wrong({ tls: 'off' }, /tls must be an object/);
});

t.test(
  'beneath a temporary directory whose path is longer than that of a Unix socket',
  async (t) => {
    const directory = t.testdir();
    const temporary = join(directory, 'long'.repeat(40));
    mkdirSync(temporary);
    const before = process.env.TMPDIR;
    process.env.TMPDIR = temporary;
    t.teardown(() => {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
    });
    const { chain: cert, privateKey: key } = await newPair();
    // Two: the first is not in the way of the second.
    for (const body of ['one', 'two']) {
      const server = createServer({ cert, key }, (_request, response) => response.end(body));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as { port: number };
      t.match(await ask(port, cert), { status: 200, body });
      server.close();
      await once(server, 'close');
    }
    t.same(readdirSync(temporary), [], 'nothing is left');
  },
);
