// SPDX-License-Identifier: Apache-2.0
// Applications behind a proxy route that misbehave, each written byte by byte, over both rings: the
// client is told, nothing looks whole that is not, and the next request is served.

import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import {
  ask,
  listen,
  listenTcp,
  nodeApplication,
  proxyRoute,
  rawApplication,
  siteWith,
  upstreamsOf,
} from './proxy.js';
import { connectRaw, type Running, readToEnd, startService } from './service.js';

const timeouts = { connectTimeoutMs: 500, responseTimeoutMs: 500 };

/** After the head of a request. */
const onRequest = (socket: Socket, then: () => void): void => {
  let seen = '';
  const look = (data: Buffer): void => {
    seen += data.toString('latin1');
    if (!seen.includes('\r\n\r\n')) return;
    socket.off('data', look);
    then();
  };
  socket.on('data', look);
};

interface Bad {
  name: string;
  /** Answers to one request. */
  answers: (socket: Socket) => void;
  status: number;
  isWhole: boolean;
  reason: string;
}

const ok = 'HTTP/1.1 200 OK\r\n';
const says = (text: string) => (socket: Socket) => void socket.write(text);
const saysAndEnds = (text: string) => (socket: Socket) => void socket.end(text);

const bad: Bad[] = [
  {
    name: 'never answers',
    answers: () => {},
    status: 504,
    isWhole: true,
    reason: 'response_timeout',
  },
  {
    name: 'closes at once',
    answers: (socket) => socket.end(),
    status: 502,
    isWhole: true,
    reason: 'closed',
  },
  {
    name: 'resets in its head',
    answers: (socket) => socket.write(`${ok}Content-`, () => socket.destroy()),
    status: 502,
    isWhole: true,
    reason: 'closed',
  },
  {
    name: 'dies in the middle of its body',
    answers: saysAndEnds(`${ok}Content-Length: 100000\r\n\r\n${'x'.repeat(70_000)}`),
    status: 200,
    isWhole: false,
    reason: 'truncated',
  },
  {
    name: 'falls silent in the middle of its body',
    answers: says(`${ok}Content-Length: 100000\r\n\r\n${'x'.repeat(70_000)}`),
    status: 200,
    isWhole: false,
    reason: 'response_timeout',
  },
  {
    name: 'ends without the last chunk',
    answers: saysAndEnds(`${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`),
    status: 200,
    isWhole: false,
    reason: 'truncated',
  },
  {
    name: 'writes bad chunks',
    answers: says(`${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nsix\r\n`),
    status: 502,
    isWhole: true,
    reason: 'truncated',
  },
  {
    name: 'writes a chunk longer than it says',
    answers: says(`${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n`),
    status: 502,
    isWhole: true,
    reason: 'truncated',
  },
  {
    name: 'writes blanks behind the size of a chunk',
    answers: says(`${ok}Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n`),
    status: 502,
    isWhole: true,
    reason: 'truncated',
  },
  {
    name: 'has two framings',
    answers: says(`${ok}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n`),
    status: 502,
    isWhole: true,
    reason: 'bad_head',
  },
  {
    name: 'throws a bomb of header fields',
    answers: says(`${ok}${'A: b\r\n'.repeat(3000)}\r\n`),
    status: 502,
    isWhole: true,
    reason: 'bad_head',
  },
  {
    name: 'has a field that goes on for ever',
    answers: says(`${ok}A: ${'b'.repeat(200_000)}`),
    status: 502,
    isWhole: true,
    reason: 'bad_head',
  },
  {
    name: 'folds a field',
    answers: says(`${ok}A: b\r\n c\r\nContent-Length: 0\r\n\r\n`),
    status: 502,
    isWhole: true,
    reason: 'bad_head',
  },
  {
    name: 'ends its lines with LF',
    answers: says('HTTP/1.1 200 OK\nContent-Length: 0\n\n'),
    status: 502,
    isWhole: true,
    reason: 'bad_head',
  },
];

async function behind(
  t: Test,
  onConnection: (socket: Socket) => void,
  ring: 'auto' | 'epoll',
): Promise<Running> {
  const over = ring === 'auto' ? listen : listenTcp;
  const upstream = await over(t, rawApplication(t, onConnection));
  const site = siteWith([proxyRoute(upstream, timeouts)]);
  return startService(t, {}, ring === 'auto' ? { site } : { site, ring });
}

for (const ring of ['auto', 'epoll'] as const) {
  for (const { name, answers, status, isWhole, reason } of bad) {
    t.test(`an application that ${name}, ring ${ring}`, async (t) => {
      let isBad = true;
      const running = await behind(
        t,
        (socket) =>
          onRequest(socket, () => {
            if (isBad) answers(socket);
            else socket.end(`${ok}Content-Length: 4\r\nConnection: close\r\n\r\nfine`);
          }),
        ring,
      );
      const answer = await ask(running);
      // What is known to be broken at once may be cut before the head is out.
      const isCut = !isWhole && answer.status === 0;
      t.ok(answer.status === status || isCut, `status ${answer.status}`);
      t.equal(answer.isWhole, isWhole);
      t.equal(upstreamsOf(running).failures[reason], 1, reason);
      isBad = false;
      const next = await ask(running);
      t.match(next, { status: 200, isWhole: true });
      t.equal(String(next.body), 'fine');
    });
  }

  t.test(`more than was promised is not the next answer, ring ${ring}`, async (t) => {
    const running = await behind(
      t,
      (socket) =>
        onRequest(socket, () =>
          socket.write(`${ok}Content-Length: 2\r\n\r\nab${ok}Content-Length: 4\r\n\r\nevil`),
        ),
      ring,
    );
    for (let i = 0; i < 3; i += 1) t.equal(String((await ask(running)).body), 'ab');
    t.equal(upstreamsOf(running).reused, 0);
  });
}

t.test(
  'nobody listens: 503 with Retry-After, and a page for browsers that loads again',
  async (t) => {
    const site = siteWith([proxyRoute('unix:/nonexistent/app.sock')]);
    const running = await startService(t, {}, { site });
    const plain = await ask(running);
    t.match(plain, {
      status: 503,
      headers: { 'retry-after': '2', 'content-type': /^text\/plain/ },
    });
    const browser = await ask(running, { headers: { Accept: 'text/html,*/*;q=0.8' } });
    t.match(browser, { status: 503, headers: { 'content-type': /^text\/html/ } });
    t.match(String(browser.body), /http-equiv="refresh" content="2"/);
    const post = await ask(running, {
      method: 'POST',
      send: 'x',
      headers: { Accept: 'text/html' },
    });
    t.match(post, { status: 503, headers: { 'content-type': /^text\/plain/ } });
  },
);

t.test('a kept connection that the application has closed costs nobody an answer', async (t) => {
  const server = nodeApplication((_request, response) => response.end('here'));
  server.keepAliveTimeout = 1;
  const upstream = await listen(t, server);
  const running = await startService(t, {}, { site: siteWith([proxyRoute(upstream)]) });
  for (let i = 0; i < 200; i += 1) {
    const { status } = await ask(running);
    if (status !== 200) t.fail(`request ${i} got ${status}`);
  }
  t.equal(upstreamsOf(running).failures.closed, 0);
});

t.test('what a client smuggles stays in its own request', async (t) => {
  const seen: string[] = [];
  const server = nodeApplication((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    request.resume();
    request.on('end', () => response.end('ok'));
  });
  const upstream = await listen(t, server);
  const running = await startService(t, {}, { site: siteWith([proxyRoute(upstream)]) });
  const inner = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
  const head = 'POST /outer HTTP/1.1\r\nHost: a\r\n';
  const attempts = [
    `${head}Content-Length: ${inner.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
    `${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${inner}`,
    `${head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${inner}`,
    `${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${inner}`,
    `${head}Content-Length: 0\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
    `${head}Content-Length: +${inner.length}\r\n\r\n${inner}`,
    `${head}Transfer-Encoding: chunked\r\n\r\n5;\n\r\nhello\r\n0\r\n\r\n${inner}`,
    `${head}X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
  ];
  for (const attempt of attempts) {
    const socket = await connectRaw(running);
    socket.on('error', () => {});
    const all = readToEnd(socket).catch(() => Buffer.alloc(0));
    socket.write(attempt);
    t.match(String(await all), /^HTTP\/1.1 400 /, JSON.stringify(attempt.slice(34, 90)));
  }
  t.notOk(seen.includes('GET /smuggled'));
  const body = await ask(running, {
    method: 'POST',
    path: '/outer',
    send: inner,
    headers: { 'Content-Length': inner.length, Connection: 'content-length' },
  });
  t.equal(body.status, 200);
  t.notOk(seen.includes('GET /smuggled'), 'nor by a Connection field that names the length');
});
