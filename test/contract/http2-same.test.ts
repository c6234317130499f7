// SPDX-License-Identifier: Apache-2.0
// The same request over HTTP/1.1 and HTTP/2, to one engine: the same status, fields and body. What is
// a connection's (Connection, Keep-Alive, Transfer-Encoding) and the moment (Date) are left out.

import { randomBytes } from 'node:crypto';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import t from 'tap';
import { ask, openSession, startHttp2 } from './http2.js';
import { get } from './service.js';

const script = 'console.log(1);\n'.repeat(500);
const large = randomBytes(200_003);
const modified = new Date(1_000_000_000_000).toUTCString();
const before = new Date(900_000_000_000).toUTCString();

interface Asked {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
}

const requests: Asked[] = [
  {},
  { method: 'HEAD' },
  { path: '/large.bin' },
  { method: 'HEAD', path: '/large.bin' },
  { path: '/empty.txt' },
  { method: 'HEAD', path: '/empty.txt' },
  { path: '/absent' },
  { method: 'HEAD', path: '/absent' },
  { path: '/index.html?a=b&c' },
  { path: '/app%2Ejs' },
  { path: '/directory' },
  { path: '/directory/' },
  { path: '/directory/index.html' },
  { path: '/../index.html' },
  { path: '/%2e%2e/index.html' },
  { path: '/..%2findex.html' },
  { path: '//index.html' },
  { path: '/%00' },
  { path: '/%zz' },
  { path: `/${'x'.repeat(5000)}` },
  { method: 'POST' },
  { method: 'PUT', path: '/new' },
  { method: 'DELETE', path: '/index.html' },
  { method: 'PATCH', path: '/absent' },
  { method: 'TRACE' },
  { method: 'OPTIONS' },
  { method: 'OPTIONS', path: '*' },
  { method: 'OPTIONS', path: '/absent' },
  { method: 'GET', path: '*' },
  { method: 'PROPFIND' },
  { headers: { range: 'bytes=0-3' } },
  { headers: { range: 'bytes=-3' } },
  { headers: { range: 'bytes=5-' } },
  { headers: { range: 'bytes=100-' } },
  { headers: { range: 'bytes=3-1' } },
  { headers: { range: 'lines=1-2' } },
  { headers: { range: 'bytes=0-0,5-6' } },
  { method: 'HEAD', headers: { range: 'bytes=0-3' } },
  { path: '/empty.txt', headers: { range: 'bytes=0-' } },
  { path: '/large.bin', headers: { range: 'bytes=0-9,100000-150000,-5' } },
  { headers: { 'if-none-match': '*' } },
  { method: 'HEAD', headers: { 'if-none-match': '*' } },
  { headers: { 'if-none-match': '"x", "y"' } },
  { headers: { 'if-match': '"x"' } },
  { headers: { 'if-match': '*' } },
  { headers: { 'if-modified-since': modified } },
  { headers: { 'if-modified-since': before } },
  { headers: { 'if-modified-since': 'yesterday' } },
  { headers: { 'if-unmodified-since': modified } },
  { headers: { 'if-unmodified-since': before } },
  { headers: { range: 'bytes=0-3', 'if-range': '"x"' } },
  { headers: { range: 'bytes=0-3', 'if-range': modified } },
  { path: '/absent', headers: { 'if-none-match': '*' } },
  { path: '/app.js', headers: { 'accept-encoding': 'br' } },
  { path: '/app.js', headers: { 'accept-encoding': 'gzip' } },
  { path: '/app.js', headers: { 'accept-encoding': 'gzip;q=0, br;q=0' } },
  { path: '/app.js', headers: { 'accept-encoding': 'br', range: 'bytes=1-9' } },
  { path: '/app.js', headers: { 'accept-encoding': 'identity;q=0' } },
  { method: 'HEAD', path: '/app.js', headers: { 'accept-encoding': 'br' } },
  { headers: { cookie: 'x'.repeat(9000) } },
  { headers: Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`x-${i}`, 'y'])) },
  { headers: { 'content-length': 'x' } },
  { headers: { expect: 'something' } },
  { headers: { 'x-empty': '' } },
];

const ofConnection = ['connection', 'keep-alive', 'transfer-encoding', 'date', ':status'];

/** A boundary of several ranges may be another one each time. */
function comparable(answer: { status: number; headers: object; body: Buffer }) {
  let { body } = answer;
  const fields: [string, string][] = [];
  const boundary = /boundary=([^;]+)/.exec(
    String(Reflect.get(answer.headers, 'content-type')),
  )?.[1];
  for (const [name, value] of Object.entries(answer.headers)) {
    if (ofConnection.includes(name)) continue;
    fields.push([name, boundary ? String(value).replaceAll(boundary, 'B') : String(value)]);
  }
  if (boundary) {
    body = Buffer.from(body.toString('latin1').replaceAll(boundary, 'B'), 'latin1');
  }
  return { status: answer.status, fields: fields.sort(), body: body.toString('base64') };
}

for (const tlsOffload of ['auto', 'off'] as const) {
  t.test(`the same over both, offload ${tlsOffload}`, async (t) => {
    const files = {
      'index.html': '<p>hello</p>',
      'empty.txt': '',
      'large.bin': large,
      'app.js': script,
      'app.js.br': brotliCompressSync(script),
      'app.js.gz': gzipSync(script),
    };
    const running = await startHttp2(t, files, { tlsOffload });
    mkdirSync(join(running.root, 'directory'));
    writeFileSync(join(running.root, 'directory', 'index.html'), 'inner');
    const all = [...Object.keys(files), 'directory/index.html'];
    for (const name of all) utimesSync(join(running.root, name), 1e9, 1e9);
    const session = await openSession(t, running);
    const { etag } = (await ask(session)).headers;
    const withEtag: Asked[] = [
      { headers: { 'if-none-match': `${etag}` } },
      { headers: { 'if-none-match': `W/${etag}` } },
      { headers: { 'if-match': `${etag}` } },
      { headers: { range: 'bytes=0-3', 'if-range': `${etag}` } },
    ];
    for (const { method = 'GET', path = '/', headers = {} } of [...requests, ...withEtag]) {
      const name = `${method} ${path.slice(0, 40)} ${JSON.stringify(headers).slice(0, 60)}`;
      const old = await get(running, { method, path, headers });
      const pseudo = { ':method': method, ':path': path };
      const answer = await ask(session, { ...pseudo, ...headers });
      if (answer.code !== 0 && old.status === 400) {
        t.equal(answer.status, 0, `${name}: 400, and malformed (8.1.1)`);
        continue;
      }
      t.same(comparable(answer), comparable(old), `${name}: ${old.status}`);
    }
  });
}
