// SPDX-License-Identifier: Apache-2.0
// Text of others at every place where a person sees it: control characters of both sets, marks that
// turn the order of text round, separators of lines, halves of surrogate pairs and bytes that are no
// UTF-8 come out as \\uXXXX or U+FFFD, and nothing else is changed.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { isVisible, visible, visibleLines } from '../../../src/base/visible.js';
import { wrap } from '../../../src/doctor/report.js';
import { createLog } from '../../../src/log/log.js';
import { LogTail } from '../../../src/log/tail.js';
import { oneLine } from '../../../src/supervision/systemd.js';
import { refuseBadWish } from '../../../src/update/upload-wish.js';

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);
const codes = [
  ...range(0x00, 0x1f),
  ...range(0x7f, 0x9f),
  ...[0x061c, 0x200e, 0x200f],
  ...range(0x2028, 0x202e),
  ...range(0x2066, 0x2069),
  ...[0xd800, 0xdbff, 0xdc00, 0xdfff],
];
const escaped = (code: number): string => `\\u${code.toString(16).padStart(4, '0')}`;
// Not `visible`, which is what is tested.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const raw = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const harmless = 'Gerät №5 – naïve 日本 😀 "a\\b" שלום';

t.test('the rule', async (t) => {
  for (const code of codes) {
    const text = `a${String.fromCharCode(code)}b`;
    t.equal(visible(text), `a${escaped(code)}b`, escaped(code));
    t.notOk(isVisible(text));
    const isLayout = code === 0x0a || code === 0x09;
    t.equal(visibleLines(text), isLayout ? text : `a${escaped(code)}b`);
  }
  for (const same of [visible, visibleLines]) t.equal(same(harmless), harmless);
  t.ok(isVisible(harmless));
});

t.test('the log and its tail: visible, and the same JSON', async (t) => {
  const tail = new LogTail();
  const log = createLog('silent', { tail });
  log.level = 'info';
  const write = process.stdout.write;
  t.teardown(() => {
    process.stdout.write = write;
  });
  for (const code of codes) {
    const name = `a${String.fromCharCode(code)}b`;
    const place = tail.next;
    log.warn({ event: 'test', name, [name]: 1 });
    const [line = ''] = tail.read(place, 1).lines;
    t.notMatch(line, raw, escaped(code));
    const read = JSON.parse(line);
    const isHalf = code >= 0xd800;
    t.equal(isHalf ? visible(read.name) : read.name, isHalf ? `a${escaped(code)}b` : name);
  }
});

t.test('names of bundles, words for systemd, lines of doctor', async (t) => {
  for (const code of codes) {
    const name = `a${String.fromCharCode(code)}b`;
    t.throws(
      () => refuseBadWish({ name, length: 1, sha256: undefined }, 10),
      /control character/,
      escaped(code),
    );
    t.notMatch(wrap(name, 80).join('\n'), raw);
    t.notMatch(oneLine(name), raw);
  }
  t.doesNotThrow(() =>
    refuseBadWish({ name: 'Gerät 1.2.raucb', length: 1, sha256: undefined }, 10),
  );
});

t.test('what a command shows', async (t) => {
  const directory = t.testdir();
  const invalid = Buffer.from([0x61, 0xff, 0xfe, 0x80, 0x62]);
  // An error's text ends with its first line.
  const all = codes.filter((code) => ![0, 0x09, 0x0a].includes(code) && code < 0xd800);
  const name = `${all.map((code) => String.fromCharCode(code)).join('')}${invalid}`;
  const path = join(directory, 'files');
  mkdirSync(path);
  writeFileSync(join(path, name), 'x');
  const lines = [
    ['config', 'check', '--config', join(path, name)],
    ['log', '--state-dir', join(path, name)],
    ['update', 'install', 'x', '--state-dir', join(path, name)],
    [`x${name}`],
    ['serve', '--root', join(path, name), '--state-dir', directory, '--listen', '127.0.0.1:0'],
    ['doctor', `--x${name}`],
  ];
  for (const args of lines) {
    const { stdout, stderr, status } = spawnSync(process.execPath, ['dist/cli.js', ...args], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    t.not(status, 0, `${args.length} arguments: ${visible(args[0] ?? '').slice(0, 9)}`);
    t.match(
      `${stdout}${stderr}`,
      /\\u009b/,
      `${args.length} arguments: ${visible(args[0] ?? '').slice(0, 9)}`,
    );
    t.notMatch(
      `${stdout}${stderr}`.replaceAll('\t', ''),
      raw,
      `${args.length} arguments: ${visible(args[0] ?? '').slice(0, 9)}`,
    );
  }
});
