// SPDX-License-Identifier: Apache-2.0
// Frames where they must not be, of a connection or of a stream: RFC 9113 6.

import t from 'tap';
import { fieldBlock, frame, requestFields, startHttp2, type, u32 } from './http2.js';
import {
  bytes,
  type Case,
  connectionError,
  data,
  fieldsOf,
  headers,
  padded,
  post,
  reset,
  runCases,
  streamError,
  whole,
  windowUpdate,
  withPriority,
} from './http2-conformance.js';

const files = { 'index.html': '<p>hello</p>', 'large.bin': Buffer.alloc(300_000, 'abc') };
const request = fieldBlock(requestFields('/'));
const sizeError = connectionError('FRAME_SIZE_ERROR');
const protocolError = connectionError('PROTOCOL_ERROR');

const misplaced: Case[] = [
  { name: '6.1: DATA on stream 0', frames: [data(0)], allowed: protocolError },
  { name: '6.2: HEADERS on stream 0', frames: [headers(0)], allowed: protocolError },
  {
    name: '6.3: PRIORITY on stream 0',
    frames: [frame(type.priority, 0, 0, Buffer.alloc(5))],
    allowed: protocolError,
  },
  { name: '6.4: RST_STREAM on stream 0', frames: [reset(0)], allowed: protocolError },
  { name: '6.4: RST_STREAM on an idle stream', frames: [reset(1)], allowed: protocolError },
  {
    name: '6.6: PUSH_PROMISE of a client',
    frames: [headers(1, post, 4), frame(5, 4, 1, Buffer.concat([u32(2), request]))],
    allowed: protocolError,
  },
  {
    name: '6.7: PING on a stream',
    frames: [frame(type.ping, 0, 1, Buffer.alloc(8))],
    allowed: protocolError,
  },
  {
    name: '6.8: GOAWAY on a stream',
    frames: [frame(type.goAway, 0, 1, u32(0, 0))],
    allowed: protocolError,
  },
  {
    name: '6.9: WINDOW_UPDATE on an idle stream',
    frames: [windowUpdate(1, 1)],
    allowed: protocolError,
  },
  {
    name: '5.1: DATA on an idle stream',
    frames: [data(1, 'x', 1)],
    allowed: [...protocolError, ...connectionError('STREAM_CLOSED')],
  },
  {
    name: '6.10: CONTINUATION alone',
    frames: [frame(type.continuation, 4, 1, request)],
    allowed: protocolError,
  },
  {
    name: '6.10: CONTINUATION on stream 0',
    frames: [headers(1, request, 1), frame(9, 4, 0)],
    probes: false,
    allowed: protocolError,
  },
  {
    name: '6.10: CONTINUATION behind END_HEADERS',
    frames: [headers(1, post, 4), frame(9, 4, 1, fieldBlock([['a', 'b']]))],
    allowed: protocolError,
  },
  {
    name: '6.10: CONTINUATION behind CONTINUATION with END_HEADERS',
    frames: [
      headers(1, request.subarray(0, 5), 0),
      frame(9, 4, 1, request.subarray(5)),
      frame(9, 4, 1),
    ],
    allowed: protocolError,
  },
  {
    name: '6.10: CONTINUATION behind DATA',
    frames: [headers(1, post, 4), data(1), frame(9, 4, 1)],
    allowed: protocolError,
  },
  {
    name: '6.2: DATA within a header block',
    frames: [headers(1, request, 0), data(1)],
    probes: false,
    allowed: protocolError,
  },
  {
    name: '6.2: PRIORITY within a header block',
    frames: [headers(1, request, 0), frame(type.priority, 0, 1, Buffer.alloc(5))],
    probes: false,
    allowed: protocolError,
  },
  {
    name: '6.2: HEADERS of another stream within a header block',
    frames: [headers(1, request, 0), headers(3)],
    probes: false,
    allowed: protocolError,
  },
  {
    name: '6.10: CONTINUATION of another stream',
    frames: [headers(1, request, 0), frame(9, 4, 3)],
    probes: false,
    allowed: protocolError,
  },
  {
    name: '6.1: DATA padded beyond its payload',
    frames: [headers(1, post, 4), data(1, bytes(4, 0, 0, 0), padded | 1)],
    allowed: protocolError,
  },
  {
    name: '6.2: HEADERS padded beyond their payload',
    frames: [headers(1, Buffer.concat([bytes(250), request]), whole | padded)],
    allowed: protocolError,
  },
  {
    name: '6.2: HEADERS padded into their priority',
    frames: [headers(1, bytes(2, 0, 0, 0, 0, 1), whole | padded | withPriority)],
    allowed: [...protocolError, ...sizeError],
  },
  {
    name: '5.3 of RFC 7540: HEADERS that depend on themselves (RFC 9113 5.3.2: ignored)',
    frames: [headers(1, Buffer.concat([u32(1), bytes(9), request]), whole | withPriority)],
    allowed: ['status 200', ...streamError('PROTOCOL_ERROR')],
  },
  {
    name: '5.3 of RFC 7540: PRIORITY that depends on itself',
    frames: [headers(1, post, 4), frame(type.priority, 0, 1, Buffer.concat([u32(1), bytes(9)]))],
    allowed: ['ignored', ...streamError('PROTOCOL_ERROR')],
  },
  {
    name: '9218 7.1: PRIORITY_UPDATE on a stream',
    frames: [frame(0x10, 0, 1, Buffer.concat([u32(1), Buffer.from('u=1')]))],
    allowed: protocolError,
  },
  {
    name: '9218 7.1: PRIORITY_UPDATE for stream 0',
    frames: [frame(0x10, 0, 0, u32(0))],
    allowed: protocolError,
  },
  {
    name: '9218 7.1: PRIORITY_UPDATE of 3 bytes',
    frames: [frame(0x10, 0, 0, bytes(0, 0, 1))],
    allowed: [...sizeError, ...protocolError],
  },
  {
    name: '9218 7.1: PRIORITY_UPDATE of an idle stream',
    frames: [frame(0x10, 0, 0, Buffer.concat([u32(1), Buffer.from('u=0, i')])), headers(1)],
    allowed: ['status 200'],
  },
  {
    name: '9218 4: a priority that cannot be parsed',
    frames: [headers(1, fieldsOf({}, [['priority', 'u=99, ;;']]))],
    allowed: ['status 200'],
  },
];

const tables: [string, Case[]][] = [['frames where they may not be', misplaced]];
for (const [name, cases] of tables) {
  t.test(name, async (t) => runCases(t, await startHttp2(t, files), cases));
}
