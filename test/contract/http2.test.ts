// SPDX-License-Identifier: Apache-2.0
// HTTP/2 over the real addon by Node's own client and by curl: what a static server owes, as
// http.test.ts asks it of HTTP/1.1, with both rings, over kernel TLS where there is one and without.

import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { brotliCompressSync } from 'node:zlib';
import t, { type Test } from 'tap';
import type { ServiceOptions } from '../../src/engine/native.js';
import { answerOf, ask, codes, http2Figures, openSession, startHttp2 } from './http2.js';
import { connectRaw, get, type Running, startService } from './service.js';

const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
// Not a multiple of a record, a frame or a piece, and more than the sockets hold.
const large = randomBytes(5_000_011);
const script = 'console.log(1);\n'.repeat(500);
const files = {
  'index.html': '<p>hello</p>',
  'large.bin': large,
  'empty.txt': '',
  'app.js': script,
  'packed.js': script,
  'packed.js.br': brotliCompressSync(script),
};

async function plainAnswers(t: Test, running: Running): Promise<void> {
  const session = await openSession(t, running);
  const index = await ask(session);
  t.equal(index.status, 200);
  t.equal(index.body.toString(), '<p>hello</p>');
  t.match(index.headers, {
    'content-length': '12',
    'content-type': /^text\/html/,
    etag: /^"[^"]+"$/,
    date: / GMT$/,
  });
  t.notOk('connection' in index.headers, 'no field of a connection');
  const head = await ask(session, { ':method': 'HEAD' });
  t.equal(head.headers['content-length'], '12');
  t.equal(head.body.length, 0);
  t.equal((await ask(session, { ':path': '/empty.txt' })).body.length, 0);
  t.equal((await ask(session, { ':path': '/nothing' })).status, 404);
  const whole = await ask(session, { ':path': '/large.bin?x=1' });
  t.ok(whole.isWhole);
  t.equal(digest(whole.body), digest(large), 'a large body arrives whole');
  const sizes = [1, 16_374, 16_375, 16_376, 32_750, 65_536];
  for (const size of sizes) {
    const range = await ask(session, { ':path': '/large.bin', range: `bytes=7-${6 + size}` });
    t.equal(digest(range.body), digest(large.subarray(7, 7 + size)), `${size} bytes of it`);
  }
}

async function manyAtOnce(t: Test, running: Running): Promise<void> {
  const session = await openSession(t, running);
  const paths = Array.from({ length: 60 }, (_, i) => (i % 6 === 0 ? '/large.bin' : '/app.js'));
  const answers = await Promise.all(paths.map((path) => ask(session, { ':path': path })));
  for (const [i, { body, isWhole }] of answers.entries()) {
    const wanted = paths[i] === '/app.js' ? Buffer.from(script) : large;
    if (!isWhole || digest(body) !== digest(wanted)) t.fail(`answer ${i} is not whole`);
  }
  t.equal(http2Figures(running).streams.open, 0);
}

async function conditionsAndRanges(t: Test, running: Running): Promise<void> {
  const session = await openSession(t, running);
  const { etag } = (await ask(session)).headers;
  t.equal((await ask(session, { 'if-none-match': etag })).status, 304);
  t.equal((await ask(session, { 'if-match': '"x"' })).status, 412);
  const beyond = await ask(session, { ':path': '/large.bin', range: `bytes=${large.length}-` });
  t.equal(beyond.status, 416);
  const parts = await ask(session, { ':path': '/large.bin', range: 'bytes=0-99,100000-299999' });
  t.equal(parts.status, 206);
  t.equal(parts.body.length, Number(parts.headers['content-length']));
  t.ok(parts.body.includes(large.subarray(100_000, 300_000)), 'the second part');
  t.ok(parts.isWhole);
  for (const name of ['packed.js', 'packed.js.br']) utimesSync(join(running.root, name), 1e9, 1e9);
  const packed = await ask(session, { ':path': '/packed.js', 'accept-encoding': 'br' });
  t.equal(packed.headers['content-encoding'], 'br');
  t.equal(digest(packed.body), digest(files['packed.js.br']));
}

async function otherAnswers(t: Test, running: Running): Promise<void> {
  mkdirSync(join(running.root, 'directory'));
  writeFileSync(join(running.root, 'directory', 'index.html'), 'x');
  const session = await openSession(t, running);
  const moved = await ask(session, { ':path': '/directory' });
  t.equal(moved.status, 308);
  t.equal(moved.headers.location, '/directory/');
  const post = await ask(session, { ':method': 'POST' }, 'a body that nobody wants');
  t.equal(post.status, 405);
  t.match(post.headers.allow, /GET/);
  const endless = await ask(session, { ':method': 'POST' }, Buffer.alloc(200_000));
  t.equal(endless.status, 405, 'the answer does not wait for the end of a large body');
  t.equal(endless.code, codes.noError);
  t.equal((await ask(session, { 'content-length': '5' })).code, codes.protocolError);
  t.equal((await ask(session, { ':path': '/%zz' })).status, 400);
  t.equal((await ask(session, { ':path': `/${'x'.repeat(5000)}` })).status, 414);
  t.equal((await ask(session, { cookie: 'x'.repeat(9000) })).status, 431);
  t.equal((await ask(session)).status, 200, 'and the connection goes on');
}

async function uploads(t: Test, running: Running): Promise<void> {
  const session = await openSession(t, running);
  const put = await ask(session, { ':method': 'PUT', ':path': '/.spliced/upload/x' }, 'body');
  t.equal(put.status, 404);
  t.equal((await ask(session)).status, 200);
}

// One that is asked for last is not last.
async function fairness(t: Test, running: Running): Promise<void> {
  const session = await openSession(t, running);
  const big = session.request({ ':path': '/large.bin' });
  let isDone = false;
  const whole = answerOf(big).then((answer) => {
    isDone = true;
    return answer;
  });
  await new Promise((resolve) => big.once('data', resolve));
  const small = await ask(session, { ':path': '/index.html' });
  t.equal(small.status, 200);
  t.notOk(isDone, 'a small response passes a large one');
  t.equal(digest((await whole).body), digest(large));
}

const modes: [string, Partial<ServiceOptions>][] = [
  ['io_uring', {}],
  ['epoll', { ring: 'epoll' }],
  ['user-space TLS', { tlsOffload: 'off' }],
];
for (const [name, change] of modes) {
  t.test(name, async (t) => {
    const running = await startHttp2(t, files, change);
    await t.test('plain answers', (t) => plainAnswers(t, running));
    await t.test('sixty requests at once', (t) => manyAtOnce(t, running));
    await t.test('conditions, ranges, variants', (t) => conditionsAndRanges(t, running));
    await t.test('other answers', (t) => otherAnswers(t, running));
    await t.test('uploads', (t) => uploads(t, running));
    await t.test('fairness', (t) => fairness(t, running));
  });
}

t.test('curl', async (t) => {
  const running = await startHttp2(t, files);
  const curl = (...more: string[]) =>
    execFileSync('curl', ['-sk', '--max-time', '20', ...more], { maxBuffer: 1 << 24 });
  const url = `https://127.0.0.1:${running.port}/large.bin`;
  t.equal(digest(curl('--http2', url)), digest(large));
  const version = ['-o', '/dev/null', '-w', '%{http_version}', url];
  t.equal(String(curl('--http2', ...version)), '2');
  t.equal(String(curl('--http1.1', ...version)), '1.1');
});

t.test('ALPN', async (t) => {
  const chosen = (running: Running, offered: string[]): Promise<string | false | null> =>
    new Promise((resolve, reject) => {
      const socket = connect(
        { host: '127.0.0.1', port: running.port, ca: running.pair.chain, ALPNProtocols: offered },
        () => {
          resolve(socket.alpnProtocol);
          socket.destroy();
        },
      );
      socket.on('error', reject);
    });
  const both = await startHttp2(t, files);
  t.equal(await chosen(both, ['http/1.1', 'h2']), 'h2');
  t.equal(await chosen(both, ['http/1.1']), 'http/1.1');
  t.equal((await get(both)).status, 200, 'without ALPN it is HTTP/1.1');
  (await connectRaw(both)).destroy();
  t.match(http2Figures(both), { offered: true, reason: '' });
  const one = await startService(t, files);
  t.equal(await chosen(one, ['http/1.1', 'h2']), 'http/1.1');
  await t.rejects(chosen(one, ['h2']), 'no protocol in common is refused');
  t.match(http2Figures(one), { offered: false, reason: /configuration/ });
});
