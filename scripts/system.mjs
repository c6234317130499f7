// SPDX-License-Identifier: Apache-2.0
// What the project needs from the operating system: one list with reasons, a check that costs a
// few stat calls, and the installation by apt-get where we may. Called by scripts/setup.mjs; it
// must run before anything is in node_modules, so it uses Node alone.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

/** A set-up step that cannot go on. Its message is the whole explanation; no stack is shown. */
export class SetupError extends Error {}

const searchPath = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`;

/** The full path of an executable, or undefined. Looks in the sbin directories too. */
export function which(command) {
  for (const directory of searchPath.split(delimiter)) {
    const candidate = join(directory, command);
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not here: look in the next directory.
    }
  }
  return undefined;
}

/** Node's own headers: beside the binary that runs, else where npm's nodedir option points. */
export function findNodeHeaders() {
  const beside = dirname(dirname(process.execPath));
  for (const nodedir of [beside, process.env.npm_config_nodedir]) {
    if (nodedir && existsSync(join(nodedir, 'include/node/node_api.h'))) {
      const hasOpenssl = existsSync(join(nodedir, 'include/node/openssl/ssl.h'));
      return { nodedir, hasOpenssl };
    }
  }
  return undefined;
}

const tool = (name, command, reason) => ({ name, reason, present: () => Boolean(which(command)) });
const file = (name, path, reason) => ({ name, reason, present: () => existsSync(path) });
const font = (name, path, reason) => file(name, `/usr/share/fonts/truetype/${path}`, reason);

/** Debian and Ubuntu packages without which the server cannot be built. */
export const buildPackages = [
  tool('g++', 'g++', 'compiles the addon'),
  tool('make', 'make', 'drives the build that node-gyp writes'),
  tool('python3', 'python3', 'node-gyp is written in Python'),
  file('liburing-dev', '/usr/include/liburing.h', 'io_uring, linked statically'),
  {
    name: 'libssl-dev',
    reason: "OpenSSL's headers, where Node ships none beside its own",
    present: () =>
      findNodeHeaders()?.hasOpenssl !== false || existsSync('/usr/include/openssl/ssl.h'),
  },
  {
    name: 'libnode-dev',
    reason: "Node's headers, where a distribution packages them apart from Node",
    present: () => findNodeHeaders() !== undefined || process.execPath !== '/usr/bin/node',
  },
];

/** A page that fits by the luck of a narrow face fits on no other machine: docs/UI.md. */
const fontPackages = [
  font(
    'fonts-dejavu-core',
    'dejavu/DejaVuSans.ttf',
    'the widest face that a system has as its own',
  ),
  font('fonts-liberation', 'liberation/LiberationSans-Regular.ttf', 'as wide as Arial'),
  font('fonts-noto-core', 'noto/NotoSans-Regular.ttf', "many systems' own face"),
  file(
    'fonts-inter',
    '/usr/share/fonts/opentype/inter/Inter-Regular.otf',
    'the face that the page asks for, and its pictures have',
  ),
];

/** What the product over its fakes needs, for its scenarios and for the fuzzer. */
const fakesPackages = [
  file('doctest-dev', '/usr/include/doctest/doctest.h', 'the framework of the native unit tests'),
  file(
    'libnghttp2-dev',
    '/usr/include/nghttp2/nghttp2.h',
    'native tests run outside Node: own nghttp2, and its header to compare with',
  ),
];

/** What the tests need on top of that. */
export const testPackages = [
  ...fakesPackages,
  file('libssl-dev', '/usr/include/openssl/ssl.h', 'native tests run outside Node: own libssl'),
  tool('curl', 'curl', 'a client that shares no code with the server'),
  tool('chromium', 'chromium', 'a browser, for what only a browser does'),
  ...fontPackages,
  tool('nginx-light', 'nginx', 'a second implementation of HTTP, to compare with'),
  tool('lighttpd', 'lighttpd', 'judges the configuration of lighttpd in docs/MIGRATION.md'),
  tool('slowhttptest', 'slowhttptest', 'attacks by slow heads, bodies and reading'),
  tool('nghttp2-client', 'h2load', 'clients of HTTP/2 that share no code with the server'),
  tool('mandoc', 'mandoc', 'judges the manual pages'),
  tool('zstd', 'zstd', 'packs siblings where Node has no zstd, and unpacks them in a test'),
  tool('openssl', 'openssl', 's_client for what curl does not do, certificates for the tests'),
  tool('openssh-client', 'ssh-keygen', 'signs and verifies a release'),
  tool('softhsm2', 'softhsm2-util', 'a token for private keys by reference'),
  tool('swtpm', 'swtpm', 'a TPM for private keys by reference'),
  tool('tpm2-tools', 'tpm2_create', 'makes keys in it'),
  tool('keyutils', 'keyctl', 'keys of the kernel, for the data partition of a guest'),
  tool('dmsetup', 'dmsetup', 'dm-crypt over that partition'),
  tool('e2fsprogs', 'mkfs.ext4', 'its file system'),
  tool('kmod', 'depmod', 'modules of the guest kernels'),
  tool('busybox-static', 'busybox', 'the first process of a guest'),
  tool('udev', 'udevadm', 'devices of a guest that boots with systemd'),
  tool('systemd', 'systemd-analyze', 'judges the units; systemd-notify; PID 1 of some guests'),
  file(
    'python3-prometheus-client',
    '/usr/lib/python3/dist-packages/prometheus_client/parser.py',
    "Prometheus' own parser, for the metrics",
  ),
  tool('iproute2', 'ip', 'brings up the loopback interface of a guest'),
  tool('patchelf', 'patchelf', "Debian's Node finds its own loader and libraries"),
  tool('cpio', 'cpio', 'packs what an emulated board boots'),
  tool('flex', 'flex', "a kernel's build: the guests' stand-in for CAAM is a module"),
  tool('bison', 'bison', 'likewise'),
  tool('bc', 'bc', 'likewise'),
  file('libelf-dev', '/usr/include/libelf.h', 'likewise'),
  tool('xz-utils', 'xz', "unpacks the kernel's source"),
  tool(
    'qemu-system-x86',
    'qemu-system-x86_64',
    'guests with several CPUs, which User-Mode Linux has not',
  ),
];

/** What takes the pictures of the page. */
export const screenshotPackages = [tool('chromium', 'chromium', 'draws the page'), ...fontPackages];

/** libFuzzer: large, so that who may not install it runs the other tests without. */
export const fuzzPackages = [
  ...fakesPackages,
  tool('clang', 'clang++', 'fuzzes the parsers, and a connection over the fakes'),
  {
    name: 'libclang-rt-dev',
    reason: "libFuzzer's and the sanitizers' libraries",
    present: () => {
      const { status, stdout } = spawnSync('clang++', ['-print-runtime-dir'], { encoding: 'utf8' });
      const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
      const files = [`libclang_rt.fuzzer-${machine}.a`, 'libclang_rt.fuzzer.a'];
      return status === 0 && files.some((name) => existsSync(join(stdout.trim(), name)));
    },
  },
];

/** What builds the QEMU with the model of CAAM (test/caam). */
export const modelPackages = [
  tool('dpkg-dev', 'dpkg-source', "unpacks Debian's source of QEMU"),
  tool('patch', 'patch', 'adds the model'),
  tool('ninja-build', 'ninja', 'drives the build of QEMU'),
  tool('pkgconf', 'pkg-config', 'finds the libraries of QEMU'),
  tool('bison', 'bison', "QEMU's build has grammars"),
  tool('flex', 'flex', "QEMU's build has grammars"),
  file('libglib2.0-dev', '/usr/include/glib-2.0/glib.h', 'QEMU is written with it'),
  file('libfdt-dev', '/usr/include/libfdt.h', 'reads the device trees of boards'),
  file('zlib1g-dev', '/usr/include/zlib.h', 'QEMU unpacks kernels'),
  {
    name: 'python3-venv',
    reason: "QEMU's configure makes an environment of its own",
    present: () => spawnSync('python3', ['-c', 'import ensurepip, venv']).status === 0,
  },
];

/** What builds guest kernels with the patch of net/tls, and compares other servers on them. */
export const kernelPackages = [
  tool('patch', 'patch', 'adds the patch'),
  tool('flex', 'flex', "a kernel's build has grammars"),
  tool('bison', 'bison', 'likewise'),
  tool('bc', 'bc', "a kernel's build computes with it"),
  file('libelf-dev', '/usr/include/libelf.h', 'objtool reads objects with it'),
  tool('xz-utils', 'xz', "unpacks the kernel's source"),
];

/** What runs the prebuilds of other architectures. */
export const emulationPackages = [
  tool('qemu-user-static', 'qemu-arm-static', 'runs programs of other architectures'),
];

/** Installs what is missing, or says the one command that does. */
export function ensurePackages(wanted) {
  const missing = wanted.filter((entry) => !entry.present());
  if (missing.length === 0) return;
  const names = [...new Set(missing.map((entry) => entry.name))];
  const why = missing.map((entry) => `  ${entry.name}: ${entry.reason}`).join('\n');
  const isRoot = process.getuid?.() === 0;
  if (!which('apt-get')) {
    throw new SetupError(`These are missing (Debian's package names):\n${why}`);
  }
  if (!isRoot) {
    const command = `sudo apt-get install -y --no-install-recommends ${names.join(' ')}`;
    throw new SetupError(
      `Some system packages are missing:\n${why}\nInstall them with:\n  ${command}`,
    );
  }
  console.error(`spliced: installing system packages\n${why}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { stdio: ['ignore', 2, 2], env };
  spawnSync('apt-get', ['-qq', 'update'], options);
  const wait = ['-o', 'DPkg::Lock::Timeout=300'];
  const install = ['-qq', ...wait, 'install', '-y', '--no-install-recommends', ...names];
  const result = spawnSync('apt-get', install, options);
  const left = missing.filter((entry) => !entry.present()).map((entry) => entry.name);
  if (result.status !== 0 || left.length > 0) {
    throw new SetupError(`apt-get did not install: ${left.join(' ') || names.join(' ')}`);
  }
}
