// SPDX-License-Identifier: Apache-2.0
// RFC 9113 5: the states and numbers of streams, and 6.9: windows of streams and of the connection.

import { randomBytes } from 'node:crypto';
import t from 'tap';
import {
  codes,
  fieldBlock,
  flag,
  frame,
  RawSession,
  requestFields,
  startHttp2,
  type,
  u32,
} from './http2.js';
import {
  bytes,
  type Case,
  connectionError,
  data,
  headers,
  outcome,
  post,
  probe,
  reset,
  runCases,
  setting,
  settings,
  streamError,
  windowUpdate,
  withPriority,
} from './http2-conformance.js';

const large = randomBytes(1_000_003);
const files = { 'index.html': '<p>hello</p>', 'large.bin': large };
const download = requestFields('/large.bin');
const shut = settings([setting.window, 0]);
const closed = streamError('STREAM_CLOSED');
const protocolError = connectionError('PROTOCOL_ERROR');

// A closed stream: STREAM_CLOSED, or ignored, as 5.1 allows since RFC 9113 ("MAY"). A smaller number than
// the last one is a closed stream's too (5.1.1), where the same paragraph wants PROTOCOL_ERROR for HEADERS;
// nghttp2 does not, since they may be trailers that crossed our RST_STREAM.
const late = ['ignored', ...closed, ...protocolError];

const states: Case[] = [
  { name: '5.1 half closed: DATA', frames: [shut, headers(1, download), data(1)], allowed: closed },
  {
    name: '5.1 half closed: HEADERS',
    frames: [shut, headers(1, download), headers(1, download)],
    allowed: closed,
  },
  {
    name: '5.1 half closed: CONTINUATION',
    frames: [shut, headers(1, download), frame(9, 4, 1)],
    allowed: [...closed, ...protocolError],
  },
  {
    name: '5.1 half closed: WINDOW_UPDATE, PRIORITY',
    frames: [
      shut,
      headers(1, download),
      windowUpdate(1, 9),
      frame(type.priority, 0, 1, Buffer.alloc(5)),
    ],
    allowed: ['status 200'],
  },
  {
    name: '5.1 half closed: RST_STREAM, then another',
    frames: [shut, headers(1, download), reset(1), reset(1)],
    allowed: ['ignored', 'status 200'],
  },
  {
    name: '5.1 closed by the client: DATA',
    frames: [headers(1, post, 4), reset(1), data(1)],
    allowed: ['ignored', ...closed],
  },
  {
    name: '5.1 closed by the client: HEADERS',
    frames: [headers(1, post, 4), reset(1), headers(1, post)],
    allowed: late,
  },
  {
    name: '5.1 closed by the client: CONTINUATION',
    frames: [headers(1, post, 4), reset(1), frame(9, 4, 1)],
    allowed: [...closed, ...protocolError],
  },
  {
    name: '5.1 closed by the client: WINDOW_UPDATE, PRIORITY',
    frames: [
      headers(1, post, 4),
      reset(1),
      windowUpdate(1, 1),
      frame(type.priority, 0, 1, Buffer.alloc(5)),
    ],
    allowed: ['ignored', 'status 405'],
  },
  {
    name: '5.1.1: a stream of the server',
    frames: [headers(2)],
    stream: 2,
    allowed: protocolError,
  },
  {
    name: '5.1.1: a smaller number than the last',
    frames: [headers(5), headers(3)],
    stream: 3,
    allowed: late,
  },
  {
    name: '5.1.1: numbers may be left out',
    frames: [headers(9)],
    stream: 9,
    allowed: ['status 200'],
  },
  {
    name: '5.1.1: a stream that was left out is closed',
    frames: [headers(9), data(7)],
    stream: 7,
    allowed: late,
  },
  {
    name: '5.1: RST_STREAM of one that was left out',
    frames: [headers(9), reset(7)],
    stream: 7,
    allowed: ['ignored', ...protocolError],
  },
  {
    name: '5.1.1: PRIORITY opens nothing',
    frames: [frame(type.priority, 0, 9, Buffer.alloc(5)), headers(1)],
    allowed: ['status 200'],
  },
  {
    name: '8.1: a second HEADERS without END_STREAM',
    frames: [headers(1, post, 4), headers(1, fieldBlock([['x', 'y']]), 4)],
    allowed: streamError('PROTOCOL_ERROR'),
  },
  {
    name: '8.1: trailers',
    frames: [headers(1, post, 4), data(1), headers(1, fieldBlock([['x', 'y']]))],
    allowed: ['status 405'],
  },
  {
    name: '5.3.2 of RFC 7540: trailers with a priority',
    frames: [
      headers(1, post, 4),
      headers(1, Buffer.concat([u32(0), bytes(9), fieldBlock([['x', 'y']])]), 5 | withPriority),
    ],
    allowed: ['status 405'],
  },
];

const windows: Case[] = [
  { name: '6.9: 0 more on the connection', frames: [windowUpdate(0, 0)], allowed: protocolError },
  {
    name: '6.9: 0 more on a stream',
    frames: [headers(1, post, 4), windowUpdate(1, 0)],
    allowed: streamError('PROTOCOL_ERROR'),
  },
  {
    name: '6.9.1: too much on the connection',
    frames: [windowUpdate(0, 0x7fffffff)],
    allowed: connectionError('FLOW_CONTROL_ERROR'),
  },
  {
    name: '6.9.1: too much on a stream',
    frames: [headers(1, post, 4), windowUpdate(1, 0x7fffffff)],
    allowed: streamError('FLOW_CONTROL_ERROR'),
  },
  {
    name: '6.9.1: too much in small steps',
    frames: [
      headers(1, post, 4),
      windowUpdate(1, 0x3fffffff),
      windowUpdate(1, 0x3fffffff),
      windowUpdate(1, 0x10000),
    ],
    allowed: streamError('FLOW_CONTROL_ERROR'),
  },
  {
    // RFC 9113 wants the connection's end; nghttp2 ends the streams that are concerned.
    name: '6.9.2: a setting takes a window over its limit',
    frames: [
      shut,
      headers(1, download),
      windowUpdate(1, 0x7fffffff),
      settings([setting.window, 1]),
    ],
    allowed: streamError('FLOW_CONTROL_ERROR'),
  },
];

t.test('states and numbers of streams', async (t) =>
  runCases(t, await startHttp2(t, files), states),
);
t.test('windows that cannot be', async (t) => runCases(t, await startHttp2(t, files), windows));

t.test('5.1 closed by END_STREAM of both: what comes behind it', async (t) => {
  const running = await startHttp2(t, files);
  const behind: [string, Buffer, string[]][] = [
    ['DATA', data(1), [...late, 'status 200']],
    ['HEADERS', headers(1), [...late, 'status 200']],
    ['CONTINUATION', frame(9, 4, 1), [...closed, ...protocolError]],
    ['WINDOW_UPDATE', windowUpdate(1, 1), ['status 200']],
    ['RST_STREAM', reset(1), ['status 200']],
    ['PRIORITY', frame(type.priority, 0, 1, Buffer.alloc(5)), ['status 200']],
  ];
  for (const [name, sent, allowed] of behind) {
    const raw = await RawSession.open(t, running);
    raw.get(1, '/');
    await raw.end(1);
    raw.send(sent);
    const seen = await outcome(raw, 1);
    t.ok(allowed.includes(seen), `${name}: ${seen}`);
  }
});

/** DATA of `stream` that has come, once everything that was sent before has been looked at. */
async function settled(raw: RawSession, stream: number): Promise<number> {
  const answers = () => raw.frames.filter((of) => of.type === type.ping).length;
  const before = answers();
  raw.send(frame(type.ping, 0, 0, Buffer.alloc(8)));
  await raw.wait(() => answers() > before);
  return raw.dataOf(stream).length;
}

async function has(raw: RawSession, stream: number, count: number): Promise<void> {
  await raw.wait(() => raw.dataOf(stream).length >= count);
}

t.test('a window of one byte', async (t) => {
  const raw = await RawSession.open(t, await startHttp2(t, files));
  raw.send(settings([setting.window, 1]));
  raw.get(1, '/');
  const text = '<p>hello</p>';
  for (let count = 1; count <= text.length; count += 1) {
    await has(raw, 1, count);
    t.equal(await settled(raw, 1), count);
    raw.send(windowUpdate(1, 1));
  }
  t.equal((await raw.end(1)).toString(), text);
});

t.test('an empty window holds DATA, and not HEADERS, END_STREAM or an empty body', async (t) => {
  const raw = await RawSession.open(t, await startHttp2(t, { ...files, 'empty.txt': '' }));
  raw.send(shut);
  raw.get(1, '/');
  raw.get(3, '/empty.txt');
  raw.send(
    headers(
      5,
      requestFields('/').map(([name, value]): [string, string] => [
        name,
        name === ':method' ? 'HEAD' : value,
      ]),
    ),
  );
  t.ok(await raw.wait((of) => of.stream === 1 && of.type === type.headers));
  t.equal((await raw.end(3)).length, 0);
  t.equal((await raw.end(5)).length, 0);
  t.equal(await settled(raw, 1), 0);
  raw.send(windowUpdate(1, 5));
  await has(raw, 1, 5);
  t.equal(await settled(raw, 1), 5);
  raw.send(settings([setting.window, 7]));
  t.equal(
    (await raw.end(1)).toString(),
    '<p>hello</p>',
    '6.9.2: the setting counts for open streams',
  );
});

t.test('6.9.2: a negative window', async (t) => {
  const raw = await RawSession.open(t, await startHttp2(t, files));
  raw.send(settings([setting.window, 1000]));
  raw.get(1, '/large.bin');
  await has(raw, 1, 1000);
  raw.send(shut, windowUpdate(1, 600));
  t.equal(await settled(raw, 1), 1000, '-400');
  raw.send(windowUpdate(1, 400));
  t.equal(await settled(raw, 1), 1000, '0');
  raw.send(windowUpdate(1, 1));
  await has(raw, 1, 1001);
  t.equal(await settled(raw, 1), 1001, '1');
  raw.send(settings([setting.window, 0x7ffffc00]), windowUpdate(0, 0x7fff0000));
  t.same(await raw.end(1), large);
});

t.test('6.9.1: one window of the connection for all streams', async (t) => {
  const raw = await RawSession.open(t, await startHttp2(t, files));
  raw.send(settings([setting.window, 0x7fffffff]));
  for (const stream of [1, 3, 5]) raw.get(stream, '/large.bin');
  const all = () => [1, 3, 5].map((of) => raw.dataOf(of).length);
  const sum = () => all().reduce((total, of) => total + of, 0);
  await raw.wait(() => sum() === 65_535);
  await settled(raw, 1);
  t.equal(sum(), 65_535);
  t.notOk(all().includes(0), 'each has a part of it');
  raw.send(windowUpdate(0, 1));
  await raw.wait(() => sum() > 65_535);
  await settled(raw, 1);
  t.equal(sum(), 65_536);
  raw.send(windowUpdate(0, 0x7fff0000 - 1));
  for (const stream of [1, 3, 5]) t.same(await raw.end(stream), large);
});

t.test('6.9: a reset stream gives its part of the connection back', async (t) => {
  const raw = await RawSession.open(t, await startHttp2(t, files));
  // The server's window: bodies of streams that are over count, and are given back (6.9.1).
  for (let stream = 1; stream < 41; stream += 2) {
    raw.send(
      headers(stream, post, flag.endHeaders),
      data(stream, Buffer.alloc(16_000)),
      reset(stream),
    );
  }
  t.equal(await outcome(raw, 41), 'ignored', '320,000 bytes have been taken');
});

t.test('5.1.2: more streams than may be', async (t) => {
  const running = await startHttp2(t, files, { streamsMax: 8 });
  const raw = await RawSession.open(t, running);
  raw.send(shut);
  const streams = Array.from({ length: 20 }, (_, index) => 2 * index + 1);
  for (const stream of streams) raw.get(stream, '/large.bin');
  const refused = streams.slice(8);
  for (const stream of refused) t.equal(await raw.reset(stream), codes.refusedStream);
  raw.send(settings([setting.window, 0x7fffffff]), windowUpdate(0, 0x7fff0000));
  for (const stream of streams.slice(0, 8)) t.same(await raw.end(stream), large);
  raw.get(probe, '/');
  t.equal((await raw.end(probe)).toString(), '<p>hello</p>');
  const offered = raw.frames.find((of) => of.type === type.settings && of.flags === 0)?.payload;
  const values = new Map<number, number>();
  for (let at = 0; offered && at < offered.length; at += 6)
    values.set(offered.readUInt16BE(at), offered.readUInt32BE(at + 2));
  t.equal(values.get(setting.streams), 8, 'as the SETTINGS said');
});

t.test('9218: urgent streams first, a small one beside a large one', async (t) => {
  const raw = await RawSession.open(t, await startHttp2(t, files));
  raw.send(shut);
  raw.get(1, '/large.bin', [['priority', 'u=6']]);
  raw.get(3, '/large.bin', [['priority', 'u=1']]);
  for (const stream of [1, 3])
    await raw.wait((of) => of.stream === stream && of.type === type.headers);
  raw.send(settings([setting.window, 0x7fffffff]), windowUpdate(0, 0x7fff0000));
  const last = (stream: number) =>
    raw.frames.findIndex((of) => of.stream === stream && of.type === type.data && of.flags === 1);
  await raw.wait((of) => of.stream === 3 && of.type === type.data);
  raw.get(5, '/', [['priority', 'u=0']]);
  for (const stream of [1, 3, 5]) await raw.end(stream);
  t.ok(last(3) < last(1), 'u=1 ends before u=6');
  t.ok(last(5) < last(1), 'and the small one before the large one');
  t.same(raw.dataOf(1), large);
});
