// SPDX-License-Identifier: Apache-2.0
// What a prebuild must be, read from the file itself by readelf: it loads on the oldest user land that
// is supported, brings no second OpenSSL, and is hardened. Every rule is a function from what readelf
// said to findings. Used by scripts/prebuild.mjs for what it made, and by test/cross.
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { symbolFloor } from './targets.mjs';

function readelf(file, option) {
  const result = spawnSync('readelf', ['--wide', option, file], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
    maxBuffer: 64 << 20,
  });
  if (result.status === 0) return result.stdout;
  throw new Error(`readelf ${option} ${file}: ${result.error?.message ?? result.stderr}`);
}

const all = (text, pattern) => [...text.matchAll(pattern)].map((match) => match[1]);
const field = (text, name) => new RegExp(`^\\s*${name}:\\s*(.*?)\\s*$`, 'm').exec(text)?.[1];

/** One of --dyn-syms: { name, version, isDefined }. */
function symbolsOf(file) {
  const line = /^\s*\d+: [0-9a-f]+ +\S+ (\S+) +(GLOBAL|WEAK|UNIQUE) +\S+ +(\S+) (\S+)/gm;
  return [...readelf(file, '--dyn-syms').matchAll(line)].map(([, , binding, index, text]) => {
    const [name, version] = text.split(/@+/);
    return { name, version, isWeak: binding === 'WEAK', isDefined: index !== 'UND' };
  });
}

function isNewer(version, floor) {
  const [a, b] = [version, floor].map((text) => text.split('.').map(Number));
  const at = a.findIndex((part, index) => part !== (b[index] ?? 0));
  return at >= 0 && !(a[at] < (b[at] ?? 0));
}

function* machineRule({ file, elf }) {
  const header = readelf(file, '--file-header');
  if (field(header, 'Class') !== elf.class) yield `is ${field(header, 'Class')}, not ${elf.class}`;
  if (field(header, 'Machine') !== elf.machine) {
    yield `is for ${field(header, 'Machine')}, not ${elf.machine}`;
  }
}

function* dynamicRule({ file, elf }) {
  const dynamic = readelf(file, '--dynamic');
  const needed = all(dynamic, /\(NEEDED\).*\[(.*)\]/g).sort();
  if (needed.join() !== elf.needed.join()) {
    yield `needs the libraries ${needed.join(' ')}; expected ${elf.needed.join(' ')}`;
  }
  if (/\((RPATH|RUNPATH)\)/.test(dynamic)) yield 'has a library path (RPATH or RUNPATH)';
  if (/\(TEXTREL\)/.test(dynamic)) yield 'has relocations in its code (TEXTREL)';
  if (!/\(FLAGS(_1)?\).*\b(BIND_NOW|NOW)\b/.test(dynamic)) yield 'binds lazily (no BIND_NOW)';
}

function* segmentRule({ file }) {
  const segments = readelf(file, '--program-headers');
  const stack = /^ +GNU_STACK .* ([R ][W ][E ]) +\S+$/m.exec(segments)?.[1];
  if (stack !== 'RW ') yield 'does not say that its stack is not executable';
  if (!/^ +GNU_RELRO /m.test(segments)) yield 'has no RELRO segment';
  if (/^ +LOAD .* RWE /m.test(segments)) yield 'has a segment that is writable and executable';
}

// What the compiler's checks leave behind: calls of their handlers (fortified functions of glibc that
// remain where a size is not known to be right, and the stack protector's).
function* checkedRule({ file }) {
  const called = symbolsOf(file).map(({ name }) => name);
  if (!called.includes('__stack_chk_fail')) yield 'has no stack protector';
  const isFortified = (name) => name !== '__stack_chk_fail' && /^__\w+_chk$/.test(name);
  if (!called.some(isFortified)) yield 'calls no fortified function (_FORTIFY_SOURCE)';
}

// What each function begins with, and what the file's note promises of all of its code.
function* branchRule({ file, elf }) {
  if (elf.branch === undefined) return;
  const { mark, instruction, what } = elf.branch;
  const properties = /Properties: (.*)/.exec(readelf(file, '--notes'))?.[1] ?? '';
  if (mark !== undefined && !properties.split(/[ ,]+/).includes(mark)) {
    yield `has no ${mark} mark in its notes`;
  }
  const code = readFileSync(file);
  if (!code.includes(Buffer.from(instruction, 'hex'))) yield `has no ${what}`;
}

function* stripRule({ file }) {
  const sections = readelf(file, '--sections');
  if (/ \.(symtab|debug_\w+) /.test(sections)) yield 'is not stripped';
}

function* versionRule({ file }) {
  const names = new Set(all(readelf(file, '--version-info'), / Name: (\S+) /g));
  for (const name of names) {
    const [, family, version] = /^([A-Z]+(?:_[A-Z]+)*)_([\d.]+)$/.exec(name) ?? [];
    const floor = symbolFloor[family];
    if (floor === undefined) yield `needs ${name}, of which no floor is known`;
    else if (isNewer(version, floor)) yield `needs ${name}, newer than ${family}_${floor}`;
  }
}

// What the node process has: Node-API, and OpenSSL without a version (Debian's has one, Node's own has
// none, and an unversioned reference is content with either).
const fromNode =
  /^(napi_|node_api_|(SSL|TLS|X509|ASN1|BIO|CONF|CRYPTO|ERR|EVP|NCONF|OPENSSL|OSSL|PEM|RAND|UI|GENERAL_NAMES?)_|HMAC$|(i2d|d2i)_)/;
// In a process whose OpenSSL was built with 32-bit time_t these would read half of an argument.
const takesTimeT =
  /^(X509_(cmp_time|time_adj)|(X509_VERIFY_PARAM|X509_STORE_CTX)_[gs]et_time|ASN1_\w*TIME_(set|adj|cmp_time_t)$|OPENSSL_gmtime|SSL_SESSION_[gs]et_time_ex|SSL_CTX_flush_sessions_ex)/;
const exported = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

function* symbolRule({ file }) {
  const symbols = symbolsOf(file);
  const shown = symbols.filter(({ isDefined }) => isDefined).map(({ name }) => name);
  if (shown.sort().join() !== exported.join()) yield `exports ${shown.length} symbols: ${shown}`;
  for (const { name, version, isDefined, isWeak } of symbols) {
    if (isDefined) continue;
    if (takesTimeT.test(name)) yield `calls ${name}, whose time_t is 32 bits in some processes`;
    if (version === undefined && !isWeak && !fromNode.test(name)) yield `has ${name} from nowhere`;
  }
}

// glibc has these under another name for 64-bit time or offsets; the plain one is the 32-bit one.
const narrow = new Set(
  `adjtimex clock_gettime clock_nanosleep fcntl fstat futimens getsockopt gettimeofday gmtime gmtime_r
  ioctl localtime localtime_r lstat mktime nanosleep recvmmsg recvmsg select sendmsg setsockopt stat
  fstatat time timegm utimensat fallocate fopen fstatfs ftruncate getrlimit lseek mmap open openat pread
  preadv preadv2 pwrite pwritev readdir sendfile setrlimit statfs truncate`.split(/\s+/),
);

function* wideRule({ file, elf }) {
  if (elf.class !== 'ELF32') return;
  for (const { name, isDefined } of symbolsOf(file)) {
    if (!isDefined && narrow.has(name)) yield `calls the 32-bit ${name}`;
  }
}

function* floatRule({ file, elf }) {
  if (elf.machine !== 'ARM') return;
  const attributes = readelf(file, '--arch-specific');
  const wanted = {
    Tag_CPU_arch: 'v7',
    Tag_FP_arch: 'VFPv3-D16',
    Tag_ABI_VFP_args: 'VFP registers',
    Tag_Advanced_SIMD_arch: undefined,
  };
  for (const [tag, value] of Object.entries(wanted)) {
    const found = field(attributes, tag);
    if (found !== value) yield `has ${tag} ${found ?? 'absent'}, not ${value ?? 'absent'}`;
  }
}

function* sizeRule({ file, elf }) {
  const kib = Math.ceil(statSync(file).size / 1024);
  if (kib > elf.kibMax) yield `has ${kib} KiB; its budget is ${elf.kibMax}`;
}

const rules = [
  machineRule,
  dynamicRule,
  segmentRule,
  checkedRule,
  branchRule,
  stripRule,
  versionRule,
  symbolRule,
  wideRule,
  floatRule,
  sizeRule,
];

/** Everything that is wrong with `file` as a prebuild of `target`, a sentence each. */
export function findingsInPrebuild(file, { elf }) {
  return rules.flatMap((rule) => [...rule({ file, elf })]);
}
