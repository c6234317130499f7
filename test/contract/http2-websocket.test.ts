// SPDX-License-Identifier: Apache-2.0
// WebSockets over HTTP/2 (RFC 8441): the ws library at both ends, over streams of Node's client,
// and frames written by hand where a client, or an application, does what those two would not.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import type { RouteOptions, ServiceOptions } from '../../src/engine/native.js';
import {
  answerOf,
  ask,
  codes,
  fieldBlock,
  flag,
  frame,
  http2Figures,
  offloads,
  openSession,
  RawSession,
  startHttp2,
  type,
  u32,
} from './http2.js';
import {
  listen,
  listenTcp,
  nodeApplication,
  proxyRoute,
  rawApplication,
  siteWith,
  upstreamsOf,
} from './proxy.js';
import type { Running } from './service.js';

const maxPayload = 16 << 20;
const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** Sends every message back; `/close/N` closes with N, `/flood` sends without end. */
async function echo(t: Test, change: Partial<ServiceOptions> = {}): Promise<Running> {
  const server = nodeApplication((_request, response) => response.end('plain'));
  const sockets = new WebSocketServer({
    server,
    maxPayload,
    handleProtocols: (offered) => [...offered][0] ?? false,
  });
  sockets.on('connection', (socket, request) => {
    const code = /^\/close\/(\d+)/.exec(request.url ?? '')?.[1];
    if (code !== undefined) return socket.close(Number(code), 'because');
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
  });
  return startHttp2(t, {}, { site: siteWith([proxyRoute(await listen(t, server))]), ...change });
}

/** Before what an application of its own does with its connections. */
async function before(
  t: Test,
  onConnection: (socket: Socket) => void,
  change: Partial<ServiceOptions> = {},
): Promise<Running> {
  const upstream = await listenTcp(t, rawApplication(t, onConnection));
  return startHttp2(t, {}, { site: siteWith([proxyRoute(upstream)]), ...change });
}

/** A session that knows the server's settings. */
async function session(t: Test, running: Running): Promise<ClientHttp2Session> {
  const opened = await openSession(t, running);
  await new Promise<void>((resolve) => opened.ping(() => resolve()));
  return opened;
}

const extended = (path: string): OutgoingHttpHeaders => ({
  ':method': 'CONNECT',
  ':protocol': 'websocket',
  ':path': path,
  'sec-websocket-version': '13',
});

const connectBlock = (path: string, more: [string, string][] = []): Buffer =>
  fieldBlock([
    [':method', 'CONNECT'],
    [':protocol', 'websocket'],
    [':scheme', 'https'],
    [':path', path],
    [':authority', 'localhost'],
    ['sec-websocket-version', '13'],
    ...more,
  ]);

/** ws over a stream, in a client's part. */
function over(stream: ClientHttp2Stream): WebSocket {
  const options = { autoPong: true, closeTimeout: 30_000 };
  const socket = new WebSocket(null as unknown as string, undefined, options) as WebSocket & {
    _isServer: boolean;
    setSocket(stream: unknown, head: Buffer, options: object): void;
  };
  socket._isServer = false;
  socket.setSocket(stream, Buffer.alloc(0), { maxPayload });
  return socket;
}

async function open(t: Test, at: ClientHttp2Session, path = '/', more: OutgoingHttpHeaders = {}) {
  const stream = at.request({ ...extended(path), ...more });
  stream.on('error', () => {});
  const [headers] = await once(stream, 'response');
  t.equal(headers[':status'], 200);
  const socket = over(stream);
  socket.on('error', () => {});
  t.teardown(() => socket.terminate());
  return { headers, socket, stream };
}

async function answered(socket: WebSocket): Promise<Buffer> {
  const [data] = (await once(socket, 'message')) as [RawData];
  return Buffer.isBuffer(data) ? data : Buffer.concat(data as Buffer[]);
}

/** Looks until it is so, or the test's time is over. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const acceptOf = (request: string): string => {
  const key = /^sec-websocket-key: (.*)\r$/im.exec(request)?.[1] ?? '';
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
};
const switched = (request: string, accept = acceptOf(request)): string =>
  `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;

for (const [offload, change] of offloads) {
  t.test(`messages come back, whole and fragmented, ${offload}`, async (t) => {
    const running = await echo(t, change);
    const at = await session(t, running);
    t.equal(at.remoteSettings.enableConnectProtocol, true);
    const { headers, socket } = await open(t, at, '/', { 'sec-websocket-protocol': 'chat, x' });
    t.equal(headers['sec-websocket-protocol'], 'chat');
    t.equal(headers['sec-websocket-accept'], undefined);
    t.equal(upstreamsOf(running).webSockets, 1);
    for (const bytes of [0, 1, 125, 126, 65_535, 65_536, 1 << 20]) {
      const message = randomBytes(bytes);
      socket.send(message);
      t.equal(digest(await answered(socket)), digest(message), `${bytes} bytes`);
    }
    const parts = [randomBytes(10), randomBytes(70_000), randomBytes(3)];
    for (const [index, part] of parts.entries()) {
      socket.send(part, { fin: index === parts.length - 1 });
      socket.ping();
    }
    t.equal(digest(await answered(socket)), digest(Buffer.concat(parts)), 'fragments and pings');
    socket.close(4321, 'done');
    const [code] = await once(socket, 'close');
    t.equal(code, 4321);
    await until(() => upstreamsOf(running).open === 0 && http2Figures(running).streams.open === 0);
    t.match(upstreamsOf(running), { webSockets: 0, webSocketsEver: 1 });
    t.match(JSON.parse(running.service.stats()).requests, { total: 1, byStatus: { 200: 1 } });
  });

  t.test(`ten at once, with other requests, and close codes, ${offload}`, async (t) => {
    const running = await echo(t, change);
    const at = await session(t, running);
    const all = await Promise.all(Array.from({ length: 10 }, () => open(t, at)));
    const message = randomBytes(300_000);
    const back = all.map(({ socket }) => answered(socket));
    for (const { socket } of all) socket.send(message);
    for (const data of await Promise.all(back)) t.equal(digest(data), digest(message));
    t.equal((await ask(at)).body.toString(), 'plain');
    for (const wanted of [1000, 1011, 3000, 4999]) {
      const { socket } = await open(t, at, `/close/${wanted}`);
      const [code, reason] = await once(socket, 'close');
      t.same([code, String(reason)], [wanted, 'because']);
    }
  });
}

t.test('the Close that answers one comes before the end of the stream', async (t) => {
  const running = await echo(t);
  const raw = await RawSession.open(t, running);
  const close = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x10, 0xe1]); // 4321, masked with zeros
  for (let id = 1; id < 100; id += 2) {
    raw.send(frame(type.headers, flag.endHeaders, id, connectBlock('/')));
    await raw.wait((frame) => frame.type === type.headers && frame.stream === id);
    // Its own end with it, or when it has heard the other's.
    raw.send(frame(type.data, id % 4 === 1 ? flag.endStream : 0, id, close));
    t.equal((await raw.end(id)).toString('hex'), '880210e1');
  }
});

t.test('a stop: 1001, the end of the stream, and nothing is lost', async (t) => {
  const running = await echo(t);
  const { socket } = await open(t, await session(t, running));
  const closed = once(socket, 'close');
  running.service.stop(20_000);
  const [code] = await closed;
  t.equal(code, 1001);
  t.match(await running.events.wait('stopped'), { aborted: 0 });
});

t.test('what is no open WebSocket is no 2xx', async (t) => {
  const answers: Record<string, (request: string) => string> = {
    '/ok': () => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    '/created': () => 'HTTP/1.1 204 No Content\r\n\r\n',
    '/file': () => 'HTTP/1.1 404 No\r\nX-Accel-Redirect: /x\r\nContent-Length: 0\r\n\r\n',
    '/wrong': (request) => switched(request, 'dGhlIHNhbXBsZSBub25jZQ=='),
    '/none': () => 'HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    '/denied': () => 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno',
  };
  const application = (socket: Socket): void => {
    socket.on('data', (data) => {
      const answer = answers[String(data).split(' ')[1] ?? ''];
      socket.write(answer?.(String(data)) ?? '');
    });
  };
  const upstream = await listen(t, rawApplication(t, application));
  const fixed: Partial<RouteOptions> = { path: '/fixed', action: 'respond', status: 200 };
  const moved: Partial<RouteOptions> = { path: '/moved', action: 'redirect', status: 308 };
  const site = siteWith([
    proxyRoute(upstream),
    proxyRoute('', { ...fixed, methods: ['GET'], contentType: 'text/plain', body: 'x' }),
    proxyRoute('', { ...moved, methods: ['GET'], location: '/elsewhere' }),
  ]);
  const running = await startHttp2(t, {}, { site });
  const at = await session(t, running);
  const statusOf = async (path: string, more: OutgoingHttpHeaders = {}): Promise<number> => {
    const stream = at.request({ ...extended(path), ...more });
    const answer = answerOf(stream);
    stream.once('response', () => stream.end());
    return (await answer).status;
  };
  for (const path of ['/ok', '/created', '/file', '/wrong', '/none'])
    t.equal(await statusOf(path), 502, path);
  t.equal(await statusOf('/denied'), 401);
  t.equal(await statusOf('/fixed'), 405);
  t.equal(await statusOf('/moved'), 405);
  t.equal(await statusOf('/.spliced/status'), 404);
  t.equal(await statusOf('/denied', { ':protocol': 'connect-udp' }), 501);
  t.equal(upstreamsOf(running).webSocketsEver, 0);
});

t.test('where no route has WebSockets the protocol is not offered', async (t) => {
  const running = await startHttp2(t, { 'index.html': 'x' });
  const at = await session(t, running);
  t.not(at.remoteSettings.enableConnectProtocol, true);
  const raw = await RawSession.open(t, running);
  raw.send(frame(type.headers, flag.endHeaders, 1, connectBlock('/')));
  t.equal(await raw.reset(1), codes.protocolError);
});

t.test('an application that ends, and one that dies', async (t) => {
  let end = (_socket: Socket): void => {};
  const running = await before(t, (socket) => {
    socket.once('data', (data) => {
      socket.write(`${switched(String(data))}last`);
      socket.once('data', () => end(socket));
    });
  });
  const raw = await RawSession.open(t, running);
  const start = async (stream: number): Promise<void> => {
    raw.send(frame(type.headers, flag.endHeaders, stream, connectBlock('/')));
    await raw.wait((frame) => frame.type === type.data && frame.stream === stream);
  };
  await start(1);
  end = (socket) => socket.end('words');
  raw.send(frame(type.data, 0, 1, Buffer.from('x')));
  t.equal((await raw.end(1)).toString(), 'lastwords', 'END_STREAM');
  await start(3);
  end = (socket) => socket.resetAndDestroy();
  raw.send(frame(type.data, 0, 3, Buffer.from('x')));
  const died = await raw.wait(
    (frame) =>
      frame.stream === 3 &&
      (frame.type === type.reset || (frame.flags & flag.endStream) !== 0) &&
      frame.type !== type.headers,
  );
  t.equal(died?.type, type.reset);
  t.equal(died?.payload.readUInt32BE(0), codes.cancel);
  raw.send(frame(type.headers, flag.endHeaders, 5, connectBlock('/')));
  await raw.wait((frame) => frame.type === type.data && frame.stream === 5);
  t.pass('and the connection goes on');
});

t.test('a client that ends its side, and one that resets', async (t) => {
  const ended: Promise<unknown>[] = [];
  const running = await before(t, (socket) => {
    ended.push(new Promise((resolve) => socket.once('close', resolve)));
    let seen = '';
    socket.once('data', (data) => {
      socket.write(switched(String(data)));
      socket.on('data', (more) => {
        seen += String(more);
      });
      socket.once('end', () => socket.end(`heard ${seen}`));
    });
  });
  const raw = await RawSession.open(t, running);
  const opened = (stream: number) =>
    raw.wait((frame) => frame.type === type.headers && frame.stream === stream);
  // All at once: what comes before the 200 waits for it.
  raw.send(
    frame(type.headers, flag.endHeaders, 1, connectBlock('/')),
    frame(type.data, 0, 1, Buffer.from('all ')),
    frame(type.data, flag.endStream, 1, Buffer.from('of it')),
  );
  t.equal((await raw.end(1)).toString(), 'heard all of it', 'its end is told, and answered');
  await ended[0];
  raw.send(frame(type.headers, flag.endHeaders, 3, connectBlock('/')));
  await opened(3);
  raw.send(frame(type.reset, 0, 3, u32(codes.cancel)));
  await ended[1];
  raw.send(frame(type.headers, flag.endHeaders, 5, connectBlock('/')));
  await opened(5);
  t.equal(http2Figures(running).streams.open, 1);
  t.equal(upstreamsOf(running).webSockets, 1);
});

t.test('a client that reads slowly, and one that does not read', async (t) => {
  const sent = randomBytes(2 << 20);
  const running = await before(
    t,
    (socket) => {
      socket.once('data', (data) => {
        socket.write(switched(String(data)));
        socket.end(sent);
      });
    },
    { stallTimeoutMs: 500 },
  );
  const at = await session(t, running);
  const slow = at.request(extended('/'));
  const chunks: Buffer[] = [];
  for await (const chunk of slow) {
    chunks.push(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(digest(Buffer.concat(chunks)), digest(sent));
  const raw = await RawSession.open(t, running);
  raw.send(frame(type.headers, flag.endHeaders, 1, connectBlock('/')));
  t.equal(await raw.reset(1), codes.cancel);
  t.equal(raw.dataOf(1).length, 65_535, 'as much as its window');
  t.equal(http2Figures(running).streams.stalled, 1);
  await until(() => upstreamsOf(running).webSockets === 0);
});

t.test('an application that does not read holds its own stream back', async (t) => {
  let go = (): void => {};
  let bytes = 0;
  const running = await before(t, (socket) => {
    socket.once('data', (data) => {
      socket.write(switched(String(data)));
      socket.pause();
      go = () => {
        socket.on('data', (more) => {
          bytes += more.length;
        });
        socket.resume();
      };
    });
  });
  const at = await session(t, running);
  const stream = at.request(extended('/'));
  stream.on('error', () => {});
  await once(stream, 'response');
  const message = randomBytes(3 << 20);
  stream.write(message);
  t.equal((await ask(at, { ':path': '/.spliced/nothing' })).status, 404, 'the others go on');
  t.ok(at.state.outboundQueueSize !== undefined);
  go();
  await until(() => bytes === message.length);
  t.pass('and all of it comes');
  stream.close();
});
