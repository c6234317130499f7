// SPDX-License-Identifier: Apache-2.0
// Header compression, right and wrong: RFC 7541, and what RFC 9113 4.3 makes of it.

import t from 'tap';
import { fieldBlock, requestFields, startHttp2 } from './http2.js';
import {
  bytes,
  type Case,
  connectionError,
  data,
  headers,
  post,
  runCases,
  setting,
  settings,
  streamError,
} from './http2-conformance.js';

const files = { 'index.html': '<p>hello</p>', 'a.txt': 'abc' };
const request = fieldBlock(requestFields('/'));
const malformed = streamError('PROTOCOL_ERROR');
const compression = connectionError('COMPRESSION_ERROR');
const block = (...parts: (Uint8Array | number[])[]) =>
  headers(1, Buffer.concat(parts.map((of) => Buffer.from(of))));
const a = fieldBlock([['a', 'b']]);

const hpack: Case[] = [
  {
    name: '2.3.3: an index beyond the tables',
    frames: [block(request, [0xff, 0x80, 0x01])],
    allowed: compression,
  },
  {
    name: '2.3.3: the first index beyond an empty dynamic table',
    frames: [block(request, [0x80 | 62])],
    allowed: compression,
  },
  { name: '6.1: index 0', frames: [block(request, [0x80])], allowed: compression },
  {
    name: '6.2.1: a name beyond the tables',
    frames: [block(request, [0x40 | 62, 1, 0x61])],
    allowed: compression,
  },
  {
    name: '6.3: a size over the limit',
    frames: [block([0x3f, 0xe2, 0x1f], request)],
    allowed: compression,
  },
  {
    name: '6.3: a size of 0, and of 4096 behind it',
    frames: [block([0x20, 0x3f, 0xe1, 0x1f], request)],
    allowed: ['status 200'],
  },
  { name: '4.2: a size in the middle', frames: [block(request, [0x20], a)], allowed: compression },
  { name: '4.2: a size at the end', frames: [block(request, [0x20])], allowed: compression },
  {
    name: '5.1: a number without end',
    frames: [block(request, [0xff, ...Array<number>(12).fill(0xff), 0x7f])],
    allowed: compression,
  },
  { name: '5.1: a number that is cut', frames: [block(request, [0xff])], allowed: compression },
  {
    name: '5.2: a string that is cut',
    frames: [block(request, [0, 5, 0x61])],
    allowed: compression,
  },
  {
    name: '5.2: Huffman with EOS',
    frames: [block(request, [0, 0x84, 0xff, 0xff, 0xff, 0xff, 0])],
    allowed: compression,
  },
  {
    name: '5.2: Huffman padded with zeros',
    frames: [block(request, [0, 0x81, 0x18, 0])],
    allowed: compression,
  },
  {
    name: '5.2: Huffman padded with more than seven bits',
    frames: [block(request, [0, 0x82, 0x1f, 0xff, 0])],
    allowed: compression,
  },
  {
    name: '6.1: fields of the static table',
    frames: [block([0x82, 0x84, 0x87], fieldBlock([[':authority', 'localhost']]))],
    allowed: ['status 200'],
  },
  {
    name: '6.2.1: a field out of the dynamic table',
    frames: [block(request, [0x40, 1, 0x61, 1, 0x62, 0xbe, 0xbe])],
    allowed: ['status 200'],
  },
  {
    name: '6.2.3: fields that are never indexed',
    frames: [
      block(
        request.map((of) => of),
        [0x10, 1, 0x61, 1, 0x62],
      ),
    ],
    allowed: ['status 200'],
  },
  {
    name: 'an error in a block of a stream that is refused anyway',
    frames: [headers(1, post, 4), headers(1, Buffer.concat([a, bytes(0x80)]))],
    allowed: compression,
  },
  {
    name: 'an error in trailers',
    frames: [headers(1, post, 4), data(1), headers(1, bytes(0x80))],
    allowed: compression,
  },
  {
    name: 'a smaller table of the client',
    frames: [settings([setting.tableSize, 0]), headers(1)],
    allowed: ['status 200'],
  },
  { name: 'an empty block', frames: [headers(1, Buffer.alloc(0))], allowed: malformed },
];

const tables: [string, Case[]][] = [['HPACK (RFC 7541)', hpack]];
for (const [name, cases] of tables) {
  t.test(name, async (t) => runCases(t, await startHttp2(t, files), cases));
}
