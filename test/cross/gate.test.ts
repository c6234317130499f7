// SPDX-License-Identifier: Apache-2.0
// Every prebuild passes the gate, and each rule of the gate finds what it is for, in a file that the
// same compilers make wrong on purpose.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findingsInPrebuild } from '../../cross/gate.mjs';
import { prebuildPath, targets } from '../../cross/targets.mjs';

for (const target of targets) {
  t.test(`the prebuild of ${target.name}`, async (t) => {
    t.same(findingsInPrebuild(prebuildPath(target), target), []);
  });
}

type Target = (typeof targets)[number];
const byName = (name: string): Target => {
  const target = targets.find((entry) => entry.name === name);
  if (target === undefined) throw new Error(name);
  return target;
};
const x64 = byName('x64');
const arm64 = byName('arm64');
const armv7 = byName('armv7');

const entry = `
  int napi_register_module_v1(void) { return 0; }
  int node_api_module_get_api_version_v1(void) { return 8; }
`;
const branch = {
  x64: ['-fcf-protection=full', '-Wl,-z,shstk'],
  arm64: ['-mbranch-protection=standard'],
} as Record<string, string[]>;
const good = ['-Wl,-z,now', '-Wl,-z,relro', '-s'];
// Whose sizes the compiler cannot know to be right.
const checked = `
  #include <string.h>
  __attribute__((visibility("hidden"))) void copy(char *to, const char *from) {
    char own[16]; strcpy(own, from); memcpy(to, own, 16);
  }
`;

/** What the gate says about a shared object of `source`, compiled for `target` with `flags`. */
function judge(directory: string, target: Target, source: string, flags: string[]): string {
  const [input, output] = [join(directory, 'a.c'), join(directory, 'a.node')];
  writeFileSync(input, entry + source);
  const args = ['-shared', '-fPIC', ...target.cflags, '-o', output, input, ...flags];
  const { status, stderr } = spawnSync(`${target.triplet}-gcc`, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return findingsInPrebuild(output, target).join('\n');
}

t.test('each rule finds what it is for', async (t) => {
  const directory = t.testdir();
  const hard = ['-O2', '-D_FORTIFY_SOURCE=3', '-fstack-protector-strong'];
  const plain = judge(directory, x64, checked, [...good, ...hard, ...(branch.x64 ?? [])]);
  t.match(plain, /^needs the libraries [^\n]*$/, 'a file without C++: nothing but its libraries');
  const wide = '#include <time.h>\nlong now(void) { return time(0); }';
  const cases: [string, Target, string, string[], RegExp][] = [
    [
      'no fortification',
      x64,
      checked,
      [...good, '-O2', '-fstack-protector-strong'],
      /_FORTIFY_SOURCE/,
    ],
    [
      'no stack protector',
      x64,
      checked,
      [...good, '-O2', '-fno-stack-protector'],
      /stack protector/,
    ],
    ['no shadow stack', x64, checked, [...good, '-fcf-protection=full'], /no SHSTK mark/],
    ['no landing pads', x64, checked, [...good, '-fcf-protection=none', '-nostdlib'], /endbr64/],
    ['no signed returns', arm64, checked, good, /paciasp/],
    ['signed returns', arm64, checked, [...good, ...(branch.arm64 ?? [])], /^(?![\s\S]*paciasp)/],
    ['library path', x64, '', [...good, '-Wl,-rpath,/opt/lib'], /library path/],
    ['lazy', x64, '', ['-Wl,-z,lazy', '-s'], /binds lazily/],
    ['no RELRO', x64, '', ['-Wl,-z,now', '-Wl,-z,norelro', '-s'], /no RELRO/],
    ['executable stack', x64, '', [...good, '-Wl,-z,execstack'], /stack/],
    ['not stripped', x64, '', ['-Wl,-z,now'], /not stripped/],
    ['export', x64, 'void more(void) {}', good, /exports 3 symbols/],
    [
      'liburing',
      x64,
      'void io_uring_submit(void); void f(void) { io_uring_submit(); }',
      good,
      /has io_uring_submit from nowhere/,
    ],
    [
      'second OpenSSL',
      x64,
      'void SSL_new(void); void f(void) { SSL_new(); }',
      [...good, '-lssl'],
      /libssl[\s\S]*needs OPENSSL_/,
    ],
    [
      'time_t',
      x64,
      'void X509_cmp_time(void); void f(void) { X509_cmp_time(); }',
      good,
      /X509_cmp_time, whose time_t/,
    ],
    [
      'newer glibc',
      x64,
      '#include <stdlib.h>\nint f(void) { return arc4random(); }',
      good,
      /needs GLIBC_2.36, newer/,
    ],
    ['32-bit time', armv7, wide, good, /calls the 32-bit time$/m],
    [
      '64-bit time',
      armv7,
      wide,
      [...good, '-D_TIME_BITS=64', '-D_FILE_OFFSET_BITS=64'],
      /^(?![\s\S]*32-bit)/,
    ],
    [
      'NEON',
      armv7,
      '',
      [...good, '-mfpu=neon'],
      /Tag_FP_arch VFPv3,[\s\S]*Tag_Advanced_SIMD_arch NEONv1/,
    ],
    [
      'float ABI',
      armv7,
      '',
      [...good, '-mfloat-abi=softfp', '-nostdlib'],
      /Tag_ABI_VFP_args absent/,
    ],
  ];
  for (const [name, target, source, flags, expected] of cases) {
    t.match(judge(directory, target, source, flags), expected, name);
  }
  t.match(findingsInPrebuild(prebuildPath(x64), armv7).join('\n'), /is ELF64, not ELF32\nis for /);
  const small = { ...x64, elf: { ...x64.elf, kibMax: 10 } };
  t.match(findingsInPrebuild(prebuildPath(x64), small), [/its budget is 10/]);
});
