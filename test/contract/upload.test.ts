// SPDX-License-Identifier: Apache-2.0
// PUT of an upload over the real addon: every byte arrives where it belongs, whatever the size and
// however often the connection is cut; what does not fit is refused in words.

import { randomBytes } from 'node:crypto';
import t from 'tap';
import type { ServiceOptions } from '../../src/engine/native.js';
import { connectRaw, get, type Running, readToEnd, startService } from './service.js';
import { beginPut, Part, put, rangeOf, sha256 } from './uploads.js';

const mib = 1024 * 1024;
const rings: ServiceOptions['ring'][] = ['auto', 'epoll'];
const statsOf = (running: Running) => JSON.parse(running.service.stats());

/** The service's answer to `PUT` as text, with its status line. */
async function answerTo(running: Running, text: string | Buffer): Promise<string> {
  const socket = await connectRaw(running);
  const received = readToEnd(socket);
  socket.write(text);
  const answer = (await received).toString();
  socket.destroy();
  return answer;
}

for (const ring of rings) {
  t.test(`${ring}: whole, of every size`, async (t) => {
    const running = await startService(t, {}, { ring });
    for (const size of [0, 1, 16_383, 16_384, 16_385, mib, 100 * mib]) {
      const body = randomBytes(size);
      const part = new Part(running, size);
      const [answer, digest] = await Promise.all([
        put(running, part.target, body),
        part.conclude(),
      ]);
      t.equal(answer.status, 200, `${size} bytes`);
      t.same(JSON.parse(answer.body.toString()), { sha256: sha256(body) });
      t.equal(digest, sha256(body));
      t.ok(part.content.equals(body), 'the file has them');
      const { offset, durable, isReceiving } = part.upload.snapshot();
      t.same({ offset, durable, isReceiving }, { offset: size, durable: size, isReceiving: false });
      t.ok(part.upload.close());
    }
    t.equal(statsOf(running).drains.aborted, 0);
  });

  t.test(`${ring}: cut and resumed until it is whole`, async (t) => {
    const running = await startService(t, {}, { ring });
    const body = randomBytes(5 * mib + 3);
    const part = new Part(running, body.length);
    let cuts = 0;
    for (let offset = 0; offset < 4 * mib; cuts += 1) {
      const head = await put(running, part.target, Buffer.alloc(0), {}, 'HEAD');
      t.equal(head.status, 204);
      t.equal(Number(head.headers['upload-offset']), offset);
      const rest = body.subarray(offset);
      const range = `Content-Range: ${rangeOf(offset, rest.length, body.length)}\r\n`;
      const socket = await connectRaw(running);
      socket.write(
        `PUT ${part.target} HTTP/1.1\r\nHost: a\r\nContent-Length: ${rest.length}\r\n${range}\r\n`,
      );
      socket.write(rest.subarray(0, mib));
      await part.until((now) => now.offset >= offset + mib / 2);
      socket.destroy();
      const now = await part.until(({ isReceiving }) => !isReceiving);
      t.notOk(now.hasPartEnded, 'its connection was cut');
      ({ offset } = now);
    }
    t.ok(cuts >= 3, `${cuts} cuts`);
    const { offset: resumed } = part.upload.snapshot();
    const one = body.subarray(resumed, resumed + 1000);
    await put(running, part.target, one, {
      'Content-Range': rangeOf(resumed, one.length, body.length),
    });
    const { hasPartEnded } = await part.until(({ isReceiving }) => !isReceiving);
    t.ok(hasPartEnded, 'a part that came whole is none that was cut');
    const { offset } = part.upload.snapshot();
    t.equal(offset, resumed + 1000);
    const rest = body.subarray(offset);
    const range = { 'Content-Range': rangeOf(offset, rest.length, body.length) };
    const [answer] = await Promise.all([put(running, part.target, rest, range), part.conclude()]);
    t.equal(answer.status, 200);
    t.ok(part.content.equals(body));
    part.upload.close();
  });
}

t.test(
  'goes on where an earlier run of the service ended, and hashes what was there',
  async (t) => {
    const running = await startService(t);
    const body = randomBytes(3 * mib);
    const part = new Part(running, body.length, body.subarray(0, mib + 1));
    const rest = body.subarray(mib + 1);
    const range = { 'Content-Range': rangeOf(mib + 1, rest.length, body.length) };
    const [answer] = await Promise.all([put(running, part.target, rest, range), part.conclude()]);
    t.same(JSON.parse(answer.body.toString()), { sha256: sha256(body) });
    t.ok(part.content.equals(body));

    const again = await put(running, part.target, Buffer.alloc(0));
    t.equal(again.status, 200, 'an empty PUT asks for the end again');
    part.upload.close();
  },
);

t.test('in pieces: 202 until the last one', async (t) => {
  const running = await startService(t);
  const body = randomBytes(100_000);
  const part = new Part(running, body.length);
  for (let offset = 0; offset < 90_000; offset += 30_000) {
    const piece = body.subarray(offset, offset + 30_000);
    const range = { 'Content-Range': rangeOf(offset, piece.length, body.length) };
    const answer = await put(running, part.target, piece, range);
    t.equal(answer.status, 202);
    t.equal(answer.headers['upload-offset'], String(offset + 30_000));
  }
  const last = { 'Content-Range': `bytes 90000-99999/*` };
  const [end] = await Promise.all([
    put(running, part.target, body.subarray(90_000), last),
    part.conclude(),
  ]);
  t.equal(end.status, 200);
  t.ok(part.content.equals(body));
  part.upload.close();
});

t.test('what is refused, and in which words', async (t) => {
  const running = await startService(t);
  const part = new Part(running, 1000, Buffer.alloc(100, 'a'));
  const head = (method: string, target: string, fields: string) =>
    `${method} ${target} HTTP/1.1\r\nHost: a\r\n${fields}Connection: close\r\n\r\n`;
  const sized = (bytes: number, range = '') =>
    `Content-Length: ${bytes}\r\n${range && `Content-Range: ${range}\r\n`}`;
  const rows: [what: string, request: string, status: number, words: RegExp][] = [
    ['not where it goes on', head('PUT', part.target, sized(1000)), 409, /number 100 /],
    [
      'behind the offset',
      head('PUT', part.target, sized(10, 'bytes 101-110/1000')),
      409,
      /Upload-Offset: 100\r\n/,
    ],
    ['too long', head('PUT', part.target, sized(1001)), 413, /1000 bytes that were announced/],
    ['too long behind', head('PUT', part.target, sized(2, 'bytes 999-1000/*')), 413, /beyond/],
    [
      'another length',
      head('PUT', part.target, sized(10, 'bytes 100-109/2000')),
      400,
      /1000 bytes in all/,
    ],
    ['not as long', head('PUT', part.target, sized(9, 'bytes 100-109/1000')), 400, /different/],
    ['no range', head('PUT', part.target, sized(10, 'octets 100-109/1000')), 400, /FIRST-LAST/],
    [
      'chunked',
      head('PUT', part.target, 'Transfer-Encoding: chunked\r\n'),
      411,
      /with Content-Length/,
    ],
    ['unknown', head('PUT', `${part.target}x`, sized(10)), 404, /no such upload/],
    ['one letter', head('PUT', `${part.target.slice(0, -1)}!`, sized(10)), 404, /no such upload/],
    ['without id', head('PUT', '/.spliced/upload/', sized(0)), 405, /Allow: GET, HEAD/],
    ['GET', head('GET', part.target, ''), 405, /Allow: HEAD, PUT, OPTIONS\r\n/],
    ['POST', head('POST', part.target, sized(0)), 405, /Allow: HEAD, PUT, OPTIONS\r\n/],
    ['HEAD of none', head('HEAD', `${part.target}x`, ''), 404, /./],
    ['OPTIONS', head('OPTIONS', part.target, ''), 204, /Allow: HEAD, PUT, OPTIONS\r\n/],
  ];
  for (const [what, request, status, words] of rows) {
    const answer = await answerTo(running, request);
    t.equal(Number(answer.slice(9, 12)), status, what);
    t.match(answer, words, what);
    t.match(answer, /\r\nConnection: close\r\n/, what);
  }
  t.equal(part.upload.snapshot().offset, 100, 'nothing was written');
  t.ok(part.content.equals(Buffer.alloc(100, 'a')));
  part.upload.close();
  const closed = await answerTo(running, head('PUT', part.target, sized(900, 'bytes 100-999/*')));
  t.match(closed, /^HTTP\/1\.1 409 /, 'given up');
});

t.test('a body is asked for only when it is taken (Expect: 100-continue)', async (t) => {
  const running = await startService(t);
  const body = randomBytes(70_000);
  const part = new Part(running, body.length);
  const expect = { Expect: '100-continue' };
  const refused = await put(running, `${part.target}x`, body, expect);
  t.same([refused.status, refused.wasTold100], [404, false]);
  const [taken] = await Promise.all([put(running, part.target, body, expect), part.conclude()]);
  t.same([taken.status, taken.wasTold100], [200, true]);
  t.ok(part.content.equals(body));
  part.upload.close();
});

t.test('the request behind it is answered, in order', async (t) => {
  const running = await startService(t, { 'index.html': 'hello' });
  const body = randomBytes(20_000);
  const part = new Part(running, 40_000);
  const head = `PUT ${part.target} HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n`;
  const next = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
  const answer = await answerTo(
    running,
    Buffer.concat([Buffer.from(head), body, Buffer.from(next)]),
  );
  t.match(answer, /^HTTP\/1\.1 202 .*HTTP\/1\.1 200 OK.*hello$/s);
  t.ok(part.content.equals(body));
  part.upload.close();
});

t.test('two at once: the first goes on, and gives way when it is silent', async (t) => {
  const running = await startService(t);
  const body = randomBytes(50_000);
  const part = new Part(running, body.length);
  const first = await beginPut(running, part.target, body.length, body.subarray(0, 20_000));
  await part.until(({ offset }) => offset === 20_000);
  const refused = await put(running, part.target, body);
  t.equal(refused.status, 409);
  t.match(refused.body.toString(), /another connection sends this upload/);
  t.equal(refused.headers['retry-after'], '5');

  await new Promise((resolve) => setTimeout(resolve, 5_100)); // limits::kUploadQuietMs
  const rest = body.subarray(20_000);
  const range = { 'Content-Range': rangeOf(20_000, rest.length, body.length) };
  const answers = readToEnd(first);
  const [second] = await Promise.all([put(running, part.target, rest, range), part.conclude()]);
  t.equal(second.status, 200);
  first.write(body.subarray(20_000, 20_100));
  t.match((await answers).toString(), /^HTTP\/1\.1 409 /, 'the first learns it when it goes on');
  t.ok(part.content.equals(body), 'and has written nothing more');
  part.upload.close();
});

t.test('a client that stalls is told so, and what it sent is kept', async (t) => {
  const running = await startService(t, {}, { stallTimeoutMs: 300 });
  const body = randomBytes(50_000);
  const part = new Part(running, body.length);
  const socket = await beginPut(running, part.target, body.length, body.subarray(0, 20_000));
  const answer = (await readToEnd(socket)).toString();
  t.match(answer, /^HTTP\/1\.1 408 .*Upload-Offset: 20000\r\n.*send the rest with a new request/s);
  t.equal(statsOf(running).overdue.stall, 1);
  t.equal(part.upload.snapshot().offset, 20_000);
  part.upload.close();
});

t.test('a stop ends it at once, and what came is kept', async (t) => {
  const running = await startService(t);
  const body = randomBytes(50_000);
  const part = new Part(running, body.length);
  const socket = await beginPut(running, part.target, body.length, body.subarray(0, 20_000));
  await part.until(({ offset }) => offset === 20_000);
  running.service.stop(20_000);
  t.match((await readToEnd(socket)).toString(), /^HTTP\/1\.1 503 .*Upload-Offset: 20000\r\n/s);
  const { aborted } = await running.events.wait('stopped');
  t.equal(aborted, 0);
  part.upload.close();
});

t.test('what the daemon makes of it is the answer', async (t) => {
  const running = await startService(t);
  const body = randomBytes(1000);
  const part = new Part(running, body.length);
  const answer = put(running, part.target, body);
  await part.until(({ sha256 }) => sha256 !== '');
  part.upload.conclude(422, 'the SHA-256 differs');
  t.match(await answer, { status: 422 });
  t.match((await answer).body.toString(), /the SHA-256 differs/);
  part.upload.close();
});

t.test('downloads go on beside it', async (t) => {
  const running = await startService(t, { 'index.html': 'hello' });
  const part = new Part(running, 50 * mib);
  const body = randomBytes(50 * mib);
  const upload = Promise.all([put(running, part.target, body), part.conclude()]);
  for (let i = 0; i < 20; i += 1) t.equal((await get(running)).status, 200);
  t.equal((await upload)[0].status, 200);
  t.ok(part.content.equals(body));
  part.upload.close();
});

t.test('options that make no sense', async (t) => {
  const { loadNative } = await import('../../src/engine/native.js');
  const { Upload, reserveFile } = loadNative();
  const running = await startService(t, { part: 'abc', empty: '' });
  const path = running.root;
  const make = (change: object) => () =>
    new Upload({ id: 'a', path: `${path}/part`, length: 5, offset: 3, ...change }, () => {});
  t.throws(make({ id: '' }), { code: 'EINVAL_OPTION' });
  t.throws(make({ id: 'x'.repeat(65) }), { code: 'EINVAL_OPTION' });
  t.throws(make({ offset: 6 }), { code: 'EINVAL_OPTION' });
  t.throws(make({ offset: 2 }), { code: 'EUPLOAD' });
  t.throws(make({ path: `${path}/none` }), { code: 'EUPLOAD' });
  t.throws(make({ path }), { code: 'EUPLOAD' });
  const { service } = running;
  t.throws(() => service.setUploads([{}] as never), { code: 'EINVAL_OPTION' });
  t.throws(() => service.setUploads([service] as never), { code: 'EINVAL_OPTION' });
  const upload = make({})();
  t.throws(() => service.setUploads(Array(5).fill(upload)), { code: 'EINVAL_OPTION' });
  service.setUploads([upload]);
  t.ok(upload.close());
  t.ok(upload.close());
  t.equal(typeof (await reserveFile(`${path}/empty`, mib)), 'boolean');
  await t.rejects(reserveFile(`${path}/none`, 1), { code: 'EUPLOAD' });
});
