// SPDX-License-Identifier: Apache-2.0
// New keys in the middle of a connection (RFC 8446 4.6.3): the client's, ours before a key has
// encrypted enough, both at once, while a body is on its way. Over kernel TLS on Linux 6.14 and later
// (test/guest/key-updates.test.ts), which cannot be faked: a key that is wrong by a bit shows here.
// Elsewhere a KeyUpdate of the kernel's connections ends them, which is tested too; in user space
// OpenSSL has its own.

import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { fieldBlock, flag, frame, preface, requestFields, startHttp2, type, u32 } from './http2.js';
import { alerts, contentType, RecordClient } from './records.js';
import { type Running, startService } from './service.js';
import { Part } from './uploads.js';

const statsOf = ({ service }: Running) => JSON.parse(service.stats());
const request = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const bytes = 6 * 1024 * 1024;
const body = randomBytes(bytes);
const files = { 'a.txt': 'hello', 'body.bin': body };
const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

type How = 'user space' | 'new keys' | 'no new keys';

function howOf(running: Running): How {
  const { kernel, mode, keyUpdates } = statsOf(running).offload;
  if (mode !== 'auto' || kernel !== 'available') return 'user space';
  return keyUpdates ? 'new keys' : 'no new keys';
}

t.test('the client updates its key, and goes on', async (t) => {
  const running = await startService(t, files);
  const how = howOf(running);
  t.comment(how);
  for (const isAnswerAsked of [false, true]) {
    const before = statsOf(running).tls.keyUpdates;
    const client = await RecordClient.connect(running, 'TLSv1.3');
    const rounds = how === 'no new keys' ? 1 : 40;
    for (let round = 1; round <= rounds; round += 1) {
      await client.write(
        client.sealKeyUpdate(isAnswerAsked),
        client.seal(contentType.data, request('/a.txt')),
      );
      await client.until(() => client.text().split('hello').length > round);
    }
    const ends = how === 'no new keys';
    t.equal(client.text().split('HTTP/1.1 200 OK').length - 1, ends ? 0 : rounds);
    t.same(client.alerts(), ends ? [alerts.internalError] : []);
    t.equal(client.keyUpdates(), isAnswerAsked && !ends ? rounds : 0);
    const { received, sent } = statsOf(running).tls.keyUpdates;
    const inKernel = how === 'new keys' ? rounds : 0;
    t.equal(received - before.received, inKernel);
    t.equal(sent - before.sent, isAnswerAsked ? inKernel : 0);
    client.close();
  }
});

/** Until so many bytes of data have come; the client updates its key whenever a MiB has. */
async function download(client: RecordClient, first: Buffer, wanted: number): Promise<void> {
  let next = 1024 * 1024;
  await client.write(first);
  while (client.dataBytes() < wanted && !client.isOver) {
    await client.until(() => client.dataBytes() >= Math.min(next, wanted));
    next += 1024 * 1024;
    if (client.dataBytes() < wanted) await client.write(client.sealKeyUpdate());
  }
}

async function checkFigures(t: Test, running: Running, client: RecordClient): Promise<void> {
  const { tls, pending } = statsOf(running);
  t.equal(tls.recordLimitCloses, 0);
  t.equal(pending.contradictions, 0);
  if (howOf(running) !== 'new keys') return;
  t.equal(tls.keyUpdates.sent, client.keyUpdates(), 'the client has seen each of ours');
  t.ok(tls.keyUpdates.sent > 10, `${tls.keyUpdates.sent} of ours`);
  t.ok(tls.keyUpdates.received >= 5, `${tls.keyUpdates.received} of the client's`);
}

t.test('in the middle of a download, of both sides', async (t) => {
  const running = await startService(t, files, { recordsPerKeyMax: 16 });
  const how = howOf(running);
  const client = await RecordClient.connect(running, 'TLSv1.3');
  if (how === 'no new keys') {
    await client.write(client.seal(contentType.data, request('/body.bin')));
    await client.until(() => client.dataBytes() > bytes);
    t.ok(client.dataBytes() < bytes, 'the limit of records ends it, visibly');
    t.equal(statsOf(running).tls.recordLimitCloses, 1);
    return client.close();
  }
  await download(client, client.seal(contentType.data, request('/body.bin')), bytes + 100);
  const all = client.data();
  t.equal(sha256(all.subarray(all.indexOf('\r\n\r\n') + 4)), sha256(body));
  await client.write(client.seal(contentType.data, request('/a.txt')));
  await client.until(() => client.text().endsWith('hello'));
  t.same(client.alerts(), []);
  await checkFigures(t, running, client);
  client.close();
});

const windows = Buffer.from([0, 4, 0x3f, 0xff, 0xff, 0xff]); // SETTINGS_INITIAL_WINDOW_SIZE

/** The payloads of its frames of one type. */
function framesOf(stream: Buffer, wanted: number): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at + 9 <= stream.length; ) {
    const length = stream.readUIntBE(at, 3);
    if (stream[at + 3] === wanted) parts.push(stream.subarray(at + 9, at + 9 + length));
    at += 9 + length;
  }
  return parts;
}

const dataOf = (stream: Buffer): Buffer => Buffer.concat(framesOf(stream, type.data));

t.test('in the middle of a stream of HTTP/2, of both sides', async (t) => {
  const running = await startHttp2(t, files, { recordsPerKeyMax: 16 });
  const client = await RecordClient.connect(running, 'TLSv1.3', ['h2']);
  if (howOf(running) === 'no new keys') {
    t.pass('the limit is that of the test before');
    return client.close();
  }
  const begin = Buffer.concat([
    preface,
    frame(type.settings, 0, 0, windows),
    frame(type.windowUpdate, 0, 0, u32(0x3f00_0000)),
    frame(
      type.headers,
      flag.endStream | flag.endHeaders,
      1,
      fieldBlock(requestFields('/body.bin')),
    ),
  ]);
  await download(client, client.seal(contentType.data, begin), bytes);
  await client.until(() => dataOf(client.data()).length === bytes);
  t.equal(sha256(dataOf(client.data())), sha256(body));
  // The answer to the last KeyUpdate may come after the body, and comes before that to a PING.
  await client.write(client.seal(contentType.data, frame(type.ping, 0, 0, Buffer.alloc(8))));
  await client.until(() => framesOf(client.data(), type.ping).length > 0);
  t.same(client.alerts(), []);
  await checkFigures(t, running, client);
  client.close();
});

t.test("between the records of an upload's body", async (t) => {
  const running = await startService(t, files);
  const how = howOf(running);
  const part = new Part(running, bytes); // The engine knows it when it accepts the connection.
  t.teardown(() => part.upload.close());
  const client = await RecordClient.connect(running, 'TLSv1.3');
  const head = `PUT ${part.target} HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`;
  await client.write(client.seal(contentType.data, head));
  const digest = part.conclude();
  let updates = 0;
  const asked: boolean[] = [];
  const sizes = [16_384, 1, 16_384, 5000]; // Of records, in turn.
  for (let at = 0, record = 0; at < bytes && !client.isOver; record += 1) {
    const size = sizes[record % sizes.length] ?? 1;
    const sealed = [client.seal(contentType.data, body.subarray(at, at + size))];
    at += size;
    // With the bytes before it in one segment, and alone; the last one behind the whole body.
    if (record % 5 === 0 || at >= bytes) {
      asked.push(record % 2 === 0);
      sealed.push(client.sealKeyUpdate(record % 2 === 0));
      updates += 1;
    }
    if (record % 10 === 0) for (const one of sealed) await client.write(one);
    else await client.write(...sealed);
    // What comes behind it would be unread at the close, and the reset would take the alert away.
    if (how === 'no new keys') break;
  }
  if (how === 'no new keys') {
    await client.until(() => client.alerts().length > 0);
    t.same(client.alerts(), [alerts.internalError]);
    const { hasPartEnded, offset } = await part.until(({ isReceiving }) => !isReceiving);
    t.notOk(hasPartEnded, 'it was cut, and can be resumed');
    t.ok(offset <= 16_384, `after ${offset} bytes`);
    t.equal(statsOf(running).tls.keyUpdates.received, 0);
    return client.close();
  }
  // The connection's end would be the end of waiting, too.
  t.equal(await Promise.race([digest, client.until(() => false)]), sha256(body));
  await client.until(() => client.text().includes(sha256(body)));
  t.match(client.text(), /^HTTP\/1\.1 200 /);
  t.ok(part.content.equals(body), 'the file has every byte, in its place');
  t.ok(updates > 100, `${updates} updates`);
  // It is read after the answer, and the next request is under its key.
  await client.write(client.seal(contentType.data, request('/a.txt')));
  await client.until(() => client.text().endsWith('hello'));
  const { received, sent } = statsOf(running).tls.keyUpdates;
  t.equal(received, how === 'new keys' ? updates : 0);
  t.equal(sent, how === 'new keys' ? client.keyUpdates() : 0);
  t.ok(client.keyUpdates() > 0 && client.keyUpdates() <= asked.filter(Boolean).length);
  t.same(client.alerts(), []);
  client.close();
});

t.test('a client whose key has encrypted enough is asked for the next', async (t) => {
  const running = await startService(t, files, { recordsPerKeyMax: 16 });
  const how = howOf(running);
  const client = await RecordClient.connect(running, 'TLSv1.3');
  let updated = 0;
  for (let round = 1; round <= 60 && !client.isOver; round += 1) {
    // One record a request, each of which is answered before the next.
    await client.write(client.seal(contentType.data, request('/a.txt')));
    await client.until(() => client.text().split('hello').length > round);
    const asked = client.keyUpdatesAsked().filter((value) => value === 1).length;
    if (asked === updated) continue;
    await client.write(client.sealKeyUpdate(false));
    updated += 1;
  }
  const { tls } = statsOf(running);
  t.equal(client.isOver, how === 'no new keys');
  t.equal(tls.recordLimitCloses, how === 'no new keys' ? 1 : 0);
  t.equal(updated > 0, how === 'new keys', `${updated} were asked for`);
  t.equal(tls.keyUpdates.received, updated);
  client.close();
});

t.test("OpenSSL's client updates its key, and asks for ours", async (t) => {
  const running = await startService(t, files);
  const how = howOf(running);
  const to = ['-connect', `127.0.0.1:${running.port}`, '-tls1_3', '-quiet', '-no_ign_eof'];
  const client = spawn('openssl', ['s_client', ...to]);
  t.teardown(() => client.kill());
  const ended = once(client, 'exit').then(() => 'over');
  const said = { stdout: '', stderr: '' };
  const waiting: (() => void)[] = [];
  for (const stream of ['stdout', 'stderr'] as const) {
    client[stream].on('data', (chunk) => {
      said[stream] += chunk;
      for (const look of waiting) look();
    });
  }
  const until = (stream: 'stdout' | 'stderr', word: string, times: number): Promise<string> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (said[stream].split(word).length > times) resolve('said');
      };
      waiting.push(look);
      look();
    });
  client.stdin.on('error', () => {}); // It may end before it is told to.
  // K asks for our update, k does not (openssl-s_client(1)); it says so when it has read either.
  let answered = 0;
  for (const command of ['', 'K\n', 'k\n', 'K\n']) {
    client.stdin.write(command);
    await Promise.race([until('stderr', 'KEYUPDATE', answered), ended]);
    client.stdin.write(request('/a.txt'));
    if ((await Promise.race([until('stdout', 'hello', answered + 1), ended])) === 'over') break;
    answered += 1;
  }
  t.equal(answered, how === 'no new keys' ? 1 : 4);
  const { received, sent } = statsOf(running).tls.keyUpdates;
  t.equal(received, how === 'new keys' ? 3 : 0);
  t.equal(sent, how === 'new keys' ? 2 : 0);
});
