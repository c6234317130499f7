// SPDX-License-Identifier: Apache-2.0
// RFC 9113 8 and RFC 7541 by frames written by hand: field blocks that cannot be unpacked, pseudo-header
// fields, fields of a connection, bodies whose length is not what was said.

import t from 'tap';
import { fieldBlock, frame, requestFields, startHttp2, type } from './http2.js';
import {
  bytes,
  type Case,
  data,
  fieldsOf,
  headers,
  post,
  runCases,
  streamError,
} from './http2-conformance.js';

const files = { 'index.html': '<p>hello</p>', 'a.txt': 'abc' };
const malformed = streamError('PROTOCOL_ERROR');

const without = (name: string) => fieldsOf({ [name]: undefined });
const pseudo: Case[] = [
  { name: 'no :method', frames: [headers(1, without(':method'))], allowed: malformed },
  { name: 'no :scheme', frames: [headers(1, without(':scheme'))], allowed: malformed },
  { name: 'no :path', frames: [headers(1, without(':path'))], allowed: malformed },
  {
    name: 'neither :authority nor host',
    frames: [headers(1, without(':authority'))],
    allowed: ['status 400', ...malformed],
  },
  {
    name: 'host instead of :authority',
    frames: [headers(1, [...without(':authority'), ['host', 'localhost']])],
    allowed: ['status 200'],
  },
  {
    name: 'host beside another :authority',
    frames: [headers(1, fieldsOf({}, [['host', 'example.net']]))],
    allowed: malformed,
  },
  {
    name: 'host beside the same :authority',
    frames: [headers(1, fieldsOf({}, [['host', 'localhost']]))],
    allowed: ['status 200'],
  },
  {
    name: 'two hosts',
    frames: [
      headers(
        1,
        fieldsOf({}, [
          ['host', 'localhost'],
          ['host', 'localhost'],
        ]),
      ),
    ],
    allowed: ['status 400', ...malformed],
  },
  ...[':method', ':scheme', ':path', ':authority'].map(
    (name): Case => ({
      name: `two ${name}`,
      frames: [
        headers(
          1,
          requestFields('/').flatMap((of): [string, string][] =>
            of[0] === name ? [of, of] : [of],
          ),
        ),
      ],
      allowed: malformed,
    }),
  ),
  ...[':method', ':scheme', ':path', ':authority'].map(
    (name): Case => ({
      name: `${name} behind a regular field`,
      frames: [
        headers(1, [
          ...without(name),
          ['a', 'b'],
          ...requestFields('/').filter((of) => of[0] === name),
        ]),
      ],
      allowed: malformed,
    }),
  ),
  {
    name: 'an unknown one',
    frames: [headers(1, [...requestFields('/'), [':x', 'y']])],
    allowed: malformed,
  },
  {
    name: 'one of responses',
    frames: [headers(1, [...requestFields('/'), [':status', '200']])],
    allowed: malformed,
  },
  {
    name: ':protocol, which was not offered',
    frames: [headers(1, [...fieldsOf({ ':method': 'CONNECT' }), [':protocol', 'websocket']], 4)],
    allowed: malformed,
  },
  {
    name: 'one in trailers',
    frames: [headers(1, post, 4), data(1), headers(1, fieldBlock([[':path', '/']]))],
    allowed: malformed,
  },
  { name: 'an empty :path', frames: [headers(1, fieldsOf({ ':path': '' }))], allowed: malformed },
  {
    name: 'a :path without a slash',
    frames: [headers(1, fieldsOf({ ':path': 'a.txt' }))],
    allowed: ['status 400', ...malformed],
  },
  {
    name: ':path * of a GET',
    frames: [headers(1, fieldsOf({ ':path': '*' }))],
    allowed: ['status 400', ...malformed],
  },
  {
    name: 'an absolute :path',
    frames: [headers(1, fieldsOf({ ':path': 'https://localhost/' }))],
    allowed: ['status 400', ...malformed],
  },
  {
    name: 'a :path of two words',
    frames: [headers(1, fieldsOf({ ':path': '/ HTTP/1.1' }))],
    allowed: ['status 400', ...malformed],
  },
  {
    name: 'a :path with a fragment',
    frames: [headers(1, fieldsOf({ ':path': '/#x' }))],
    allowed: ['status 400', ...malformed],
  },
  {
    name: 'an empty :method',
    frames: [headers(1, fieldsOf({ ':method': '' }))],
    allowed: ['status 400', ...malformed],
  },
  {
    name: 'a :method that is no token',
    frames: [headers(1, fieldsOf({ ':method': 'GET /x' }))],
    allowed: ['status 400', ...malformed],
  },
  {
    name: 'a :method in lower case is another',
    frames: [headers(1, fieldsOf({ ':method': 'get' }))],
    allowed: ['status 405', 'status 501'],
  },
  {
    name: 'an empty :scheme',
    frames: [headers(1, fieldsOf({ ':scheme': '' }))],
    allowed: ['status 400', ...malformed],
  },
  {
    name: 'an empty :authority',
    frames: [headers(1, fieldsOf({ ':authority': '' }))],
    allowed: ['status 400', ...malformed],
  },
  {
    name: 'an :authority with a user (8.3.1)',
    frames: [headers(1, fieldsOf({ ':authority': 'user@localhost' }))],
    allowed: ['status 400', ...malformed],
  },
  {
    name: 'an :authority with a blank',
    frames: [headers(1, fieldsOf({ ':authority': 'local host' }))],
    allowed: ['status 400', ...malformed],
  },
  {
    name: 'CONNECT (8.5)',
    frames: [
      headers(1, [
        [':method', 'CONNECT'],
        [':authority', 'localhost:443'],
      ]),
    ],
    allowed: ['status 405', 'status 501', 'status 400', ...malformed],
  },
  {
    name: 'CONNECT with :path (8.5)',
    frames: [headers(1, fieldsOf({ ':method': 'CONNECT' }))],
    allowed: malformed,
  },
];

const field = (name: string, value: string, allowed = malformed): Case => ({
  name: `${JSON.stringify(name)}: ${JSON.stringify(value)}`,
  frames: [headers(1, fieldsOf({}, [[name, value]]))],
  allowed,
});
const either = ['status 400', ...malformed];
const fields: Case[] = [
  field('X-Upper', 'x'),
  field('connection', 'keep-alive'),
  field('connection', 'close'),
  field('keep-alive', 'timeout=1'),
  field('proxy-connection', 'keep-alive'),
  field('transfer-encoding', 'chunked'),
  field('transfer-encoding', 'identity'),
  field('upgrade', 'h2c'),
  field('te', 'gzip'),
  field('te', 'trailers, gzip'),
  field('te', 'trailers', ['status 200']),
  field('', 'x'),
  field('a b', 'x'),
  field('a:b', 'x'),
  field('a\r\nb', 'x'),
  field('a\0', 'x'),
  field('\u00e9', 'x'),
  field('a', 'b\r\nc: d'),
  field('a', 'b\nc'),
  field('a', 'b\rc'),
  field('a', 'b\0c'),
  field('a', ' b', [...malformed, 'status 200']),
  field('a', 'b\t', [...malformed, 'status 200']),
  field('a', '', ['status 200']),
  field('a', '\u00e9', ['status 200']),
  field('a', '\u007f', either),
  field('expect', '100-continue', ['status 200', 'status 417', 'status 100']),
  field('content-length', 'x', either),
  field('content-length', '-1', either),
  field('content-length', '+0', either),
  field('content-length', '', either),
  field('content-length', '99999999999999999999', either),
  field('content-length', '0', ['status 200']),
  {
    name: 'two lengths',
    frames: [
      headers(
        1,
        fieldsOf({}, [
          ['content-length', '0'],
          ['content-length', '0'],
        ]),
      ),
    ],
    allowed: [...either, 'status 200'],
  },
  {
    name: 'two lengths that differ',
    frames: [
      headers(
        1,
        fieldsOf({}, [
          ['content-length', '0'],
          ['content-length', '1'],
        ]),
      ),
    ],
    allowed: either,
  },
  {
    name: 'cookies in parts (8.2.3)',
    frames: [
      headers(
        1,
        fieldsOf({}, [
          ['cookie', 'a=b'],
          ['cookie', 'c=d'],
        ]),
      ),
    ],
    allowed: ['status 200'],
  },
];

const said = (length: string) => fieldsOf({ ':method': 'GET' }, [['content-length', length]]);
const lengths: Case[] = [
  { name: 'a length, and no body', frames: [headers(1, said('1'))], allowed: malformed },
  {
    name: 'more than was said',
    frames: [headers(1, said('1'), 4), data(1, 'xy', 1)],
    allowed: malformed,
  },
  {
    name: 'more than was said, in two frames',
    frames: [headers(1, said('3'), 4), data(1, 'xy'), data(1, 'xy', 1)],
    allowed: malformed,
  },
  {
    name: 'less than was said',
    frames: [headers(1, said('3'), 4), data(1, 'xy', 1)],
    allowed: malformed,
  },
  {
    name: 'less than was said, and trailers',
    frames: [headers(1, said('3'), 4), data(1, 'xy'), headers(1, fieldBlock([['a', 'b']]))],
    allowed: malformed,
  },
  {
    name: 'a body behind a length of 0',
    frames: [headers(1, said('0'), 4), data(1, 'x', 1)],
    allowed: malformed,
  },
  {
    name: 'padding does not count',
    frames: [headers(1, said('2'), 4), frame(type.data, 1 | 8, 1, bytes(3, 0x61, 0x62, 0, 0, 0))],
    allowed: ['status 200'],
  },
  {
    name: 'as was said',
    frames: [headers(1, said('2'), 4), data(1, 'ab', 1)],
    allowed: ['status 200'],
  },
  {
    name: 'nothing was said',
    frames: [headers(1, requestFields('/'), 4), data(1, 'ab', 1)],
    allowed: ['status 200'],
  },
  {
    name: 'END_STREAM alone',
    frames: [headers(1, requestFields('/'), 4), data(1, '', 1)],
    allowed: ['status 200'],
  },
  {
    name: 'trailers of a connection',
    frames: [headers(1, requestFields('/'), 4), headers(1, fieldBlock([['connection', 'x']]))],
    allowed: malformed,
  },
  {
    name: 'upper case in trailers',
    frames: [headers(1, requestFields('/'), 4), headers(1, fieldBlock([['X', 'x']]))],
    allowed: malformed,
  },
  {
    name: 'a length in trailers',
    frames: [
      headers(1, requestFields('/'), 4),
      data(1),
      headers(1, fieldBlock([['content-length', '7']])),
    ],
    allowed: ['status 200', ...malformed],
  },
];

const tables: [string, Case[]][] = [
  ['pseudo-header fields (8.3)', pseudo],
  ['fields (8.2)', fields],
  ['bodies (8.1.1)', lengths],
];
for (const [name, cases] of tables) {
  t.test(name, async (t) => runCases(t, await startHttp2(t, files), cases));
}
