// SPDX-License-Identifier: Apache-2.0
// The library's server over HTTP/2: applications of Express and Fastify that were written for
// HTTP/1.1, files that the engine sends for them, event streams, bodies, and the close.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { ClientHttp2Session } from 'node:http2';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import express from 'express';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import type { Server, ServerOptions } from '../../types/index.js';
import { answerOf, ask, codes, openSession } from '../contract/http2.js';
import { start, startExample } from './library.js';

type Protocols = NonNullable<ServerOptions['protocols']>;
const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

async function startOver(
  t: Test,
  handler: RequestListener,
  options: Partial<ServerOptions> = {},
): Promise<{ server: Server; port: number; ca: string; session: ClientHttp2Session }> {
  const started = await start(t, options, handler);
  // Of the client, in MB: beyond it Node's refuses the answers' heads.
  const client = { maxSessionMemory: 100 };
  const pair = { chain: started.ca };
  const session = await openSession(t, { port: started.port, pair }, client);
  return { ...started, session };
}

/** Until the stream has said so. */
function said(session: ClientHttp2Session, path: string) {
  const stream = session.request({ ':path': path });
  let text = '';
  let wake = (): void => {};
  stream.on('data', (chunk) => {
    text += chunk;
    wake();
  });
  const until = async (wanted: string): Promise<void> => {
    while (!text.includes(wanted)) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { stream, until, ended: answerOf(stream) };
}

for (const name of ['express', 'fastify']) {
  t.test(`examples/${name}, which has no word of HTTP/2`, async (t) => {
    const { child, port, ca } = await startExample(t, name);
    const session = await openSession(t, { port, pair: { chain: ca } });
    t.equal(session.alpnProtocol, 'h2');
    const page = await ask(session, { ':path': '/ui/' });
    t.match(page, { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
    t.match(page.body.toString(), '<h1>A device</h1>');
    const device = async (more: Record<string, string> = {}) =>
      JSON.parse((await ask(session, { ':path': '/api/device', ...more })).body.toString());
    t.same(await device(), { name: 'gate 7', you: '127.0.0.1', secure: true });
    const forged = { 'x-forwarded-for': '9.9.9.9', 'x-forwarded-proto': 'http' };
    t.same(await device(forged), await device(), 'a client cannot forge its address');
    const put = {
      ':path': '/api/device',
      ':method': 'PUT',
      'content-type': 'application/json',
    };
    t.match(await ask(session, put, '{"name": "gate 8"}'), { status: 200, isWhole: true });
    t.equal((await device()).name, 'gate 8');
    t.match(await ask(session, put, '{}'), { status: 400 });
    t.match(await ask(session, put, '{"name":'), { status: 400 }, 'no JSON');
    t.match(await ask(session, { ':path': '/nowhere' }), { status: 404 });

    const part = { ':path': '/manual', range: 'bytes=0-2' };
    t.match(await ask(session, part), { status: 206, body: Buffer.from('For') });
    const whole = await ask(session, { ':path': '/manual' });
    const etag = String(whole.headers.etag);
    const known = { ':path': '/manual', 'if-none-match': etag };
    t.match(await ask(session, known), { status: 304, body: Buffer.alloc(0) });
    const head = await ask(session, { ':path': '/manual', ':method': 'HEAD' });
    t.match(head, { status: 200, headers: { 'content-length': String(whole.body.length) } });
    t.equal(head.headers['x-accel-redirect'], undefined);
    t.match(await ask(session, { ':path': '/guarded/manual.txt' }), { status: 404 });

    const many = await Promise.all(Array.from({ length: 60 }, () => device()));
    t.same(many, Array(60).fill(await device()), 'sixty at once');
    if (name === 'express') {
      const streams = Array.from({ length: 8 }, () => said(session, '/api/events'));
      for (const { until } of streams) await until('data: 2\n');
      t.equal((await device()).name, 'gate 8', 'beside eight event streams');
      for (const { stream } of streams) stream.close(codes.cancel);
    }
    child.kill('SIGTERM');
    t.same(await once(child, 'exit'), [0, null]);
  });
}

t.test('what a handler sees is a request of HTTP/1.1', async (t) => {
  const seen: IncomingMessage[] = [];
  const { session, server, port } = await startOver(t, (request, response) => {
    seen.push(request);
    response.writeHead(201, 'Made', { Connection: 'close', 'X-Twice': ['a', 'b'] }).end('x');
  });
  const cookies = { cookie: ['a=1', 'b=2'] };
  const answer = await ask(session, { ':path': '/x?y=%20', ...cookies, te: 'trailers' });
  t.match(answer, { status: 201, body: Buffer.from('x'), isWhole: true });
  t.equal(answer.headers.connection, undefined, 'nothing of a connection in HTTP/2');
  t.equal(answer.headers['x-twice'], 'a, b');
  const [request] = seen as [IncomingMessage];
  t.match(request, { httpVersion: '1.1', httpVersionMajor: 1, method: 'GET', url: '/x?y=%20' });
  t.match(request.headers, { host: `127.0.0.1:${port}`, cookie: 'a=1; b=2' });
  t.match(request.socket, { encrypted: true, remoteAddress: '127.0.0.1', remoteFamily: 'IPv4' });
  t.equal((request.socket as { alpnProtocol?: unknown }).alpnProtocol, undefined);
  t.notOk(Object.keys(request.headers).some((name) => name.startsWith(':')));
  t.match(server.status(), { http2: { offered: true } });
  t.equal((await ask(session)).status, 201, 'Connection: close is between the two of us');
});

t.test('bodies of megabytes, both ways, several at once', async (t) => {
  const large = randomBytes(5_000_011);
  const app = express();
  app.post('/digest', async (request, response) => {
    response.send(digest(await buffer(request)));
  });
  app.get('/large', (_request, response) => {
    response.set('Content-Type', 'application/octet-stream').send(large);
  });
  const { session } = await startOver(t, app);
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_, index) =>
      index % 2 === 0
        ? ask(session, { ':path': '/digest', ':method': 'POST' }, large)
        : ask(session, { ':path': '/large' }),
    ),
  );
  for (const [index, { body, isWhole }] of answers.entries()) {
    t.ok(isWhole);
    t.equal(index % 2 === 0 ? body.toString() : digest(body), digest(large));
  }
});

t.test('a client that resets its request: the handler hears of it', async (t) => {
  const open: ServerResponse[] = [];
  const { session } = await startOver(t, (request, response) => {
    if (request.url !== '/events') {
      response.end('here');
      return;
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write('data: 0\n\n');
    open.push(response);
  });
  const events = said(session, '/events');
  await events.until('data: 0');
  const [response] = open as [ServerResponse];
  const closed = once(response, 'close');
  events.stream.close(codes.cancel);
  await closed;
  t.equal((await ask(session)).body.toString(), 'here', 'and the connection goes on');
});

t.test('a file of an internal route, with everything that belongs to it', async (t) => {
  const text = randomBytes(1_000_003);
  const root = t.testdir({ 'video.mp4': text });
  const routes = [{ path: '/recordings', root: join(root), internal: true }];
  const { session } = await startOver(
    t,
    (request, response) => {
      if (request.url === '/nothing') response.sendEngineFile('/recordings/none');
      else response.sendEngineFile('/recordings/video.mp4', { filename: 'my video.mp4' });
    },
    { routes },
  );
  const whole = await ask(session);
  t.match(whole, { status: 200, isWhole: true, headers: { 'content-type': 'video/mp4' } });
  t.match(whole.headers['content-disposition'], /^attachment; filename="my video.mp4"/);
  t.equal(digest(whole.body), digest(text));
  const ranges = await Promise.all(
    [0, 999_000, 500_000].map((first) => ask(session, { range: `bytes=${first}-${first + 999}` })),
  );
  for (const [index, first] of [0, 999_000, 500_000].entries())
    t.match(ranges[index], { status: 206, body: text.subarray(first, first + 1000) });
  t.match(await ask(session, { range: 'bytes=2000000-' }), { status: 416 });
  t.match(await ask(session, { ':path': '/nothing' }), { status: 404 });
  t.match(await ask(session, { ':path': '/recordings/video.mp4' }), { status: 404 });
});

t.test('a close delivers what is under way, and ends event streams', async (t) => {
  const bytes = 8 * 1024 * 1024;
  const { server, session } = await startOver(t, (request, response) => {
    if (request.url === '/large') {
      response.end(Buffer.alloc(bytes, 'x'));
      return;
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write('data: 0\n\n');
  });
  const events = said(session, '/events');
  await events.until('data: 0');
  const stream = session.request({ ':path': '/large' });
  let outcome: Promise<unknown> = Promise.resolve();
  stream.once('data', () => {
    outcome = server.close();
  });
  const answer = await answerOf(stream);
  t.equal(answer.body.length, bytes);
  t.ok(answer.isWhole);
  t.ok((await events.ended).isWhole, 'the event stream has its end');
  t.match(await outcome, { aborted: 0 });
});

t.test('WebSockets, whose clients choose HTTP/1.1', async (t) => {
  const { server, port, ca, session } = await startOver(t, (_request, response) => {
    response.end('x');
  });
  const sockets = new WebSocketServer({ server: server.http });
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`${data}!`)));
  const client = new WebSocket(`wss://127.0.0.1:${port}/`, { ca });
  await once(client, 'open');
  client.send('hello');
  t.equal(String((await once(client, 'message'))[0]), 'hello!');
  t.equal((await ask(session)).body.toString(), 'x');
  client.close();
  await once(client, 'close');
});

t.test('the option is judged as the setting is, and leaves HTTP/2 out', async (t) => {
  const handler: RequestListener = (_request, response) => void response.end('x');
  const wrong = (value: unknown) =>
    t.rejects(start(t, { protocols: value as Protocols }, handler), {
      code: 'ERR_INVALID_ARG_VALUE',
      message: /protocols/,
    });
  await wrong(['h3']);
  await wrong('h2');
  await wrong([]);
  const { port, ca } = await start(t, { protocols: ['http/1.1'] }, handler);
  await t.rejects(openSession(t, { port, pair: { chain: ca } }));
});
