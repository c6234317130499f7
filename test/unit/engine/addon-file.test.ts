// SPDX-License-Identifier: Apache-2.0
// Which file is loaded as the addon, and what is said when there is none or it does not load.

import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import {
  loadAddon,
  type Machine,
  missingAddon,
  unfitAddon,
} from '../../../src/engine/addon-file.js';

const board: Machine = { platform: 'linux', arch: 'arm', armv: '7', glibc: '2.39', napi: '9' };

/** A package directory with empty files at the given paths. */
function packageWith(directory: string, paths: string[]): string {
  for (const path of paths) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), '');
  }
  return directory;
}

const armv7 = 'prebuilds/linux-arm/spliced.armv7.glibc.node';
const x64 = 'prebuilds/linux-x64/spliced.glibc.node';

t.test('nothing fits: what was looked for, what is there, what to do', async (t) => {
  const empty = missingAddon(t.testdir(), board);
  t.match(
    empty,
    /looked in \S+ for build\/Release\/\*\.node and prebuilds\/linux-arm\/\*\.node that fit platform=linux arch=arm armv=7 libc=glibc 2\.39 napi=9; there are no prebuilds; "npm start"/,
  );
  const shipped = packageWith(t.testdir(), [armv7, x64, 'prebuilds/THIRD-PARTY-NOTICES']);
  const cases: [Partial<Machine>, RegExp][] = [
    [{ arch: 'riscv64', armv: '' }, /fit platform=linux arch=riscv64 libc=.*build it from source/],
    [{ armv: '6' }, /armv=6.*for ARMv7: if the processor is one or newer, set ARM_VERSION=7/],
    [{ armv: 'default' }, /set ARM_VERSION=7/],
    [{ glibc: undefined }, /libc=not glibc.*prebuilds are for glibc/],
    [{ platform: 'darwin' }, /prebuilds\/darwin-arm.*spliced needs Linux/],
  ];
  for (const [difference, expected] of cases) {
    const line = missingAddon(shipped, { ...board, ...difference });
    t.match(line, expected, JSON.stringify(difference));
    t.match(line, `there are ${armv7}, ${x64};`);
  }
});

t.test('what the loader refuses', async (t) => {
  const cases: [string, RegExp][] = [
    ["/lib/libc.so.6: version `GLIBC_2.34' not found (required by x)", /needs glibc 2\.34/],
    ['x: undefined symbol: SSL_CTX_new', /takes OpenSSL 3 from Node/],
    ['x: undefined symbol: napi_throw', /needs Node 20/],
    ['libstdc++.so.6: cannot open shared object file: No such file', /install the library/],
    ['x: wrong ELF class: ELFCLASS64', /damaged or for another machine/],
    ['something else', /build it from source/],
  ];
  for (const [reason, expected] of cases) {
    const line = unfitAddon('/opt/x.node', reason, board);
    t.match(line, expected);
    t.match(line, `/opt/x.node does not load: ${reason}; this is platform=linux arch=arm armv=7`);
  }
});

t.test('the file is found and loaded by its place', async (t) => {
  const own = `prebuilds/linux-${process.arch}/spliced.glibc.node`;
  const directory = packageWith(t.testdir(), [own]);
  t.throws(() => loadAddon(directory), {
    name: 'StartError',
    message: /prebuilds.*does not load: .*file too short/,
  });
  cpSync('build/Release/spliced.node', join(directory, 'build/Release/spliced.node'), {
    recursive: true,
  });
  t.match(loadAddon(directory), { Service: Function }, 'what the checkout built goes first');
  const maps = readFileSync('/proc/self/maps', 'utf8');
  t.match(maps, join(directory, 'build/Release/spliced.node'));
  t.throws(() => loadAddon(t.testdir()), { message: /the native addon is missing/ });
});
