// SPDX-License-Identifier: Apache-2.0
// Writes corpus/http2: scripts for the target http2 (http2.cpp has their form) in which everything happens
// once, so that the fuzzer need not find out by itself what a frame is.
//   node test/fuzz/http2-seeds.mjs
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const directory = join(dirname(fileURLToPath(import.meta.url)), 'corpus/http2');

// ---- A step: its operation, what happens behind it, and its arguments. ----
const ops = { frame: 0, ask: 4, raw: 6, window: 7, take: 8, cipher: 9, disk: 10, backend: 11 };
Object.assign(ops, { wait: 12, waitLong: 13, rarely: 14, turns: 15 });
const cipherAndPeer = 16 | 32;
const step = (op, ...args) => Buffer.from([ops[op] | cipherAndPeer, ...args.flat()]);
const uint32 = (value) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
const frame = (type, flags, stream, payload = []) =>
  step('frame', type, flags, stream, payload.length, payload);
const filler = (type, flags, stream) => step('frame', type, flags, stream, 253);

// ---- Frames. ----
const settings = (...pairs) =>
  frame(
    4,
    0,
    0,
    pairs.flatMap(([name, value]) => [0, name, ...uint32(value)]),
  );
const window = (stream, more) => step('window', stream, uint32(more));
const ping = frame(6, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8]);
const reset = (stream) => frame(3, 0, stream, uint32(8));
const goAway = frame(7, 0, 0, [...uint32(0), ...uint32(0)]);
const text = (value) => [...Buffer.from(value)];
/** HPACK: GET or POST, https, the path as a literal that is not kept, then these. */
const get = (path, more = []) => [
  0x82,
  0x87,
  0x04,
  path.length,
  ...text(path),
  0x41,
  1,
  0x61,
  ...more,
];
const post = (path) => [0x83, ...get(path).slice(1)];
const field = (name, value) => [0x40, name.length, ...text(name), value.length, ...text(value)];

// ---- Requests by which http2.cpp asks: file, application, upload; 1: END_STREAM. ----
const small = step('ask', 1);
const medium = step('ask', 3);
const large = step('ask', 5);
const cut = step('ask', 7);
const toApplication = step('ask', 8);
const events = step('ask', 11);
const upload = step('ask', 12);
const ranges = step('ask', 15);
const says = (what) => step('backend', what);
const finish = step('disk', 0);
const turns = step('turns');

const worlds = {
  kernel: [0, 255, 0],
  user: [0, 255, 1],
  'slow-cipher': [0, 40, 2],
  cold: [1 | (1 << 4), 255, 4],
  unknown: [1 | 8 | (2 << 4), 90, 8 | (5 << 4)],
  bytes: [128, 255, 0],
};
const alone = 64;

const scripts = {
  files: [settings(), small, large, cut, ranges, turns, finish, finish, turns],
  windows: [
    settings([4, 10]),
    large,
    turns,
    window(1, 50),
    window(0, 1000),
    turns,
    window(1, 200_000),
  ],
  application: [
    settings(),
    toApplication,
    filler(0, 1, 1),
    turns,
    says(0),
    events,
    turns,
    says(3),
    says(7),
  ],
  bodies: [settings(), toApplication, ...Array.from({ length: 40 }, () => filler(0, 0, 1)), turns],
  upload: [
    settings(),
    upload,
    filler(0, 0, 1),
    finish,
    turns,
    filler(0, 0, 1),
    finish,
    reset(1),
    turns,
  ],
  resets: [settings(), large, reset(1), large, reset(3), toApplication, reset(5), turns, goAway],
  priorities: [
    settings([9, 1]),
    large,
    frame(16, 0, 0, [...uint32(1), ...text('u=1, i')]),
    frame(1, 5, 3, get('/large', field('priority', 'u=7'))),
    turns,
    frame(2, 0, 3, [0, 0, 0, 1, 9]),
  ],
  blocks: [
    settings([1, 0], [3, 5], [5, 20_000], [6, 50]),
    frame(1, 1, 1, get('/small').slice(0, 6)),
    frame(9, 4, 1, get('/small').slice(6)),
    frame(1, 4, 3, post('/app/x')),
    frame(0, 8, 3, [2, 1, 0, 0]),
    frame(1, 5, 3, field('x-trailer', 'y')),
    ping,
    turns,
  ],
  malformed: [
    settings(),
    frame(1, 5, 1, [0x82, 0x87]),
    frame(1, 5, 3, get('/small', field('Connection', 'close'))),
    frame(1, 5, 5, get('/small', field('content-length', '9'))),
    frame(0, 0, 0, [1]),
    step('raw', 5, text('hello')),
  ],
  clocks: [
    settings(),
    large,
    step('waitLong', 60),
    frame(1, 0, 3, get('/small')),
    step('waitLong', 60),
    turns,
  ],
  ends: [
    settings(),
    large,
    events,
    turns,
    step('rarely', 3),
    step('waitLong', 20),
    step('rarely', 1),
    turns,
  ],
  whole: [settings(), medium, turns, finish, finish, turns, finish, finish, turns],
};

// In every second one the client is left alone at the end (http2.cpp).
mkdirSync(directory, { recursive: true });
for (const [row, [name, steps]] of Object.entries(scripts).entries())
  for (const [column, [world, [mood, ...rest]]] of Object.entries(worlds).entries()) {
    const head = Buffer.from([mood | (((row + column) % 2) * alone), ...rest]);
    writeFileSync(join(directory, `${name}-${world}`), Buffer.concat([head, ...steps]));
  }
