// SPDX-License-Identifier: Apache-2.0
// PUT of an upload over HTTP/2: what test/contract/upload.test.ts has for HTTP/1.1, and what streams
// add: they are reset alone, end by END_STREAM, and the connection goes on.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { join } from 'node:path';
import t from 'tap';
import type { ServiceOptions } from '../../src/engine/native.js';
import {
  answerOf,
  ask,
  codes,
  fieldBlock,
  flag,
  frame,
  type Http2Answer,
  http2Figures,
  offloads,
  openSession,
  RawSession,
  requestFields,
  startHttp2,
  type,
} from './http2.js';
import type { Running } from './service.js';
import { Part, put, rangeOf, sha256 } from './uploads.js';

const mib = 1024 * 1024;
const files = { 'index.html': 'hello' };
const modes: [string, Partial<ServiceOptions>][] = [...offloads, ['epoll', { ring: 'epoll' }]];

function begin(
  session: ClientHttp2Session,
  part: Part,
  length: number,
  more: Record<string, string> = {},
): ClientHttp2Stream {
  return session.request({
    ':method': 'PUT',
    ':path': part.target,
    'content-length': String(length),
    ...more,
  });
}

/** A connection that is open already may be read before the engine has heard of a new upload. */
async function announced(session: ClientHttp2Session, part: Part): Promise<Part> {
  const head = { ':method': 'HEAD', ':path': part.target };
  while ((await ask(session, head)).status !== 204) {}
  return part;
}

function send(
  session: ClientHttp2Session,
  part: Part,
  body: Buffer,
  more: Record<string, string> = {},
): Promise<Http2Answer> {
  const stream = begin(session, part, body.length, more);
  stream.end(body);
  return answerOf(stream);
}

const range = (first: number, bytes: number, length: number | '*') => ({
  'content-range': `bytes ${first}-${first + bytes - 1}/${length}`,
});

/** The request of a raw session, whose frames of DATA are up to the test. */
function putHead(part: Part, length: number): Buffer {
  const [, ...others] = requestFields(part.target, [['content-length', String(length)]]);
  const block = fieldBlock([[':method', 'PUT'], ...others]);
  return frame(type.headers, flag.endHeaders, 1, block);
}

for (const [name, change] of modes) {
  t.test(`whole, of every size, ${name}`, async (t) => {
    const running = await startHttp2(t, files, change);
    const session = await openSession(t, running);
    for (const size of [0, 1, 16_384, 65_535, 65_536, 262_145, mib, 30 * mib]) {
      const body = randomBytes(size);
      const part = await announced(session, new Part(running, size));
      const [answer, digest] = await Promise.all([send(session, part, body), part.conclude()]);
      t.match(answer, { status: 200, isWhole: true }, `${size} bytes`);
      t.equal(answer.headers['upload-offset'], String(size));
      t.same(JSON.parse(answer.body.toString()), { sha256: sha256(body) });
      t.equal(digest, sha256(body));
      t.ok(part.content.equals(body), 'the file has them');
      t.ok(part.upload.close());
    }
    t.equal((await ask(session)).status, 200, 'all over one connection');
    t.equal(http2Figures(running).connections, 1);
  });

  t.test(`cut and resumed until it is whole, ${name}`, async (t) => {
    const running = await startHttp2(t, files, change);
    const body = randomBytes(6 * mib + 3); // More than all cuts can bring.
    const part = new Part(running, body.length);
    let session = await openSession(t, running);
    let cuts = 0;
    for (let offset = 0; offset < 3 * mib; cuts += 1) {
      const head = await ask(session, { ':method': 'HEAD', ':path': part.target });
      t.equal(head.status, 204);
      t.equal(Number(head.headers['upload-offset']), offset);
      const rest = body.subarray(offset);
      const stream = begin(session, part, rest.length, range(offset, rest.length, body.length));
      const closed = answerOf(stream);
      stream.write(rest.subarray(0, mib));
      await part.until((now) => now.offset >= offset + mib / 2);
      if (cuts % 2 === 0) {
        stream.close(codes.cancel);
        await closed;
      } else {
        session.destroy();
        session = await openSession(t, running);
      }
      const now = await part.until(({ isReceiving }) => !isReceiving);
      t.notOk(now.hasPartEnded, 'it was cut');
      t.equal(now.sha256, '', 'and is not complete');
      ({ offset } = now);
      t.ok(part.content.equals(body.subarray(0, offset)));
    }
    t.ok(cuts >= 3, `${cuts} cuts`);
    t.equal(
      JSON.parse(running.service.stats()).overdue.stall,
      0,
      'a client that is gone is not waited for',
    );
    // What one protocol has begun the other may end.
    const { offset } = part.upload.snapshot();
    const piece = body.subarray(offset, offset + 1000);
    const answer = await put(running, part.target, piece, {
      'Content-Range': rangeOf(offset, piece.length, body.length),
    });
    t.equal(answer.status, 202);
    const rest = body.subarray(offset + 1000);
    const [end] = await Promise.all([
      send(session, part, rest, range(offset + 1000, rest.length, '*')),
      part.conclude(),
    ]);
    t.equal(end.status, 200);
    t.ok(part.content.equals(body));
    part.upload.close();
  });
}

t.test('what is refused, and in which words; the connection goes on', async (t) => {
  const running = await startHttp2(t, files);
  const session = await openSession(t, running);
  const part = await announced(session, new Part(running, 1000, Buffer.alloc(100, 'a')));
  const other = (target: string) => ({ ':path': target });
  const rows: [string, Record<string, string>, number | undefined, number, RegExp][] = [
    ['not where it goes on', {}, 1000, 409, /number 100 /],
    ['behind the offset', range(101, 10, 1000), 10, 409, /see Upload-Offset/],
    ['too long', {}, 1001, 413, /1000 bytes that were announced/],
    ['another length', range(100, 10, 2000), 10, 400, /1000 bytes in all/],
    ['not as long', range(100, 10, 1000), 9, 400, /different/],
    ['without a length', {}, undefined, 411, /with Content-Length/],
    ['unknown', other(`${part.target}x`), 10, 404, /no such upload/],
    ['much, of one that is unknown', other(`${part.target}x`), 200_000, 404, /no such upload/],
    ['POST', { ':method': 'POST' }, 5, 405, /405/],
    ['GET', { ':method': 'GET' }, 0, 405, /405/],
  ];
  for (const [what, headers, length, status, words] of rows) {
    const asked = { ':method': 'PUT', ':path': part.target, ...headers };
    const sized = length === undefined ? asked : { 'content-length': String(length), ...asked };
    const answer = await ask(session, sized, length === 0 ? undefined : Buffer.alloc(length ?? 10));
    t.equal(answer.status, status, what);
    t.match(answer.body.toString(), words, what);
  }
  const options = await ask(session, { ':method': 'OPTIONS', ':path': part.target });
  t.match(options, { status: 204, headers: { allow: 'HEAD, PUT, OPTIONS' } });
  t.equal(part.upload.snapshot().offset, 100, 'nothing was written');
  t.equal((await ask(session)).status, 200);
  t.equal(http2Figures(running).connections, 1);
  part.upload.close();
});

t.test('a body is asked for only when it is taken (Expect: 100-continue)', async (t) => {
  const running = await startHttp2(t, files);
  const session = await openSession(t, running);
  const body = randomBytes(70_000);
  const part = await announced(session, new Part(running, body.length));
  const expect = { expect: '100-continue' };
  const refused = begin(session, part, body.length, { ...expect, ':path': `${part.target}x` });
  refused.on('continue', () => t.fail('it is not wanted'));
  t.equal((await answerOf(refused)).status, 404);
  const taken = begin(session, part, body.length, expect);
  const answer = answerOf(taken);
  await new Promise((resolve) => taken.once('continue', resolve));
  void taken.end(body);
  await part.conclude();
  t.equal((await answer).status, 200);
  t.ok(part.content.equals(body));
  part.upload.close();
});

t.test('DATA that is more or less than Content-Length never makes it complete', async (t) => {
  const running = await startHttp2(t, files);
  const rows: [string, Buffer[]][] = [
    ['less', [frame(type.data, flag.endStream, 1, Buffer.alloc(999, 'a'))]],
    ['more', [frame(type.data, flag.endStream, 1, Buffer.alloc(1001, 'a'))]],
    [
      'more, behind all',
      [
        frame(type.data, 0, 1, Buffer.alloc(1000, 'a')),
        frame(type.data, flag.endStream, 1, Buffer.alloc(1)),
      ],
    ],
  ];
  for (const [what, data] of rows) {
    const part = new Part(running, 1000);
    const raw = await RawSession.open(t, running);
    raw.send(putHead(part, 1000), ...data);
    t.equal(await raw.reset(1), codes.protocolError, what);
    raw.get(3, '/');
    t.equal((await raw.end(3)).toString(), 'hello', 'the connection goes on');
    t.notOk(raw.frames.some(({ type: of, stream }) => of === type.headers && stream === 1));
    const now = await part.until(({ isReceiving }) => !isReceiving);
    t.notOk(now.hasPartEnded);
    part.upload.close();
  }
});

t.test('all bytes are there, and their end is not: it waits', async (t) => {
  const running = await startHttp2(t, files);
  const part = new Part(running, 1000);
  const raw = await RawSession.open(t, running);
  raw.send(putHead(part, 1000), frame(type.data, 0, 1, Buffer.alloc(1000, 'a')));
  t.ok(await part.until(({ offset }) => offset === 1000));
  t.ok(part.upload.snapshot().isReceiving);
  raw.send(frame(type.data, flag.endStream, 1));
  await part.conclude();
  t.match((await raw.end(1)).toString(), /sha256/);
  part.upload.close();
});

t.test('two at once over one connection: the second is told so', async (t) => {
  const running = await startHttp2(t, files);
  const session = await openSession(t, running);
  const body = randomBytes(50_000);
  const part = await announced(session, new Part(running, body.length));
  const first = begin(session, part, body.length);
  const answer = answerOf(first);
  first.write(body.subarray(0, 20_000));
  await part.until(({ offset }) => offset === 20_000);
  const refused = await send(session, part, body);
  t.match(refused, { status: 409, headers: { 'retry-after': '5' } });
  t.match(refused.body.toString(), /another connection sends this upload/);
  first.end(body.subarray(20_000));
  await part.conclude();
  t.equal((await answer).status, 200);
  t.ok(part.content.equals(body));
  part.upload.close();
});

t.test('a client that stalls is told so, what it sent is kept, the connection too', async (t) => {
  const running = await startHttp2(t, files, { stallTimeoutMs: 300 });
  const session = await openSession(t, running);
  const part = await announced(session, new Part(running, 50_000));
  const stream = begin(session, part, 50_000);
  stream.write(randomBytes(20_000));
  const answer = await answerOf(stream);
  t.match(answer, { status: 408, headers: { 'upload-offset': '20000' } });
  t.equal(JSON.parse(running.service.stats()).overdue.stall, 1);
  t.equal((await ask(session)).status, 200);
  part.upload.close();
});

t.test('a stop ends it at once, and what came is kept', async (t) => {
  const running = await startHttp2(t, files);
  const session = await openSession(t, running);
  const part = await announced(session, new Part(running, 50_000));
  const stream = begin(session, part, 50_000);
  stream.write(randomBytes(20_000));
  await part.until(({ offset }) => offset === 20_000);
  const answer = answerOf(stream);
  running.service.stop(20_000);
  t.match(await answer, { status: 503, headers: { 'upload-offset': '20000' } });
  const { aborted } = await running.events.wait('stopped');
  t.equal(aborted, 0);
  part.upload.close();
});

t.test('other streams go on beside it', async (t) => {
  const running = await startHttp2(t, files);
  // Node's client opens no stream while it has more of its own to send.
  const session = await openSession(t, running, { maxSessionMemory: 100 });
  const body = randomBytes(30 * mib);
  const part = await announced(session, new Part(running, body.length));
  const upload = Promise.all([send(session, part, body), part.conclude()]);
  for (let i = 0; i < 20; i += 1) t.equal((await ask(session)).status, 200);
  t.equal((await upload)[0].status, 200);
  t.ok(part.content.equals(body));
  part.upload.close();
});

t.test('curl', async (t) => {
  const running: Running = await startHttp2(t, files);
  const body = randomBytes(3 * mib);
  const path = join(running.root, 'bundle');
  writeFileSync(path, body);
  const part = new Part(running, body.length, body.subarray(0, mib));
  const url = `https://127.0.0.1:${running.port}${part.target}`;
  const shown = ['-o', '/dev/null', '-w', '%{http_version} %{http_code}'];
  const resumed = ['-C', String(mib), '-T', path];
  const more = ['-sk', '--max-time', '60', '--http2', ...shown];
  const whole = execFileSync('curl', [...more, '-T', path, url]);
  t.equal(String(whole), '2 409', 'it begins where it has ended');
  // All is there, and what it is worth is asked for again.
  part.upload.conclude(200, '{}');
  t.equal(String(execFileSync('curl', [...more, ...resumed, url])), '2 200');
  t.ok(part.content.equals(body));
  part.upload.close();
});
