// SPDX-License-Identifier: Apache-2.0
// The end of HTTP/2's connections and streams: a stop, which loses nothing, and files that change
// under our feet, which never end as if they were whole.

import { createHash, randomBytes } from 'node:crypto';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ServiceOptions } from '../../src/engine/native.js';
import {
  answerOf,
  ask,
  codes,
  offloads,
  openSession,
  RawSession,
  startHttp2,
  type,
} from './http2.js';

const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
const large = randomBytes(6_000_011);
const files = { 'index.html': '<p>hello</p>', 'large.bin': large };

// The client lets everything come, and does not read: so much is with the server, or on its way, when
// the stop comes.
async function slowReader(t: Test, change: Partial<ServiceOptions>): Promise<void> {
  const running = await startHttp2(t, files, change);
  const raw = await RawSession.open(t, running);
  raw.openWindows();
  for (const stream of [1, 3, 5]) raw.get(stream, '/large.bin');
  await raw.wait((frame) => frame.type === type.data && frame.stream === 5);
  raw.socket.pause();
  running.service.stop(20_000);
  setTimeout(() => raw.socket.resume(), 300);
  for (const stream of [1, 3, 5]) t.equal(digest(await raw.end(stream)), digest(large));
  await raw.ended();
  t.equal(await raw.goAway(), codes.noError);
  t.match(await running.events.wait('stopped'), { drained: 1, aborted: 0 });
}

for (const [offload, change] of offloads) {
  t.test(`a stop with slow readers, ${offload}`, (t) => slowReader(t, change));
}

t.test('a stop: idle connections end at once, with GOAWAY and in order', async (t) => {
  const running = await startHttp2(t, files);
  const raw = await RawSession.open(t, running);
  raw.get(1, '/');
  await raw.end(1);
  running.service.stop(20_000);
  t.equal(await raw.goAway(), codes.noError);
  await raw.ended();
  t.match(await running.events.wait('stopped'), { drained: 1, aborted: 0 });
});

t.test('a stop: a request that is on its way is served', async (t) => {
  const running = await startHttp2(t, files);
  const raw = await RawSession.open(t, running);
  raw.openWindows();
  raw.get(1, '/large.bin');
  await raw.wait((frame) => frame.type === type.data);
  raw.socket.pause();
  running.service.stop(20_000);
  raw.socket.resume();
  const first = await raw.wait((frame) => frame.type === type.goAway);
  t.equal(first?.payload.readUInt32BE(0), 0x7fffffff, 'the first GOAWAY takes every stream');
  raw.get(3, '/');
  t.equal((await raw.end(3)).toString(), '<p>hello</p>');
});

async function changed(t: Test, change: Partial<ServiceOptions>, how: (path: string) => void) {
  const running = await startHttp2(t, files, change);
  const session = await openSession(t, running);
  const stream = session.request({ ':path': '/large.bin' });
  const answered = answerOf(stream);
  await new Promise((done) => stream.once('data', done));
  stream.pause();
  // The windows hold the rest back.
  how(join(running.root, 'large.bin'));
  stream.resume();
  const answer = await answered;
  t.equal(answer.code, codes.internalError);
  t.notOk(answer.isWhole);
  t.equal((await ask(session)).status, 200, 'the connection goes on');
}

for (const [offload, change] of offloads) {
  t.test(`a file that is cut, ${offload}`, (t) =>
    changed(t, change, (path) => truncateSync(path, 3_000_000)),
  );
  t.test(`a file that is written anew, ${offload}`, (t) =>
    changed(t, change, (path) => writeFileSync(path, randomBytes(large.length))),
  );
}

t.test('a client that leaves in the middle', async (t) => {
  const running = await startHttp2(t, files);
  const session = await openSession(t, running);
  const stream = session.request({ ':path': '/large.bin' });
  stream.on('error', () => {});
  await new Promise((done) => stream.once('data', done));
  session.destroy();
  const other = await openSession(t, running);
  t.equal((await ask(other)).status, 200);
  other.close();
  running.service.stop(20_000);
  t.match(await running.events.wait('stopped'), { aborted: 0 });
});
