// SPDX-License-Identifier: Apache-2.0
// How requests are framed, over the real addon: bodies that no route takes are discarded and the
// next request is found behind them; what two parsers could read differently (request smuggling) is
// refused, and the connection ends. Each row names its rule.

import t, { type Test } from 'tap';
import { connectRaw, type Running, readToEnd, startService } from './service.js';

const files = { 'index.html': '<p>hello</p>' };
const canary = 'GET /smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const chunked = 'Transfer-Encoding: chunked\r\n';
const get = (fields: string, version = '1.1') =>
  `GET / HTTP/${version}\r\nHost: a\r\n${fields}\r\n`;

/** The statuses of all answers, and whether the last one said that it is the last. */
function statusesOf(text: string): { statuses: number[]; closes: boolean } {
  const heads = text.match(/HTTP\/1\.1 \d{3}.*?\r\n\r\n/gs) ?? [];
  return {
    statuses: heads.map((head) => Number(head.slice(9, 12))),
    closes: /\r\nConnection: close\r\n/.test(heads.at(-1) ?? ''),
  };
}

async function send(running: Running, text: string | Buffer): Promise<string> {
  const socket = await connectRaw(running);
  const received = readToEnd(socket);
  socket.write(text);
  const answer = (await received).toString();
  socket.destroy();
  return answer;
}

/** All rows at a time: the behaviour of each does not depend on the others. */
async function checkAll(t: Test, rows: [rule: string, request: string, statuses: number[]][]) {
  const running = await startService(t, files);
  for (const [rule, request, wanted] of rows) {
    const { statuses, closes } = statusesOf(await send(running, request));
    t.same(statuses, wanted, rule);
    t.ok(closes, `${rule}: the last answer says that the connection ends`);
  }
  const { drains } = JSON.parse(running.service.stats());
  t.equal(drains.aborted, 0, 'every client could read its answer');
}

t.test('bodies are discarded, and the next request is found behind them', (t) =>
  checkAll(t, [
    ['RFC 9112 6.2: Content-Length', `${get('Content-Length: 5\r\n')}hello${canary}`, [200, 404]],
    ['RFC 9112 6.2: zero', get('Content-Length: 0\r\n') + canary, [200, 404]],
    [
      'RFC 9112 7.1: chunks, extensions and trailers',
      `${get(chunked)}5;a="b"\r\nhello\r\n0\r\nX: y\r\n\r\n${canary}`,
      [200, 404],
    ],
    [
      'RFC 9110 9.3.3: also where the method is not allowed',
      `POST / HTTP/1.1\r\nHost: a\r\n${chunked}\r\n1\r\nx\r\n0\r\n\r\n${canary}`,
      [405, 404],
    ],
    [
      'RFC 9112 9.3.2: pipelined, in order',
      `${get('Content-Length: 3\r\n')}abc${get(chunked)}0\r\n\r\n${canary}`,
      [200, 200, 404],
    ],
    [
      'beyond the bound: one answer, then the end',
      get('Content-Length: 65537\r\n') + canary,
      [200],
    ],
    ['beyond the bound, chunked', `${get(chunked)}10001\r\n${canary}`, [200]],
    [
      'RFC 9110 10.1.1: a final status at once instead of 100',
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`,
      [405],
    ],
    [
      'RFC 9110 10.1.1: without a body there is nothing to wait for',
      get('Expect: 100-continue\r\n') + canary,
      [200, 404],
    ],
  ]),
);

t.test('ambiguous framing is refused, and what is behind it never becomes a request', (t) =>
  checkAll(t, [
    [
      'RFC 9112 6.3: both lengths',
      `${get(`Content-Length: 6\r\n${chunked}`)}0\r\n\r\n${canary}`,
      [400],
    ],
    [
      'RFC 9112 6.3: both, the other way round',
      `${get(`${chunked}Content-Length: 6\r\n`)}0\r\n\r\n${canary}`,
      [400],
    ],
    [
      'RFC 9112 6.3: two lengths that differ',
      get('Content-Length: 0\r\nContent-Length: 5\r\n') + canary,
      [400],
    ],
    [
      'RFC 9112 6.3: two equal lengths',
      get('Content-Length: 0\r\nContent-Length: 0\r\n') + canary,
      [400],
    ],
    ['RFC 9112 6.3: a list of lengths', get('Content-Length: 0, 0\r\n') + canary, [400]],
    ['RFC 9110 8.6: a length with a sign', get('Content-Length: +0\r\n') + canary, [400]],
    ['RFC 9110 8.6: a hexadecimal length', get('Content-Length: 0x0\r\n') + canary, [400]],
    ['RFC 9110 8.6: 2^64', get('Content-Length: 18446744073709551616\r\n') + canary, [400]],
    [
      'RFC 9112 6.1: an unknown coding before chunked',
      `${get('Transfer-Encoding: gzip, chunked\r\n')}0\r\n\r\n${canary}`,
      [501],
    ],
    [
      'RFC 9112 6.3: chunked is not the last',
      `${get('Transfer-Encoding: chunked, gzip\r\n')}0\r\n\r\n${canary}`,
      [400],
    ],
    ['RFC 9112 6.3: chunked is absent', get('Transfer-Encoding: identity\r\n') + canary, [400]],
    [
      'RFC 9112 7.1: chunked twice',
      `${get('Transfer-Encoding: chunked, chunked\r\n')}0\r\n\r\n${canary}`,
      [400],
    ],
    ['RFC 9112 6.1: two fields', `${get(chunked + chunked)}0\r\n\r\n${canary}`, [400]],
    [
      'RFC 9112 6.1: chunked and a vertical tab',
      get('Transfer-Encoding: \vchunked\r\n') + canary,
      [400],
    ],
    ['RFC 9112 6.1: in HTTP/1.0', `${get(chunked, '1.0')}0\r\n\r\n${canary}`, [400]],
    ['RFC 9112 5.1: space before the colon', get('Content-Length : 0\r\n') + canary, [400]],
    ['RFC 9112 5.2: folded', get('Content-Length:\r\n 0\r\n') + canary, [400]],
    [
      'RFC 9112 2.2: space before the first field',
      `GET / HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n${canary}`,
      [400],
    ],
    ['RFC 9112 2.2: bare LF', `GET / HTTP/1.1\nHost: a\n\n${canary}`, [400]],
    ['RFC 9112 2.2: bare LF behind a field', get('X: a\nContent-Length: 5\r\n') + canary, [400]],
    ['RFC 9112 2.2: bare CR', get('X: a\rContent-Length: 5\r\n') + canary, [400]],
    ['RFC 9110 5.5: NUL', get('X: \0\r\n') + canary, [400]],
    ['RFC 9112 7.1: a size in hexadecimal notation', `${get(chunked)}0x0\r\n\r\n${canary}`, [400]],
    ['RFC 9112 7.1: an empty size', `${get(chunked)}\r\n\r\n${canary}`, [400]],
    ['RFC 9112 7.1: a negative size', `${get(chunked)}-1\r\n\r\n${canary}`, [400]],
    ['RFC 9112 7.1: a size of 65 bits', `${get(chunked)}10000000000000000\r\n${canary}`, [400]],
    ['RFC 9112 7.1: a space behind the size', `${get(chunked)}0 \r\n\r\n${canary}`, [400]],
    ['RFC 9112 7.1: bare LF behind the size', `${get(chunked)}0\n\r\n${canary}`, [400]],
    ['RFC 9112 7.1: bare LF behind the data', `${get(chunked)}1\r\nx\n0\r\n\r\n${canary}`, [400]],
    [
      'RFC 9112 7.1: more data than the size says',
      `${get(chunked)}1\r\nxy\r\n0\r\n\r\n${canary}`,
      [400],
    ],
    ['RFC 9112 7.1.1: bare LF in an extension', `${get(chunked)}0;a\n\r\n${canary}`, [400]],
    ['RFC 9112 7.1.1: an extension without a name', `${get(chunked)}0;\r\n\r\n${canary}`, [400]],
    ['RFC 9112 7.1.1: an open quoted string', `${get(chunked)}0;a="\r\n\r\n${canary}`, [400]],
    ['RFC 9112 7.1.2: a folded trailer', `${get(chunked)}0\r\nX: y\r\n z\r\n\r\n${canary}`, [400]],
    ['RFC 9112 7.1.2: bare LF in the trailers', `${get(chunked)}0\r\nX: y\n\r\n${canary}`, [400]],
  ]),
);

t.test('a client that sends a huge body without a pause can read the answer', async (t) => {
  const running = await startService(t, files);
  const socket = await connectRaw(running);
  const received = readToEnd(socket);
  const bytes = 4_000_000;
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`);
  socket.end(Buffer.alloc(bytes, 'x'));
  t.same(statusesOf((await received).toString()), { statuses: [405], closes: true });
  socket.destroy();
});

t.test('a body that comes byte by byte is waited for, and no other client', async (t) => {
  const running = await startService(t, files);
  const socket = await connectRaw(running);
  const received = readToEnd(socket);
  socket.setNoDelay(true);
  for (const byte of `${get(chunked)}3\r\nabc\r\n0\r\n\r\n`) {
    socket.write(byte);
    t.same(statusesOf(await send(running, canary)).statuses, [404]);
  }
  socket.write(canary);
  t.same(statusesOf((await received).toString()).statuses, [200, 404]);
  socket.destroy();
});
