// SPDX-License-Identifier: Apache-2.0
// HTTP over the real addon by Node's own client: every status that a static server owes, with both
// rings and both protocol versions.

import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ServiceOptions } from '../../src/engine/native.js';
import { connectRaw, get, type Running, readToEnd, startService } from './service.js';

const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
// Not a multiple of a record or of a piece, and more than the sockets hold.
const large = randomBytes(5_000_011);
const files = {
  'index.html': '<p>hello</p>',
  'large.bin': large,
  'empty.txt': '',
  'a b.txt': 'ab',
};

async function plainAnswers(t: Test, running: Running): Promise<void> {
  const index = await get(running);
  t.equal(index.status, 200);
  t.equal(index.body.toString(), '<p>hello</p>');
  t.match(index.headers, {
    'content-length': '12',
    'content-type': /^text\/html/,
    etag: /^"[^"]+"$/,
    'last-modified': / GMT$/,
    date: / GMT$/,
  });
  t.equal((await get(running, { path: '/empty.txt' })).body.length, 0);
  t.equal((await get(running, { path: '/a%20b.txt?x=1' })).body.toString(), 'ab');
  const whole = await get(running, { path: '/large.bin' });
  t.equal(digest(whole.body), digest(large), 'a large body arrives whole');
}

async function conditions(t: Test, running: Running): Promise<void> {
  const { headers } = await get(running);
  const { etag, 'last-modified': modified } = headers as Record<string, string>;
  const cases: [Record<string, string>, number][] = [
    [{ 'If-None-Match': etag as string }, 304],
    [{ 'If-None-Match': `"x", ${etag}` }, 304],
    [{ 'If-None-Match': '*' }, 304],
    [{ 'If-None-Match': '"x"' }, 200],
    [{ 'If-Modified-Since': modified as string }, 200],
    [{ 'If-Modified-Since': 'Fri, 01 Jan 2100 00:00:00 GMT' }, 200],
    [{ 'If-None-Match': '"x"', 'If-Modified-Since': modified as string }, 200],
    [{ 'If-None-Match': etag as string, 'If-Modified-Since': 'x' }, 304],
  ];
  for (const [headers, status] of cases) {
    const answer = await get(running, { headers });
    t.equal(answer.status, status, JSON.stringify(headers));
    t.equal(answer.body.length, status === 304 ? 0 : 12);
  }
}

async function ranges(t: Test, running: Running): Promise<void> {
  const total = large.length;
  const cases: [string, number, number][] = [
    ['bytes=0-0', 0, 0],
    ['bytes=16384-1064959', 16_384, 1_064_959],
    ['bytes=4999999-', 4_999_999, total - 1],
    ['bytes=-10', total - 10, total - 1],
    [`bytes=0-${total * 2}`, 0, total - 1],
  ];
  for (const [range, first, last] of cases) {
    const answer = await get(running, { path: '/large.bin', headers: { Range: range } });
    t.equal(answer.status, 206, range);
    t.equal(answer.headers['content-range'], `bytes ${first}-${last}/${total}`);
    t.equal(digest(answer.body), digest(large.subarray(first, last + 1)), `${range}: the bytes`);
  }
  const beyond = { Range: `bytes=${total}-` };
  const refused = await get(running, { path: '/large.bin', headers: beyond });
  t.equal(refused.status, 416);
  t.equal(refused.headers['content-range'], `bytes */${total}`);
}

async function refusals(t: Test, running: Running): Promise<void> {
  const outside = join(running.root, '..', 'outside.txt');
  writeFileSync(outside, 'secret');
  symlinkSync(outside, join(running.root, 'link.txt'));
  mkdirSync(join(running.root, 'directory'));
  const absent = ['/absent', '/index.html/x', '/directory/absent', '/link.txt', '/empty.txt/'];
  for (const path of absent) {
    t.equal((await get(running, { path })).status, 404, path);
  }
  for (const path of ['/../outside.txt', '/%2e%2e/outside.txt', '/..%2foutside.txt', '/a%00b']) {
    const answer = await get(running, { path });
    t.ok(answer.status === 400 || answer.status === 404, `${path}: ${answer.status}`);
    t.notMatch(answer.body.toString(), 'secret');
  }
  for (const method of ['POST', 'PUT', 'DELETE']) {
    const answer = await get(running, { method, headers: { 'Content-Length': '0' } });
    t.equal(answer.status, 405, method);
    t.match(answer.headers.allow, /GET/);
  }
}

async function heads(t: Test, running: Running): Promise<void> {
  for (const path of ['/', '/large.bin', '/absent']) {
    const [head, whole] = [
      await get(running, { path, method: 'HEAD' }),
      await get(running, { path }),
    ];
    t.equal(head.status, whole.status, path);
    t.equal(head.body.length, 0);
    t.equal(head.headers['content-length'], whole.headers['content-length']);
    t.equal(head.headers.etag, whole.headers.etag);
  }
}

async function keepAlive(t: Test, running: Running): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const before = JSON.parse(running.service.stats()).connections.accepted;
  for (const path of ['/', '/large.bin', '/absent', '/']) await get(running, { path, agent });
  const after = JSON.parse(running.service.stats()).connections.accepted;
  t.equal(after - before, 1, 'one connection for four requests');
  agent.destroy();
}

async function pipelining(t: Test, running: Running): Promise<void> {
  const socket = await connectRaw(running);
  const host = 'Host: localhost\r\n';
  const requests = [
    `GET /a%20b.txt HTTP/1.1\r\n${host}\r\n`,
    `GET /large.bin HTTP/1.1\r\n${host}\r\n`,
    `HEAD /large.bin HTTP/1.1\r\n${host}\r\n`,
    `GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
  ];
  const received = readToEnd(socket);
  socket.write(requests.join(''));
  const bytes = await received;
  const bodies: Buffer[] = [];
  let rest = bytes;
  for (const isHead of [false, false, true, false]) {
    const end = rest.indexOf('\r\n\r\n');
    const head = rest.subarray(0, end).toString();
    t.match(head, /^HTTP\/1\.1 200 /);
    const length = isHead ? 0 : Number(/content-length: (\d+)/i.exec(head)?.[1]);
    bodies.push(rest.subarray(end + 4, end + 4 + length));
    rest = rest.subarray(end + 4 + length);
  }
  t.equal(rest.length, 0, 'nothing after the last answer');
  const [first = Buffer.of(), second = Buffer.of(), , last = Buffer.of()] = bodies;
  t.equal(first.toString(), 'ab');
  t.equal(digest(second), digest(large));
  t.equal(last.toString(), '<p>hello</p>');
  socket.destroy();
}

async function status(t: Test, running: Running): Promise<void> {
  const answer = await get(running, { path: '/.spliced/status' });
  t.equal(answer.status, 200);
  t.match(answer.headers['content-type'], /^application\/json/);
  t.match(answer.headers['cache-control'], /no-store/);
  const shape = (value: unknown): unknown =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shape(inner)]))
      : typeof value;
  const served = JSON.parse(answer.body.toString());
  const stats = JSON.parse(running.service.stats());
  t.same(Object.keys(served), Object.keys(stats), 'the same as stats()');
  t.match(shape(stats), {
    version: 'string',
    uptimeMs: 'number',
    ring: { backend: 'string', detail: 'string' },
    offload: { mode: 'string', kernel: 'string', promoted: Object, fallbacks: Object },
    connections: { accepted: 'number', shed: 'number', open: 'number', byState: Object },
    requests: { total: 'number', byStatus: { 200: 'number' } },
    bytes: { plaintextSent: 'number', spliced: 'number', received: 'number' },
    tls: { handshakes: { full: 'number', resumed: 'number' }, groups: Object, failures: Object },
    pending: { bytes: 'number', bytesMax: 'number', windowBytes: 'number', pauses: 'number' },
    drains: { drained: 'number', aborted: 'number', peerGone: 'number', inProgress: 'number' },
    files: { open: 'number', hits: 'number', misses: 'number', coldFills: 'number' },
  });
}

const lists = { plainAnswers, conditions, ranges, refusals, heads, keepAlive, pipelining, status };

for (const ring of ['auto', 'epoll'] as const) {
  for (const [name, list] of Object.entries(lists)) {
    t.test(`${name}, ring ${ring}`, async (t) => {
      const change: Partial<ServiceOptions> = { ring };
      await list(t, await startService(t, files, change));
    });
  }
}

t.test('TLS 1.2 and 1.3, and nothing older', async (t) => {
  const running = await startService(t, files);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const options = { path: '/large.bin', minVersion: version, maxVersion: version };
    const answer = await get(running, options);
    t.equal(answer.protocol, version);
    t.equal(digest(answer.body), digest(large), version);
  }
  const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' } as const;
  await t.rejects(get(running, old));
});

t.test('every cipher of TLS 1.2 and 1.3 that is offered', async (t) => {
  const running = await startService(t, files);
  const suites: [string, 'TLSv1.2' | 'TLSv1.3'][] = [
    ['TLS_AES_128_GCM_SHA256', 'TLSv1.3'],
    ['TLS_AES_256_GCM_SHA384', 'TLSv1.3'],
    ['TLS_CHACHA20_POLY1305_SHA256', 'TLSv1.3'],
    ['ECDHE-ECDSA-AES128-GCM-SHA256', 'TLSv1.2'],
    ['ECDHE-ECDSA-AES256-GCM-SHA384', 'TLSv1.2'],
    ['ECDHE-ECDSA-CHACHA20-POLY1305', 'TLSv1.2'],
  ];
  for (const [ciphers, version] of suites) {
    const options = { path: '/large.bin', ciphers, minVersion: version, maxVersion: version };
    t.equal(digest((await get(running, options)).body), digest(large), ciphers);
  }
});
