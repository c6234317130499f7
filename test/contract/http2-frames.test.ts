// SPDX-License-Identifier: Apache-2.0
// RFC 9113 3 to 6 by frames written by hand: the preface, sizes, reserved bits, unknown frames, and
// each type of frame where it may not be, or not as it is.

import t from 'tap';
import {
  fieldBlock,
  flag,
  frame,
  preface,
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
  padded,
  post,
  runCases,
  setting,
  settings,
  streamError,
  whole,
  withPriority,
} from './http2-conformance.js';

const files = { 'index.html': '<p>hello</p>', 'large.bin': Buffer.alloc(300_000, 'abc') };
const magic = preface.subarray(0, 24);
const request = fieldBlock(requestFields('/'));
const sizeError = connectionError('FRAME_SIZE_ERROR');
const protocolError = connectionError('PROTOCOL_ERROR');

const prefaces: Case[] = [
  {
    name: '3.4: SETTINGS do not come first',
    start: magic,
    frames: [headers(1)],
    allowed: [...protocolError, 'closed'],
  },
  {
    name: '3.4: another preface',
    start: Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n'),
    frames: [settings()],
    allowed: [...protocolError, 'closed'],
  },
  {
    name: '3.4: no preface',
    start: settings(),
    frames: [],
    allowed: [...protocolError, 'closed'],
  },
  {
    name: '3.4: a GOAWAY of the client before SETTINGS',
    start: magic,
    frames: [frame(type.goAway, 0, 0, u32(0, 0))],
    allowed: [...protocolError, 'closed'],
  },
  {
    name: '3.4: an acknowledgement comes first',
    start: magic,
    frames: [frame(type.settings, flag.ack, 0)],
    allowed: [...protocolError, 'closed'],
  },
];

const sizes: Case[] = [
  {
    name: '4.2: DATA beyond SETTINGS_MAX_FRAME_SIZE',
    frames: [headers(1, post, flag.endHeaders), data(1, Buffer.alloc(16_385))],
    allowed: [...streamError('FRAME_SIZE_ERROR'), ...connectionError('FLOW_CONTROL_ERROR')],
  },
  {
    name: '4.2: HEADERS beyond it',
    frames: [headers(1, Buffer.alloc(16_385, 0x82))],
    allowed: sizeError,
  },
  {
    name: '4.2: an unknown frame beyond it',
    frames: [frame(0x20, 0, 0, Buffer.alloc(20_000))],
    allowed: sizeError,
  },
  {
    name: '4.2: SETTINGS beyond it',
    frames: [settings(...Array<[number, number]>(2800).fill([0x77, 1]))],
    allowed: [...sizeError, ...connectionError('ENHANCE_YOUR_CALM')],
  },
  {
    name: '6.3: PRIORITY of 4 bytes',
    frames: [headers(1), frame(type.priority, 0, 1, Buffer.alloc(4))],
    allowed: streamError('FRAME_SIZE_ERROR'),
  },
  {
    name: '6.4: RST_STREAM of 3 bytes',
    frames: [headers(1, post, 4), frame(type.reset, 0, 1, Buffer.alloc(3))],
    allowed: sizeError,
  },
  {
    name: '6.4: RST_STREAM of 5 bytes',
    frames: [headers(1, post, 4), frame(type.reset, 0, 1, Buffer.alloc(5))],
    allowed: sizeError,
  },
  {
    name: '6.7: PING of 6 bytes',
    frames: [frame(type.ping, 0, 0, Buffer.alloc(6))],
    allowed: sizeError,
  },
  {
    name: '6.7: PING of 9 bytes',
    frames: [frame(type.ping, 0, 0, Buffer.alloc(9))],
    allowed: sizeError,
  },
  { name: '6.7: PING without a payload', frames: [frame(type.ping, 0, 0)], allowed: sizeError },
  {
    name: '6.8: GOAWAY of 7 bytes',
    frames: [frame(type.goAway, 0, 0, Buffer.alloc(7))],
    allowed: sizeError,
  },
  {
    name: '6.9: WINDOW_UPDATE of 3 bytes',
    frames: [frame(type.windowUpdate, 0, 0, bytes(0, 0, 1))],
    allowed: sizeError,
  },
  {
    name: '6.9: WINDOW_UPDATE of 5 bytes on a stream',
    frames: [headers(1, post, 4), frame(type.windowUpdate, 0, 1, bytes(0, 0, 0, 1, 0))],
    allowed: sizeError,
  },
  {
    name: '6.2: HEADERS with PRIORITY and no room for it',
    frames: [headers(1, bytes(0x82, 0x84), whole | withPriority)],
    allowed: sizeError,
  },
  {
    name: '6.1: DATA with PADDED and no payload',
    frames: [headers(1, post, 4), data(1, '', padded)],
    allowed: [...sizeError, ...protocolError],
  },
  {
    name: '6.2: HEADERS with PADDED and no payload',
    frames: [headers(1, Buffer.alloc(0), whole | padded)],
    allowed: [...sizeError, ...protocolError],
  },
];

const ignoredThings: Case[] = [
  {
    name: '4.1: the reserved bit of a stream',
    frames: [headers(0x80000001)],
    allowed: ['status 200'],
  },
  {
    name: '4.1: flags that mean nothing',
    frames: [headers(1, undefined, whole | (0xd2 & ~withPriority & ~padded))],
    allowed: ['status 200'],
  },
  {
    name: '4.1: flags of PING that mean nothing',
    frames: [frame(type.ping, 0xfe, 0, Buffer.alloc(8))],
    allowed: ['ignored'],
  },
  {
    name: '4.1: an unknown type',
    frames: [frame(0x2a, 0xff, 0, Buffer.alloc(77)), headers(1)],
    allowed: ['status 200'],
  },
  {
    name: '5.5: an unknown type on an idle stream',
    frames: [frame(0x2a, 0, 1, Buffer.alloc(8)), headers(1)],
    allowed: ['status 200'],
  },
  {
    name: '5.5: an unknown type within a header block',
    frames: [headers(1, request, 1), frame(0x2a, 0, 0, Buffer.alloc(8))],
    probes: false,
    allowed: protocolError,
  },
  {
    name: '6.5.2: an unknown setting',
    frames: [settings([0x99, 1]), headers(1)],
    allowed: ['status 200'],
  },
  {
    name: '6.5.3: ENABLE_PUSH 0',
    frames: [settings([setting.push, 0]), headers(1)],
    allowed: ['status 200'],
  },
  {
    name: '6.9: the reserved bit of a window',
    frames: [frame(type.windowUpdate, 0, 0, u32(0x80000001)), headers(1)],
    allowed: ['status 200'],
  },
  {
    name: '6.1 and 6.2: padding',
    frames: [
      headers(1, Buffer.concat([bytes(9), fieldBlock(post), Buffer.alloc(9)]), 4 | padded),
      data(1, Buffer.concat([bytes(5), Buffer.alloc(6)]), 1 | padded),
    ],
    allowed: ['status 405'],
  },
  {
    name: '6.2: padding that is all of the frame',
    frames: [headers(1, post, 4), data(1, bytes(3, 0, 0, 0), 1 | padded)],
    allowed: ['status 405'],
  },
  {
    name: '6.2: a priority',
    frames: [headers(1, Buffer.concat([u32(0), bytes(200), request]), whole | withPriority)],
    allowed: ['status 200'],
  },
  {
    name: '6.3: PRIORITY of an idle stream',
    frames: [frame(type.priority, 0, 7, Buffer.concat([u32(0), bytes(1)])), headers(1)],
    allowed: ['status 200'],
  },
  {
    name: '6.5: the same setting twice: the last counts',
    frames: [settings([setting.window, 1], [setting.window, 65_535]), headers(1)],
    allowed: ['status 200'],
  },
  {
    name: '6.10: CONTINUATION in three parts, one of them empty',
    frames: [
      headers(1, request.subarray(0, 5), 1),
      frame(9, 0, 1),
      frame(9, 0, 1, request.subarray(5, 9)),
      frame(9, 4, 1, request.subarray(9)),
    ],
    allowed: ['status 200'],
  },
];

const settingsCases: Case[] = [
  {
    name: 'ACK with a payload',
    frames: [frame(type.settings, flag.ack, 0, Buffer.alloc(6))],
    allowed: sizeError,
  },
  {
    name: 'a length that is no multiple of 6',
    frames: [frame(type.settings, 0, 0, Buffer.alloc(5))],
    allowed: sizeError,
  },
  { name: 'on a stream', frames: [frame(type.settings, 0, 1)], allowed: protocolError },
  { name: 'ENABLE_PUSH 2', frames: [settings([setting.push, 2])], allowed: protocolError },
  {
    name: 'INITIAL_WINDOW_SIZE 2^31',
    frames: [settings([setting.window, 0x80000000])],
    allowed: connectionError('FLOW_CONTROL_ERROR'),
  },
  {
    name: 'MAX_FRAME_SIZE 16383',
    frames: [settings([setting.frameSize, 16_383])],
    allowed: protocolError,
  },
  {
    name: 'MAX_FRAME_SIZE 2^24',
    frames: [settings([setting.frameSize, 1 << 24])],
    allowed: protocolError,
  },
  {
    name: 'MAX_FRAME_SIZE 2^24 - 1',
    frames: [settings([setting.frameSize, (1 << 24) - 1]), headers(1)],
    allowed: ['status 200'],
  },
  { name: 'ENABLE_CONNECT_PROTOCOL 2', frames: [settings([8, 2])], allowed: protocolError },
  {
    name: 'NO_RFC7540_PRIORITIES 2 (RFC 9218 2.1)',
    frames: [settings([9, 2])],
    allowed: protocolError,
  },
];

const tables: [string, Case[]][] = [
  ['the preface', prefaces],
  ['sizes of frames', sizes],
  ['what has no meaning is ignored', ignoredThings],
  ['SETTINGS (6.5)', settingsCases],
];
for (const [name, cases] of tables) {
  t.test(name, async (t) => runCases(t, await startHttp2(t, files), cases));
}

t.test('3.4: the server begins with SETTINGS, and acknowledges those of the client', async (t) => {
  const raw = await RawSession.open(t, await startHttp2(t, files));
  t.ok(await raw.wait((of) => of.type === type.settings && (of.flags & flag.ack) !== 0));
  const [first] = raw.frames;
  t.same([first?.type, first?.flags, first?.stream], [type.settings, 0, 0]);
  const acknowledgement = raw.frames.find((of) => of.type === type.settings && of.flags === 1);
  t.equal(acknowledgement?.payload.length, 0);
});

t.test('6.7: PING is answered with its own bytes, an acknowledgement is not', async (t) => {
  const raw = await RawSession.open(t, await startHttp2(t, files));
  const payload = Buffer.from('12345678');
  raw.send(frame(type.ping, flag.ack, 0, Buffer.alloc(8)), frame(type.ping, 0, 0, payload));
  const answer = await raw.wait((of) => of.type === type.ping);
  t.same([answer?.flags, answer?.payload], [flag.ack, payload]);
  t.equal(raw.frames.filter((of) => of.type === type.ping).length, 1);
});

t.test('6.8: a client that says GOAWAY gets what it asked for', async (t) => {
  const raw = await RawSession.open(t, await startHttp2(t, files));
  raw.openWindows();
  raw.get(1, '/large.bin');
  raw.send(frame(type.goAway, 0, 0, u32(0, 0)));
  t.equal((await raw.end(1)).length, files['large.bin'].length);
  await raw.ended();
});

t.test('every frame that the server sends is within the limits that it was given', async (t) => {
  const raw = await RawSession.open(t, await startHttp2(t, files));
  raw.send(settings([setting.frameSize, 60_000]));
  raw.openWindows();
  raw.get(1, '/large.bin');
  t.same(await raw.end(1), files['large.bin']);
  t.notOk(raw.frames.some((of) => of.payload.length > 60_000));
  t.notOk(raw.frames.some((of) => of.type === type.data && of.payload.length === 0 && !of.flags));
});
