// SPDX-License-Identifier: Apache-2.0
// Trailers and interim responses of applications: over HTTP/2 frames behind and before, over
// HTTP/1.1 chunks with a trailer section where the client takes one.

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http2';
import { request } from 'node:https';
import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { ServiceOptions } from '../../src/engine/native.js';
import {
  answerOf,
  ask,
  codes,
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
import { listen, proxyRoute, rawApplication, siteWith } from './proxy.js';
import type { Running } from './service.js';

const large = randomBytes(1_000_003);
const chunk = (data: Buffer | string): Buffer =>
  Buffer.concat([
    Buffer.from(`${Buffer.byteLength(data).toString(16)}\r\n`),
    Buffer.from(data),
    Buffer.from('\r\n'),
  ]);
const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n';

/** Before a service with these answers: the bytes by the path that is asked for. */
async function answering(
  t: Test,
  answers: Record<string, (string | Buffer)[]>,
  change: Partial<ServiceOptions> = {},
): Promise<Running & { asked: string[] }> {
  const asked: string[] = [];
  const serve = (socket: Socket): void => {
    socket.on('data', (data) => {
      asked.push(String(data));
      const path = String(data).split(' ')[1] ?? '';
      for (const piece of answers[path] ?? []) socket.write(piece);
    });
  };
  const upstream = await listen(t, rawApplication(t, serve));
  const route = proxyRoute(upstream, { fields: ['X-Ours: ours'] });
  return Object.assign(await startHttp2(t, {}, { site: siteWith([route]), ...change }), { asked });
}

async function trailed(running: Running, t: Test, path: string) {
  const stream = (await openSession(t, running)).request({ ':path': path, te: 'trailers' });
  let trailers: IncomingHttpHeaders | undefined;
  stream.on('trailers', (fields) => {
    trailers = fields;
  });
  return { ...(await answerOf(stream)), trailers };
}

/** Over HTTP/1.1. */
function overHttp1(running: Running, path: string, headers: Record<string, string>) {
  return new Promise<{
    body: string;
    trailers: NodeJS.Dict<string>;
    announced: string | undefined;
  }>((resolve, reject) => {
    const { port, pair } = running;
    const outgoing = request({ host: '127.0.0.1', port, ca: pair.chain, path, headers });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      let body = '';
      response.on('data', (data) => {
        body += data;
      });
      response.on('end', () => {
        const { trailers } = response;
        resolve({ body, trailers, announced: response.headers.trailer });
      });
    });
    outgoing.end();
  });
}

// Without the symbols that Node adds.
const plain = (fields: object | undefined) => Object.fromEntries(Object.entries(fields ?? {}));

for (const [offload, change] of offloads) {
  t.test(`trailers go on, ${offload}`, async (t) => {
    const running = await answering(
      t,
      {
        '/': [
          `${head}Trailer: X-Sum\r\n\r\n`,
          chunk('abc'),
          '0\r\nX-Sum: 7\r\nServer-Timing: a\r\n\r\n',
        ],
        '/large': [`${head}\r\n`, chunk(large), '0\r\nX-Sum: 8\r\n\r\n'],
        '/empty': [`${head}\r\n0\r\nX-Sum: 9\r\n\r\n`],
        '/none': [`${head}\r\n`, chunk('abc'), '0\r\n\r\n'],
        '/refused': [
          `${head}Connection: X-Hop\r\n\r\n`,
          chunk('abc'),
          '0\r\nContent-Length: 3\r\nSet-Cookie: a=b\r\nX-Hop: 1\r\nX-Ours: theirs\r\n\r\n',
        ],
      },
      change,
    );
    const small = await trailed(running, t, '/');
    t.match(small, { status: 200, isWhole: true, headers: { trailer: 'X-Sum' } });
    t.equal(small.body.toString(), 'abc');
    t.same(plain(small.trailers), { 'x-sum': '7', 'server-timing': 'a' });
    t.match(running.asked[0], /\r\nTE: trailers\r\nConnection: TE\r\n/, 'the application knows');
    const long = await trailed(running, t, '/large');
    t.ok(long.isWhole && long.body.equals(large));
    t.same(plain(long.trailers), { 'x-sum': '8' });
    t.match(await trailed(running, t, '/empty'), { isWhole: true, trailers: { 'x-sum': '9' } });
    t.match(await trailed(running, t, '/none'), { isWhole: true, trailers: undefined });
    const refused = await trailed(running, t, '/refused');
    t.match(refused, { isWhole: true, trailers: undefined, body: Buffer.from('abc') });
    t.equal(http2Figures(running).streams.open, 0);
  });
}

t.test('END_STREAM is in the trailers, and nowhere else', async (t) => {
  const running = await answering(t, {
    '/': [`${head}\r\n`, chunk('abc'), '0\r\nX-Sum: 7\r\n\r\n'],
    '/empty': [`${head}\r\n0\r\nX-Sum: 9\r\n\r\n`],
  });
  const raw = await RawSession.open(t, running);
  raw.get(1, '/');
  raw.get(3, '/empty');
  for (const stream of [1, 3]) {
    await raw.end(stream);
    const frames = raw.frames.filter((frame) => frame.stream === stream);
    const ends = frames.filter(({ flags }) => (flags & flag.endStream) !== 0);
    t.equal(ends.length, 1);
    t.equal(frames.filter(({ type: of }) => of === type.headers).length, 2);
    t.equal(ends[0], frames.at(-1));
    t.equal(ends[0]?.type, type.headers);
  }
});

t.test('as many and as long as may be, and more', async (t) => {
  const lines = (count: number, bytes: number) =>
    Array.from({ length: count }, (_, i) => `X-${i}: ${'v'.repeat(bytes)}\r\n`).join('');
  const section = (text: string) => [`${head}\r\n`, chunk('abc'), `0\r\n${text}\r\n`];
  const running = await answering(t, {
    '/many': section(lines(64, 100)),
    '/too-many': section(lines(65, 1)),
    '/too-long': section(lines(3, 4_000)),
    '/no-fields': section('no field\r\n'),
  });
  const many = await trailed(running, t, '/many');
  t.ok(many.isWhole);
  t.equal(Object.keys(many.trailers ?? {}).length, 64);
  for (const path of ['/too-many', '/too-long', '/no-fields']) {
    const cut = await trailed(running, t, path);
    const isReset = !cut.isWhole && cut.code === codes.internalError;
    t.ok(cut.status === 502 || isReset, path);
  }
});

t.test('trailers that wait for a window, and a client that leaves meanwhile', async (t) => {
  const running = await answering(t, {
    '/': [`${head}\r\n`, chunk(large), '0\r\nX-Sum: 7\r\n\r\n'],
  });
  const raw = await RawSession.open(t, running);
  raw.get(1, '/');
  raw.get(3, '/');
  await raw.wait((frame) => frame.type === type.data);
  raw.send(frame(type.reset, 0, 3, u32(codes.cancel)));
  raw.openWindows();
  t.ok((await raw.end(1)).equals(large));
  t.equal(
    raw.frames.filter(({ stream, type: of }) => stream === 1 && of === type.headers).length,
    2,
  );
  raw.send(frame(type.ping, 0, 0, Buffer.alloc(8)));
  await raw.wait((frame) => frame.type === type.ping);
  t.equal(http2Figures(running).streams.open, 0);
});

t.test('over HTTP/1.1 to who takes them', async (t) => {
  const sum = ['0\r\nX-Sum: 7\r\nSet-Cookie: a=b\r\n\r\n'];
  const running = await answering(t, {
    '/': [`${head}Trailer: X-Sum\r\n\r\n`, chunk('abc'), ...sum],
    '/full': [`${head}\r\n`, chunk('x'.repeat(16_360)), `0\r\nX-Sum: ${'7'.repeat(8_000)}\r\n\r\n`],
  });
  const takes = { TE: 'trailers', Connection: 'TE, close' };
  const taken = await overHttp1(running, '/', takes);
  t.same({ ...taken.trailers }, { 'x-sum': '7' });
  t.match(taken, { body: 'abc', announced: 'X-Sum' });
  t.match(running.asked[0], /\r\nTE: trailers\r\nConnection: TE\r\n/);
  for (const headers of [{ Connection: 'close' }, { TE: 'trailers', Connection: 'close' }]) {
    const without = await overHttp1(running, '/', headers);
    t.same({ ...without.trailers }, {});
    t.match(without, { body: 'abc', announced: undefined });
    t.notMatch(running.asked.at(-1), /\r\n(TE|Connection):/i);
  }
  const full = await overHttp1(running, '/full', takes);
  t.same({ ...full.trailers }, { 'x-sum': '7'.repeat(8_000) }, 'where no room is left for them');
  t.equal(full.body.length, 16_360);
});

t.test('interim responses: each once, in their order, before the final one', async (t) => {
  const hints = (n: number) =>
    `HTTP/1.1 103 Early Hints\r\nLink: </${n}.css>\r\nConnection: x\r\nX: y\r\n\r\n`;
  const final = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  const sixteen = Array.from({ length: 16 }, (_, n) => hints(n)).join('');
  const running = await answering(t, {
    '/': [`HTTP/1.1 102 Processing\r\n\r\n${hints(1)}${hints(2)}${final}`],
    '/bounds': [sixteen + final],
    '/more': [sixteen + hints(17) + final],
  });
  const told = async (path: string) => {
    const stream = (await openSession(t, running)).request({ ':path': path });
    const interim: IncomingHttpHeaders[] = [];
    stream.on('headers', (headers) => interim.push(plain(headers)));
    const { status, body } = await answerOf(stream);
    return { status, body: body.toString(), interim };
  };
  t.same(await told('/'), {
    status: 200,
    body: 'ok',
    interim: [
      { ':status': 102 },
      { ':status': 103, link: '</1.css>' },
      { ':status': 103, link: '</2.css>' },
    ],
  });
  const bounds = await told('/bounds');
  t.match(bounds, { status: 200, body: 'ok' });
  t.equal(bounds.interim.length, 16);
  t.equal((await told('/more')).status, 502);
});

t.test('interim responses of many streams, to a client that reads late', async (t) => {
  const hint = `HTTP/1.1 103 Early Hints\r\nLink: ${'x'.repeat(16_000)}\r\n\r\n`;
  const running = await answering(t, {
    '/': [hint.repeat(16), 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  });
  const raw = await RawSession.open(t, running);
  raw.socket.pause();
  for (let id = 1; id < 16; id += 2) raw.get(id, '/');
  raw.socket.resume();
  for (let id = 1; id < 16; id += 2) {
    t.equal((await raw.end(id)).toString(), 'ok');
    const heads = raw.frames.filter(({ stream, type: of }) => stream === id && of === type.headers);
    t.equal(heads.length, 17, 'sixteen, and the final one');
  }
});

t.test("Node's own application and client", async (t) => {
  const server = createServer((_, response) => {
    response.writeHead(200, { Trailer: 'x-digest' });
    response.write('abc');
    response.addTrailers({ 'x-digest': 'd' });
    response.end();
  });
  const running = await startHttp2(
    t,
    {},
    { site: siteWith([proxyRoute(await listen(t, server))]) },
  );
  t.match(await trailed(running, t, '/'), { isWhole: true, trailers: { 'x-digest': 'd' } });
  t.equal((await ask(await openSession(t, running))).body.toString(), 'abc');
});
