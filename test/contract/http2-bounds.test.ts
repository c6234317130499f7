// SPDX-License-Identifier: Apache-2.0
// What no HTTP/2 client may do, by frames written by hand: floods, rapid resets, header blocks that do
// not end or unpack to megabytes, windows that stay shut. Each ends with its error code, is counted, and
// disturbs nobody else.

import { randomBytes } from 'node:crypto';
import t, { type Test } from 'tap';
import {
  ask,
  codes,
  fieldBlock,
  flag,
  frame,
  http2Figures,
  openSession,
  preface,
  RawSession,
  requestFields,
  startHttp2,
  type,
  u32,
} from './http2.js';
import { get, type Running } from './service.js';

const large = randomBytes(2_000_003);
const files = { 'index.html': '<p>hello</p>', 'large.bin': large };
const repeated = (count: number, of: Buffer): Buffer => Buffer.concat(Array(count).fill(of));

async function calmsDown(t: Test, running: Running, kind: string, raw: RawSession): Promise<void> {
  t.equal(await raw.goAway(), codes.enhanceYourCalm);
  await raw.ended();
  t.equal(http2Figures(running).floods[kind], 1, 'it is counted');
  t.equal((await get(running)).status, 200, 'others are served');
}

const postFields = requestFields('/').map(([name, value]): [string, string] => [
  name,
  name === ':method' ? 'POST' : value,
]);

// RFC 7541 6.2.1: one long field into the table, then a byte for each time that it is meant.
const long = Buffer.from(fieldBlock([['x-long', 'y'.repeat(3500)]]));
long[0] = 0x40;
const bomb = Buffer.concat([long, Buffer.alloc(1000, 0xbe)]);
const block = (stream: number, fields: [string, string][], more: Buffer): Buffer =>
  frame(
    type.headers,
    flag.endHeaders | flag.endStream,
    stream,
    Buffer.concat([fieldBlock(fields), more]),
  );

const floods: [string, string, (raw: RawSession) => void][] = [
  [
    'PING',
    'frames',
    (raw) => raw.send(repeated(2000, frame(type.ping, flag.ack, 0, Buffer.alloc(8)))),
  ],
  ['SETTINGS', 'answers', (raw) => raw.send(repeated(2000, frame(type.settings, 0, 0)))],
  [
    'PRIORITY',
    'frames',
    (raw) => raw.send(repeated(2000, frame(type.priority, 0, 3, Buffer.alloc(5)))),
  ],
  [
    'WINDOW_UPDATE',
    'frames',
    (raw) => raw.send(repeated(2000, frame(type.windowUpdate, 0, 0, u32(1)))),
  ],
  [
    'empty DATA',
    'frames',
    (raw) => {
      raw.send(frame(type.headers, flag.endHeaders, 1, fieldBlock(postFields)));
      raw.send(repeated(2000, frame(type.data, 0, 1)));
    },
  ],
  [
    'rapid reset',
    'resets',
    (raw) => {
      for (let stream = 1; stream < 2000; stream += 2) {
        raw.get(stream, '/large.bin');
        raw.send(frame(type.reset, 0, stream, u32(codes.cancel)));
      }
    },
  ],
  [
    'resets that the server is made to send',
    'resets',
    (raw) => {
      for (let stream = 1; stream < 2000; stream += 2)
        raw.get(stream, '/', [['connection', 'close']]);
    },
  ],
  [
    'a header block that unpacks to megabytes',
    'headers',
    (raw) => raw.send(block(1, requestFields('/'), bomb)),
  ],
  [
    'trailers that unpack to megabytes',
    'headers',
    (raw) => {
      raw.send(frame(type.headers, flag.endHeaders, 1, fieldBlock(postFields)));
      raw.send(block(1, [], bomb));
    },
  ],
  [
    'header blocks of 160 KB, of streams that are refused',
    'headers',
    (raw) => {
      for (
        let stream = 1;
        stream < 2 * 64;
        stream += 2 // all that there may be
      )
        raw.send(frame(type.headers, flag.endHeaders, stream, fieldBlock(postFields)));
      raw.send(frame(type.headers, 0, 129, fieldBlock(postFields)));
      raw.send(repeated(9, frame(type.continuation, 0, 129, Buffer.alloc(16_384, 0x82))));
    },
  ],
];
for (const [name, kind, attack] of floods) {
  t.test(`a flood: ${name}`, async (t) => {
    const running = await startHttp2(t, files);
    const raw = await RawSession.open(t, running);
    attack(raw);
    await calmsDown(t, running, kind, raw);
  });
}

t.test('CONTINUATION without end', async (t) => {
  const running = await startHttp2(t, files);
  const raw = await RawSession.open(t, running);
  raw.send(frame(type.headers, flag.endStream, 1, fieldBlock(requestFields('/'))));
  raw.send(repeated(2000, frame(type.continuation, 0, 1)));
  // nghttp2 has a limit of its own, which may come before ours.
  t.not(await raw.goAway(), codes.noError);
  await raw.ended();
  t.equal((await get(running)).status, 200);
});

t.test('a head that is as long as one may be', async (t) => {
  const running = await startHttp2(t, files, { headBytesMax: 72 * 1024 });
  const session = await openSession(t, running, { maxSendHeaderBlockLength: 1 << 20 });
  for (const [fields, status] of [
    [4, 200],
    [6, 431],
  ]) {
    const headers: Record<string, string> = {};
    for (let i = 0; i < (fields ?? 0); i += 1) headers[`x-long-${i}`] = 'y'.repeat(17_000);
    t.equal((await ask(session, headers)).status, status);
  }
  t.equal((await ask(session)).status, 200, 'and the connection goes on');
});

t.test('trailers of a request are dropped', async (t) => {
  const running = await startHttp2(t, files);
  const raw = await RawSession.open(t, running);
  raw.send(frame(type.headers, flag.endHeaders, 1, fieldBlock(postFields)));
  raw.send(block(1, [['x-trailer', 'x'.repeat(10_000)]], Buffer.alloc(0)));
  await raw.end(1);
  raw.get(3, '/');
  t.equal((await raw.end(3)).toString(), '<p>hello</p>');
});

t.test('a header block that does not come to its end', async (t) => {
  const running = await startHttp2(t, files, { headTimeoutMs: 300 });
  const raw = await RawSession.open(t, running);
  raw.get(1, '/');
  t.equal((await raw.end(1)).toString(), '<p>hello</p>');
  raw.send(frame(type.headers, flag.endStream, 3, fieldBlock(requestFields('/'))));
  t.equal(await raw.goAway(), codes.enhanceYourCalm);
  await raw.ended();
});

t.test('a header block that comes byte by byte', async (t) => {
  const running = await startHttp2(t, files, { headTimeoutMs: 300, idleTimeoutMs: 60_000 });
  const raw = await RawSession.open(t, running);
  const head = frame(
    type.headers,
    flag.endHeaders | flag.endStream,
    1,
    fieldBlock(requestFields('/')),
  );
  raw.send(head.subarray(0, 20));
  t.equal(await raw.goAway(), codes.enhanceYourCalm);
  await raw.ended();
});

t.test('answers that nobody reads', async (t) => {
  const running = await startHttp2(t, files, { stallTimeoutMs: 60_000 });
  const raw = await RawSession.open(t, running);
  raw.openWindows();
  for (let stream = 1; stream < 20; stream += 2) raw.get(stream, '/large.bin');
  await raw.wait((of) => of.type === type.data);
  raw.socket.pause();
  raw.send(repeated(400, frame(type.ping, 0, 0, Buffer.alloc(8))));
  // The client looks again some time later.
  await new Promise<void>((resolve) => {
    const look = setInterval(() => {
      if (http2Figures(running).floods.answers !== 1) return;
      clearInterval(look);
      resolve();
    }, 20);
  });
  raw.socket.resume();
  await raw.ended();
  t.equal((await get(running)).status, 200);
});

t.test('streams beyond what a connection may have are refused', async (t) => {
  const running = await startHttp2(t, files, { streamsMax: 4 });
  const raw = await RawSession.open(t, running);
  raw.send(frame(type.settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), u32(0)])));
  for (const stream of [1, 3, 5, 7, 9]) raw.get(stream, '/large.bin');
  t.equal(await raw.reset(9), codes.refusedStream);
  raw.send(frame(type.reset, 0, 1, u32(codes.cancel)));
  raw.get(11, '/nothing');
  t.ok(await raw.wait((of) => of.stream === 11 && of.type === type.headers), 'one has gone');
});

t.test('a window that stays shut', async (t) => {
  const running = await startHttp2(t, files, { stallTimeoutMs: 300 });
  const raw = await RawSession.open(t, running);
  raw.send(frame(type.settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), u32(1000)])));
  raw.get(1, '/large.bin');
  await raw.wait((of) => of.stream === 1 && of.type === type.data);
  raw.get(3, '/');
  t.equal((await raw.end(3)).toString(), '<p>hello</p>', 'it holds up nobody');
  t.equal(await raw.reset(1), codes.cancel);
  t.equal(raw.dataOf(1).length, 1000, 'not a byte more than the window');
  t.equal(http2Figures(running).streams.stalled, 1);
  raw.get(5, '/');
  t.equal((await raw.end(5)).toString(), '<p>hello</p>', 'and the connection goes on');
});

t.test('a connection window that stays shut', async (t) => {
  const running = await startHttp2(t, files, { stallTimeoutMs: 300 });
  const raw = await RawSession.open(t, running);
  for (const stream of [1, 3]) raw.get(stream, '/large.bin');
  t.same([await raw.reset(1), await raw.reset(3)], [codes.cancel, codes.cancel]);
  t.equal(raw.dataOf(1).length + raw.dataOf(3).length, 65_535);
});

t.test('a body that does not come to its end', async (t) => {
  const running = await startHttp2(t, files, { requestTimeoutMs: 300 });
  const raw = await RawSession.open(t, running);
  raw.send(frame(type.headers, flag.endHeaders, 1, fieldBlock(requestFields('/'))));
  raw.send(frame(type.data, 0, 1, Buffer.from('some')));
  t.equal(await raw.reset(1), codes.cancel);
});

t.test('no preface, no HTTP/2', async (t) => {
  const running = await startHttp2(t, files);
  const raw = await RawSession.open(t, running, Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
  await raw.ended();
  t.equal((await get(running)).status, 200);
  t.match(http2Figures(running).floods, { answers: 0 }, 'which is no flood');
});

t.test('an idle connection', async (t) => {
  const running = await startHttp2(t, files, { idleTimeoutMs: 300 });
  const raw = await RawSession.open(t, running);
  raw.get(1, '/');
  await raw.end(1);
  t.equal(await raw.goAway(), codes.noError);
  await raw.ended();
});

t.test('as many requests as a connection may have', async (t) => {
  const running = await startHttp2(t, files, { requestsPerConnectionMax: 3 });
  const raw = await RawSession.open(t, running, Buffer.concat([preface]));
  for (const stream of [1, 3, 5]) raw.get(stream, '/');
  for (const stream of [1, 3, 5]) t.equal((await raw.end(stream)).toString(), '<p>hello</p>');
  t.equal(await raw.goAway(), codes.noError);
  await raw.ended();
});

t.test('the table is full: who is idle makes room', async (t) => {
  const running = await startHttp2(t, files, { connectionsMax: 2 });
  const idle = await RawSession.open(t, running);
  idle.get(1, '/');
  await idle.end(1);
  const busy = await RawSession.open(t, running);
  busy.get(1, '/large.bin');
  await busy.wait((of) => of.type === type.data);
  const third = await RawSession.open(t, running);
  third.get(1, '/');
  t.equal((await third.end(1)).toString(), '<p>hello</p>');
  t.equal(await idle.goAway(), codes.noError, 'it is told');
  t.notOk(busy.isEnded);
});
