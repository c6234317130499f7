// SPDX-License-Identifier: Apache-2.0
// What a directory can have in store for a file server, over the real addon: files that change while
// they are sent, what is no regular file, ways out of the root, and offsets beyond 32 bits. The
// length promised is the length sent, or the connection ends visibly: never a wrong body that looks
// complete.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ServiceOptions } from '../../src/engine/native.js';
import { connectRaw, get, type Running, startService } from './service.js';

const size = 20_000_000;
const original = Buffer.alloc(size);
for (let i = 0; i < size; i += 4) original.writeUInt32LE(i, i);

const variants: [string, Partial<ServiceOptions>][] = [];
for (const ring of ['auto', 'epoll'] as const) variants.push([`ring ${ring}`, { ring }]);

interface Received {
  promised: number;
  body: Buffer;
  /** The end was close_notify and not a reset or a bare FIN. */
  isOrderly: boolean;
}

/** Reads the head and some of the body, lets `change` happen, and reads to the end. */
async function downloadAcross(running: Running, change: () => void): Promise<Received> {
  const socket = await connectRaw(running);
  const chunks: Buffer[] = [];
  let isOrderly = true;
  let isChanged = false;
  const ended = new Promise<void>((resolve) => {
    socket.on('error', () => {
      isOrderly = false;
    });
    socket.on('close', () => resolve());
    socket.on('end', () => socket.end());
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      if (isChanged) return;
      isChanged = true;
      socket.pause();
      // The server fills what buffers there are, and waits.
      setTimeout(() => {
        change();
        socket.resume();
      }, 50);
    });
  });
  socket.write('GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await ended;
  const all = Buffer.concat(chunks);
  const end = all.indexOf('\r\n\r\n');
  const promised = Number(/content-length: (\d+)/i.exec(all.subarray(0, end).toString())?.[1]);
  return { promised, body: all.subarray(end + 4), isOrderly };
}

const changes: [name: string, isStillWhole: boolean, change: (path: string) => void][] = [
  ['nothing', true, () => {}],
  [
    'replaced by rename',
    true,
    (path) => {
      writeFileSync(`${path}.new`, 'other');
      renameSync(`${path}.new`, path);
    },
  ],
  ['removed', true, (path) => rmSync(path)],
  ['made unreadable', true, (path) => chmodSync(path, 0)],
  ['cut short', false, (path) => truncateSync(path, 10_000)],
  ['cut to nothing', false, (path) => truncateSync(path, 0)],
  ['appended to', true, (path) => appendFileSync(path, 'more')],
  ['touched', true, (path) => utimesSync(path, new Date(), new Date())],
  ['given an old date', true, (path) => utimesSync(path, 1, 1)],
  ['linked', true, (path) => linkSync(path, `${path}.link`)],
  ['renamed', true, (path) => renameSync(path, `${path}.1`)],
  [
    'given space behind its end',
    true,
    (path) => execFileSync('fallocate', ['-n', '-o', String(size), '-l', '1000000', path]),
  ],
  [
    'rotated: renamed, and another in its place',
    true,
    (path) => {
      renameSync(path, `${path}.1`);
      writeFileSync(path, 'new');
      appendFileSync(`${path}.1`, 'the last line of the old one');
    },
  ],
  [
    'rewritten in place',
    false,
    (path) => {
      const fd = openSync(path, 'r+');
      writeSync(fd, Buffer.alloc(size, 'x'), 0, size, 0);
      closeSync(fd);
    },
  ],
  ['replaced by a copy over it', false, (path) => writeFileSync(path, Buffer.alloc(size + 1, 'y'))],
  [
    'cut and grown again',
    false,
    (path) => {
      truncateSync(path, 0);
      truncateSync(path, size);
    },
  ],
];

const stopMs = 5_000;

for (const [variant, options] of variants) {
  for (const [name, isStillWhole, change] of changes) {
    t.test(`a file is sent, and meanwhile: ${name}; ${variant}`, async (t) => {
      const running = await startService(t, { big: original }, options);
      const got = await downloadAcross(running, () => change(join(running.root, 'big')));
      t.equal(got.promised, size);
      const isWhole = got.body.length === size;
      // A client takes a body for complete when its length is right. Then it has to be the file's.
      if (isWhole) t.ok(got.body.equals(original), 'complete: every byte is the original');
      else t.notOk(got.isOrderly && isWhole, 'incomplete');
      t.equal(isWhole, isStillWhole, isStillWhole ? 'complete' : 'ends before it is complete');
      // The client may see the end before the engine has counted it.
      running.service.stop(stopMs);
      await running.events.wait('stopped');
      const { drains } = JSON.parse(running.service.stats());
      t.equal(drains.aborted, isStillWhole ? 0 : 1, 'and is counted');
    });
  }
}

for (const [variant, options] of variants) {
  t.test(
    `two builds whose files have one date are never taken for each other, ${variant}`,
    async (t) => {
      const epoch = 1_700_000_000;
      const running = await startService(t, { file: 'one build' }, options);
      const path = join(running.root, 'file');
      utimesSync(path, epoch, epoch);
      const first = await get(running, { path: '/file' });
      const modified = String(first.headers['last-modified']);
      t.equal(Date.parse(modified), epoch * 1000);
      writeFileSync(`${path}.new`, 'another b');
      utimesSync(`${path}.new`, epoch, epoch);
      renameSync(`${path}.new`, path);
      const later = new Date(epoch * 1000 + 86_400_000).toUTCString();
      for (const date of [modified, later]) {
        for (const headers of [
          { 'If-Modified-Since': date },
          { 'If-Range': date, Range: 'bytes=4-' },
          { 'If-Unmodified-Since': date, Range: 'bytes=4-' },
        ]) {
          const answer = await get(running, { path: '/file', headers });
          t.same(
            [answer.status, answer.body.toString()],
            [200, 'another b'],
            JSON.stringify(headers),
          );
        }
      }
      const { etag } = (await get(running, { path: '/file' })).headers;
      t.not(etag, first.headers.etag);
      const part = { 'If-Range': String(etag), Range: 'bytes=4-' };
      t.equal((await get(running, { path: '/file', headers: part })).status, 206);
      const known = { 'If-None-Match': String(etag), 'If-Modified-Since': modified };
      t.equal((await get(running, { path: '/file', headers: known })).status, 304);
    },
  );

  t.test(`Last-Modified is never later than Date, ${variant}`, async (t) => {
    const running = await startService(t, { file: 'of tomorrow' }, options);
    const tomorrow = Date.now() / 1000 + 86_400;
    utimesSync(join(running.root, 'file'), tomorrow, tomorrow);
    const { headers } = await get(running, { path: '/file' });
    t.equal(headers['last-modified'], headers.date);
  });
}

async function notServed(t: Test, running: Running, path: string, why: string): Promise<void> {
  const { status, body } = await get(running, { path });
  t.ok(status === 404 || status === 400, `${why}: ${status}`);
  t.notMatch(body.toString(), /secret/, why);
}

for (const [variant, options] of variants) {
  t.test(`what is no regular file, or not beneath the root, ${variant}`, async (t) => {
    const running = await startService(t, { 'a.txt': 'a' }, options);
    const inRoot = (name: string): string => join(running.root, name);
    const outside = mkdtempSync(join(running.root, '..', 'outside-'));
    t.teardown(() => rmSync(outside, { recursive: true }));
    writeFileSync(join(outside, 'file'), 'secret');
    mkdirSync(inRoot('directory'));
    symlinkSync(join(outside, 'file'), inRoot('absolute-link'));
    symlinkSync(join('..', outside.split('/').at(-1) ?? '', 'file'), inRoot('relative-link'));
    symlinkSync(outside, inRoot('directory-link'));
    symlinkSync('loop', inRoot('loop'));
    symlinkSync('nowhere', inRoot('dangling'));
    execFileSync('mkfifo', [inRoot('fifo')]);
    const workingDirectory = process.cwd();
    process.chdir(running.root); // The name of a socket is 107 bytes at most.
    const server = createServer().listen('socket');
    await once(server, 'listening');
    process.chdir(workingDirectory);
    t.teardown(() => server.close());
    const rows: [path: string, why: string][] = [
      ['/absolute-link', 'a symbolic link to a file outside'],
      ['/relative-link', 'a relative one'],
      ['/directory-link/file', 'through a link to a directory outside'],
      ['/loop', 'a link to itself'],
      ['/dangling', 'a link to nothing'],
      ['/fifo', 'a FIFO'],
      ['/socket', 'a socket'],
      ['/directory/x/../../../a', 'above the root'],
      ['/a.txt%00.html', 'NUL'],
      ['/a.txt%0a', 'a newline'],
      ['/a.txt%0d%0aX:%20y', 'a field in a name'],
      [`/${'a'.repeat(300)}`, 'a name longer than file systems have'],
      [`/${'a/'.repeat(400)}b`, 'a deep path'],
    ];
    for (const [path, why] of rows) await notServed(t, running, path, why);
    t.equal((await get(running, { path: '/a.txt' })).body.toString(), 'a', 'and it serves on');
  });
}

t.test('a device is not opened', { skip: process.getuid?.() !== 0 && 'needs root' }, async (t) => {
  const running = await startService(t);
  execFileSync('mknod', [join(running.root, 'zero'), 'c', '1', '5']);
  await notServed(t, running, '/zero', 'a device');
});

t.test('offsets beyond 32 bits', async (t) => {
  for (const [variant, options] of variants) {
    const running = await startService(t, {}, options);
    const path = join(running.root, 'sparse');
    const total = 5 * 2 ** 30 + 11;
    const marks: [offset: number, text: string][] = [
      [2 ** 31 - 4, 'two-gib'],
      [2 ** 32 - 4, 'four-gib'],
      [total - 7, 'the-end'],
    ];
    const fd = openSync(path, 'w');
    for (const [offset, text] of marks) writeSync(fd, text, offset);
    closeSync(fd);
    const head = await get(running, { path: '/sparse', method: 'HEAD' });
    t.equal(head.headers['content-length'], String(total), variant);
    const ranges = [
      ...marks.map(([offset, text]) => [offset, offset + text.length - 1, text] as const),
      [2 ** 32, 2 ** 32 + 3, '-gib'] as const,
    ];
    for (const [first, last, text] of ranges) {
      const headers = { Range: `bytes=${first}-${last}` };
      const answer = await get(running, { path: '/sparse', headers });
      t.equal(answer.status, 206);
      t.equal(answer.headers['content-range'], `bytes ${first}-${last}/${total}`);
      t.equal(answer.body.toString(), text);
    }
    const suffix = await get(running, { path: '/sparse', headers: { Range: 'bytes=-7' } });
    t.equal(suffix.body.toString(), 'the-end');
    // Large enough not to fit in one buffer, across the border of 32 bits.
    const wide = { Range: `bytes=${2 ** 32 - 3_000_004}-${2 ** 32 + 2_999_999}` };
    const { body } = await get(running, { path: '/sparse', headers: wide });
    t.equal(body.length, 6_000_004);
    t.equal(body.subarray(3_000_000, 3_000_008).toString(), 'four-gib');
    t.ok(body.subarray(3_000_008).every((byte) => byte === 0));
    const beyond = { Range: `bytes=${total}-` };
    t.equal((await get(running, { path: '/sparse', headers: beyond })).status, 416);
  }
});
