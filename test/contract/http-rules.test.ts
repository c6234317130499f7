// SPDX-License-Identifier: Apache-2.0
// The rules of RFC 9110 and 9112 for static content, one row each, over the real addon: the request
// as bytes, and what has to be in the answer. Every row names its section.

import { randomBytes } from 'node:crypto';
import t from 'tap';
import { connectRaw, get, readToEnd, startService } from './service.js';

const content = randomBytes(200_000);
const files = { 'index.html': '<p>hello</p>', 'a.bin': content, 'b c.txt': 'spaced' };

interface Row {
  rule: string;
  /** The request line without the version. */
  ask: string;
  fields?: string;
  status: number;
  has?: RegExp;
  hasNot?: RegExp;
  body?: string;
}

const rows: Row[] = [
  { rule: '9112 3.2.1 origin-form', ask: 'GET /', status: 200, body: '<p>hello</p>' },
  { rule: '9112 3.2.2 absolute-form', ask: 'GET https://else/', status: 200, has: /text\/html/ },
  { rule: '9112 3.2.2 absolute-form, http', ask: 'GET http://localhost', status: 200 },
  { rule: '9112 3.2.3 authority-form', ask: 'CONNECT localhost:443', status: 405 },
  { rule: '9112 3.2.4 asterisk-form', ask: 'OPTIONS *', status: 204, has: /Allow: GET, HEAD, OPT/ },
  { rule: '9112 3.2.4 for OPTIONS alone', ask: 'GET *', status: 400 },
  { rule: '9110 9.3.2 HEAD', ask: 'HEAD /a.bin', status: 200, has: /Length: 200000\r/, body: '' },
  { rule: '9110 9.3.7 OPTIONS', ask: 'OPTIONS /a.bin', status: 204, has: /Allow: GET, HEAD, OPT/ },
  { rule: '9110 9.3.7 OPTIONS', ask: 'OPTIONS /../x', status: 400 },
  {
    rule: '9110 8.6 no length with 204',
    ask: 'OPTIONS /',
    status: 204,
    hasNot: /\nContent-/,
  },
  { rule: '9110 15.5.6, 10.2.1', ask: 'POST /', status: 405, has: /Allow: GET, HEAD, OPTIONS\r/ },
  { rule: '9110 9.3.8 TRACE', ask: 'TRACE /', status: 405, hasNot: /message\/http/ },
  { rule: '9110 15.6.2', ask: 'BREW /', status: 501, hasNot: /Allow/ },
  { rule: '9110 9.1 case-sensitive', ask: 'get /', status: 501 },
  {
    rule: '9110 6.6.1 Date',
    ask: 'GET /',
    status: 200,
    has: /Date: \w{3}, \d\d \w{3} \d{4} .* GMT/,
  },
  { rule: '9110 6.6.1 Date', ask: 'GET /none', status: 404, has: /Date: / },
  { rule: '9110 10.2.4 no version told', ask: 'GET /', status: 200, hasNot: /Server: / },
  { rule: '3986 2.1 percent', ask: 'GET /b%20%63.txt', status: 200, body: 'spaced' },
  { rule: '3986 2.4 decoded once', ask: 'GET /b%2520c.txt', status: 404 },
  { rule: '3986 5.2.4 dots', ask: 'GET /x/../b%20c.txt', status: 200 },
  { rule: '3986 6.2.2.2 encoded dots', ask: 'GET /x/%2e%2E/b%20c.txt', status: 200 },
  { rule: '3986 5.2.4 above the root', ask: 'GET /%2e%2e/b', status: 400 },
  {
    rule: '9110 14.2 one range',
    ask: 'GET /a.bin',
    fields: 'Range: bytes=5-8',
    status: 206,
    has: /Content-Range: bytes 5-8\/200000\r/,
  },
  {
    rule: '9110 14.2 Range is for GET',
    ask: 'HEAD /a.bin',
    fields: 'Range: bytes=5-8',
    status: 200,
    has: /Content-Length: 200000\r/,
  },
  {
    rule: '9110 15.3.7.2 several ranges',
    ask: 'GET /a.bin',
    fields: 'Range: bytes=0-0,1000-1000',
    status: 206,
    has: /Content-Type: multipart\/byteranges; boundary=[0-9a-f]{32}\r/,
    hasNot: /Content-Range/,
  },
  {
    rule: '9110 15.3.7.2 one is left',
    ask: 'GET /a.bin',
    fields: 'Range: bytes=0-0,0-9,200000-',
    status: 206,
    has: /Content-Range: bytes 0-9\/200000\r/,
  },
  {
    rule: '9110 15.5.17',
    ask: 'GET /a.bin',
    fields: 'Range: bytes=200000-,-0',
    status: 416,
    has: /Content-Range: bytes \*\/200000\r/,
  },
  {
    rule: '9110 14.2 too many ranges',
    ask: 'GET /a.bin',
    fields: `Range: bytes=${Array.from({ length: 17 }, (_, i) => `${i * 999}-${i * 999}`).join()}`,
    status: 200,
  },
  {
    rule: '9110 13.1.5 If-Range',
    ask: 'GET /a.bin',
    fields: 'Range: bytes=5-8\r\nIf-Range: "x"',
    status: 200,
  },
  {
    rule: '9110 13.1.4 If-Unmodified-Since proves nothing of a part',
    ask: 'GET /a.bin',
    fields: 'Range: bytes=5-8\r\nIf-Unmodified-Since: Fri, 01 Jan 2100 00:00:00 GMT',
    status: 200,
  },
  {
    rule: '9110 5.3 lines of a list',
    ask: 'GET /a.bin',
    fields: 'If-None-Match: "x"\r\nA: b\r\nIf-None-Match: "y", "z"\r\nRange: bytes=0-1',
    status: 206,
  },
  {
    rule: '9110 13.2.2 If-Match before all',
    ask: 'GET /a.bin',
    fields: 'If-Match: "x"\r\nIf-None-Match: *\r\nRange: bytes=0-1',
    status: 412,
  },
  {
    rule: '9110 13.2.2 If-None-Match before Range',
    ask: 'GET /a.bin',
    fields: 'If-None-Match: *\r\nRange: bytes=0-1',
    status: 304,
    hasNot: /\nContent-/,
  },
  {
    rule: '9110 13.1.4',
    ask: 'GET /a.bin',
    fields: 'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:01 GMT',
    status: 412,
  },
  {
    rule: '9110 13.2.1 not where the answer is an error',
    ask: 'GET /none',
    fields: 'If-None-Match: *\r\nIf-Match: "x"',
    status: 404,
  },
];

for (const tlsOffload of ['auto', 'off'] as const) {
  t.test(`rules, kernel TLS ${tlsOffload}`, async (t) => {
    const running = await startService(t, files, { tlsOffload });
    for (const { rule, ask, fields, status, has, hasNot, body } of rows) {
      const socket = await connectRaw(running);
      const received = readToEnd(socket);
      const more = fields === undefined ? '' : `${fields}\r\n`;
      socket.write(`${ask} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${more}\r\n`);
      const text = (await received).toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      const head = text.slice(0, end + 2);
      const label = `${rule}: ${ask} ${fields ?? ''}`;
      t.equal(Number(head.slice(9, 12)), status, label);
      if (has !== undefined) t.match(head, has, label);
      if (hasNot !== undefined) t.notMatch(head, hasNot, label);
      if (body !== undefined) t.equal(text.slice(end + 4), body, label);
      const length = /Content-Length: (\d+)/.exec(head)?.[1];
      if (length !== undefined && status !== 304 && !ask.startsWith('HEAD')) {
        t.equal(text.length - end - 4, Number(length), `${label}: the length promised is sent`);
      }
      socket.destroy();
    }
  });
}

t.test('several ranges are parts with their own bytes (RFC 9110 14.6)', async (t) => {
  const running = await startService(t, files);
  const wanted: [number, number][] = [
    [150_000, 199_999],
    [0, 99_999],
  ];
  const Range = `bytes=${wanted.map(([first, last]) => `${first}-${last}`).join(', ')}`;
  const answer = await get(running, { path: '/a.bin', headers: { Range } });
  t.equal(answer.status, 206);
  const boundary = /boundary=(\w+)/.exec(String(answer.headers['content-type']))?.[1] ?? '';
  const expected = wanted.map(([first, last], index) =>
    Buffer.concat([
      Buffer.from(`${index === 0 ? '' : '\r\n'}--${boundary}\r\n`),
      Buffer.from('Content-Type: application/octet-stream\r\n'),
      Buffer.from(`Content-Range: bytes ${first}-${last}/200000\r\n\r\n`),
      content.subarray(first, last + 1),
    ]),
  );
  const body = Buffer.concat([...expected, Buffer.from(`\r\n--${boundary}--\r\n`)]);
  t.ok(answer.body.equals(body));
  const again = await get(running, { path: '/a.bin', headers: { Range } });
  t.notSame(again.headers['content-type'], answer.headers['content-type'], 'no boundary twice');
});
