// SPDX-License-Identifier: Apache-2.0
// Somebody is asked before a request is served: files, applications, WebSockets; what it says of who it
// is, what it refuses, and what becomes of everybody when it hangs, dies or says too much.

import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import express from 'express';
import t, { type Test } from 'tap';
import type { RouteOptions } from '../../src/engine/native.js';
import {
  ask,
  listen,
  nodeApplication,
  proxyRoute,
  rawApplication,
  siteWith,
  upstreamsOf,
} from './proxy.js';
import { connectRaw, type Running, readToEnd, startService } from './service.js';

const guarded = (authorize: string, change: Partial<RouteOptions> = {}): RouteOptions => ({
  ...proxyRoute(''),
  action: 'static',
  index: 'index.html',
  authorize,
  authorizePath: '/session/check',
  authorizeFields: ['X-User', 'X-Role'],
  authorizeTimeoutMs: 1_000,
  ...change,
});

/** Knows one session, and what it was asked. */
async function guard(t: Test, seen: IncomingMessage[] = []): Promise<string> {
  const app = express();
  app.get('/session/check', (request, response) => {
    seen.push(request);
    const { cookie = '', 'x-forwarded-uri': uri } = request.headers;
    if (cookie.includes('session=1')) {
      return response.set('X-User', 'anna').set('X-Secret', 'x').send('welcome');
    }
    if (cookie.includes('session=expired')) return response.redirect(302, `/sign-in?to=${uri}`);
    if (cookie.includes('session=other')) return response.status(403).send('not yours');
    response.set('WWW-Authenticate', 'Bearer realm="device"').status(401).send('who are you?');
  });
  return listen(t, createServer(app));
}

// The second is of who has signed in at the service itself, which tells it nobody.
const session = { Cookie: 'session=1; __Host-spliced=key' };

t.test('files behind a session', async (t) => {
  const seen: IncomingMessage[] = [];
  const large = Buffer.alloc(500_000, 'x');
  const site = siteWith([guarded(await guard(t, seen))]);
  const running = await startService(t, { 'a.txt': 'text', 'large.bin': large }, { site });
  const get = (headers: Record<string, string>, path = '/a.txt?b=c', method = 'GET') =>
    ask(running, { path, headers, method });

  t.match(await get({}), {
    status: 401,
    headers: { 'www-authenticate': 'Bearer realm="device"' },
    body: Buffer.from('who are you?'),
  });
  t.match(await get({ Cookie: 'session=expired' }), {
    status: 302,
    headers: { location: '/sign-in?to=/a.txt?b=c' },
  });
  t.match(await get({ Cookie: 'session=other' }), { status: 403, body: Buffer.from('not yours') });
  const text = await get(session);
  t.match({ ...text, body: String(text.body) }, { status: 200, body: 'text' });
  t.notOk('x-user' in text.headers, 'what it says of the client is not for the client');
  t.match((await get({ ...session, 'If-None-Match': String(text.headers.etag) })).status, 304);
  t.equal((await get(session, '/large.bin')).body.length, large.length);
  t.match(await get(session, '/large.bin', 'HEAD'), { headers: { 'content-length': '500000' } });
  t.match(await get({}, '/large.bin', 'HEAD'), { status: 401, body: Buffer.alloc(0) });
  t.equal((await get(session, '/none')).status, 404);
  const [first, last] = [seen[0], seen.at(-1)];
  t.match(first, {
    method: 'GET',
    url: '/session/check',
    headers: {
      'x-forwarded-method': 'GET',
      'x-forwarded-uri': '/a.txt?b=c',
      'x-original-method': 'GET',
      'x-original-uri': '/a.txt?b=c',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'https',
    },
  });
  t.equal(last?.headers.cookie, 'session=1');
  const { checksPassed, checksDenied, checksFailed, opened } = upstreamsOf(running);
  t.strictSame([checksPassed, checksDenied, checksFailed], [5, 4, 0]);
  t.ok(opened < seen.length, `${opened} connections for ${seen.length} questions`);
});

t.test('an application learns who it is, and no client can say so', async (t) => {
  const seen: IncomingMessage[] = [];
  const application = await listen(
    t,
    nodeApplication(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { 'x-user': user, 'x-role': role, 'x-secret': secret } = request.headers;
      const body = Buffer.concat(chunks).length;
      response.end(JSON.stringify({ user, role, secret, body, method: request.method }));
    }),
  );
  const route = proxyRoute(application, {
    ...guarded(await guard(t, seen)),
    action: 'proxy',
    upstream: application,
  });
  const running = await startService(t, {}, { site: siteWith([route]) });
  const send = Buffer.alloc(400_000, 'x');
  const forged = { ...session, 'X-User': 'root', 'X-Role': 'admin', 'x-secret': 'mine' };
  for (const extra of [{}, { 'Transfer-Encoding': 'chunked' }]) {
    const headers = { ...forged, ...extra };
    const answer = await ask(running, { method: 'POST', path: '/a', headers, send });
    t.strictSame(JSON.parse(String(answer.body)), {
      user: 'anna',
      secret: 'mine',
      body: 400_000,
      method: 'POST',
    });
  }
  t.match(seen[0]?.headers, { 'x-forwarded-method': 'POST' });
  t.notOk(Object.keys(seen[0]?.headers ?? {}).some((name) => /^(content|transfer)-/.test(name)));
  const refused = await ask(running, { method: 'POST', path: '/a', send: Buffer.alloc(9_000_000) });
  t.equal(refused.status, 401, 'and the body is not read');
});

t.test('a WebSocket waits, too', async (t) => {
  const server = nodeApplication(() => {});
  server.on('upgrade', (request, socket: Socket) => {
    socket.on('error', () => {});
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        `Sec-WebSocket-Accept: x\r\n\r\n${request.headers['x-user']}`,
    );
    socket.end();
  });
  const application = await listen(t, server);
  const route = proxyRoute(application, {
    ...guarded(await guard(t)),
    action: 'proxy',
    upstream: application,
  });
  const running = await startService(t, {}, { site: siteWith([route]) });
  const upgrade =
    'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    'Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n';
  const say = async (fields: string): Promise<string> => {
    const socket = await connectRaw(running);
    const answer = readToEnd(socket);
    socket.write(`${upgrade}${fields}\r\n`);
    return (await answer).toString('latin1');
  };
  t.match(await say('Cookie: session=1\r\n'), /^HTTP\/1\.1 101 [\s\S]*anna$/);
  t.match(await say('Connection: close\r\n'), /^HTTP\/1\.1 401 /);
});

const misbehaving: [name: string, answer: (socket: Socket) => void, reason: string][] = [
  [
    'says 500',
    (socket) => socket.write('HTTP/1.1 500 X\r\nContent-Length: 4\r\n\r\noops'),
    'status',
  ],
  ['says 404', (socket) => socket.write('HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n'), 'status'],
  ['dies', (socket) => socket.destroy(), 'unreachable'],
  ['talks rubbish', (socket) => socket.write('hello\r\n\r\n'), 'unreachable'],
  ['hangs', () => {}, 'timeout'],
  ['begins and hangs', (socket) => socket.write('HTTP/1.1 200 OK\r\nX-'), 'timeout'],
  [
    'says too much',
    (socket) => socket.write(`HTTP/1.1 200 OK\r\nX-User: ${'x'.repeat(9000)}\r\n\r\n`),
    'long_fields',
  ],
  [
    'has a head without end',
    (socket) => socket.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(40_000)}`),
    'unreachable',
  ],
];

t.test('one that misbehaves lets nobody pass, and holds up nobody else', async (t) => {
  for (const [name, answers, reason] of misbehaving) {
    const check = await listen(
      t,
      rawApplication(t, (socket) => socket.once('data', () => answers(socket))),
    );
    const open = guarded('', { path: '/open', authorizePath: '' });
    const site = siteWith([guarded(check), open]);
    const running = await startService(t, { 'a.txt': 'secret', open: 'open' }, { site });
    const waiting = [1, 2, 3].map(() => ask(running, { path: '/a.txt' }));
    t.equal(String((await ask(running, { path: '/open' })).body), 'open', `${name}: others`);
    for (const { status, body } of await Promise.all(waiting)) {
      t.equal(status, 502, name);
      t.notMatch(String(body), /secret|oops/, name);
    }
    const { incidents } = running.service.takeIncidents();
    t.strictSame(
      incidents.map(({ event, reason: why }) => [event, why]),
      Array(3).fill(['authorize_failed', reason]),
      name,
    );
  }
});

t.test('twice is once', async (t) => {
  const double = 'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
  const check = await listen(
    t,
    rawApplication(t, (socket) => socket.on('data', () => socket.write(double))),
  );
  const running: Running = await startService(
    t,
    { 'a.txt': 'text' },
    { site: siteWith([guarded(check)]) },
  );
  for (let i = 0; i < 4; i += 1) {
    t.equal(String((await ask(running, { path: '/a.txt' })).body), 'text');
  }
  t.equal(upstreamsOf(running).reused, 0, 'what nobody asked for answers nobody');
});

t.test('remembered for so long, by exactly what was asked, until a reload', async (t) => {
  const seen: IncomingMessage[] = [];
  const check = await guard(t, seen);
  const route = guarded(check, { authorizeRememberMs: 60_000 });
  const site = siteWith([route]);
  const running = await startService(t, { 'a.txt': 'text', 'b.txt': 'other' }, { site });
  const get = async (path: string, cookie: string, more: Record<string, string> = {}) =>
    (await ask(running, { path, headers: { Cookie: cookie, ...more } })).status;
  t.equal(await get('/a.txt', 'session=1'), 200);
  t.equal(await get('/a.txt', 'session=1'), 200);
  t.equal(await get('/a.txt', 'session=1', { Range: 'bytes=0-1' }), 206);
  t.equal(seen.length, 1, 'once');
  t.equal(await get('/a.txt', 'session=11'), 200);
  t.equal(await get('/b.txt', 'session=1'), 200);
  t.equal(await get('/a.txt?x', 'session=1'), 200);
  t.equal(await get('/a.txt', 'session=1', { 'X-Device': '1' }), 200);
  t.equal(seen.length, 5, 'another credential, target or field is another question');
  for (const refused of ['session=other', 'session=expired', 'none']) {
    const before = seen.length;
    await get('/a.txt', refused);
    await get('/a.txt', refused);
    t.equal(seen.length, before + 2, refused);
  }
  const { checksPassed, checksRemembered, checksDenied } = upstreamsOf(running);
  t.strictSame([checksPassed, checksRemembered, checksDenied], [5, 2, 6]);
  const before = seen.length;
  running.service.replaceSite(site);
  t.equal(await get('/a.txt', 'session=1'), 200);
  t.equal(seen.length, before + 1, 'a reload forgets');
  running.service.replaceSite(siteWith([guarded(check)]));
  await get('/a.txt', 'session=1');
  await get('/a.txt', 'session=1');
  t.equal(seen.length, before + 3, 'off by default');
});
