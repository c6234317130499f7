// SPDX-License-Identifier: Apache-2.0
// The initramfs of a board: user land, kernel modules, then the product and its tests as one more archive
// (the kernel unpacks one after the other). What comes from Debian is laid out once by lab/. With the
// project as working directory.
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { targets } from '../../../cross/targets.mjs';
import type { Architecture, Machine } from './machines.js';

// Of what runs on a board with a process or an answer. The machine's own limit ends it all.
const patience = 6;
const archiveBytesMax = 64 << 20;

/** What a board boots; files of the host. */
export interface Image {
  emulator: string;
  kernel: string;
  deviceTree?: string;
  initramfs: string;
}

function run(command: string, args: string[], input?: string): Buffer {
  const options = { input: input ?? '', maxBuffer: archiveBytesMax };
  const { status, stdout, stderr, error } = spawnSync(command, args, options);
  if (status !== 0) {
    throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr.toString()}`);
  }
  return stdout;
}

/** Boards cannot run on this machine; the message says why. */
export class Unable extends Error {}

function directoryFrom(script: string, ...args: string[]): string {
  try {
    return run(script, args).toString().trim();
  } catch (error) {
    throw new Unable(String(error).trim().split('\n').slice(-2).join(' '));
  }
}

function targetOf(architecture: Architecture) {
  const target = targets.find((entry) => entry.debianArchitecture === architecture);
  if (target === undefined) throw new Error(`cross/ has no target for ${architecture}`);
  return target;
}

/** The addon, and the client and the servers of the guest tests, by the cross compiler; their directory. */
function crossBuild(architecture: Architecture): string {
  const { name, triplet } = targetOf(architecture);
  if (process.arch !== 'x64') throw new Unable(`made on x86-64; this machine is ${process.arch}`);
  run(process.execPath, ['scripts/prebuild.mjs', '--target', name]);
  const sysroot = run('cross/get-sysroot', [architecture]).toString().trim();
  const out = join('build/board', architecture);
  const include = `${sysroot}/usr/include`;
  run('make', [
    '-s',
    '-j2',
    ...['-C', 'test/guest', `OUT=../../${out}`, `CXX=${triplet}-g++`],
    `CPPFLAGS=-isystem ${include} -isystem ${include}/${triplet} -Wno-psabi`,
    `OPENSSL=-L${sysroot}/usr/lib/${triplet} -l:libssl.a -l:libcrypto.a`,
  ]);
  return out;
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function environmentOf(machine: Machine): string {
  const { modules, template, slowness, limitS } = machine;
  return [
    `BOARD_TIME=${Math.floor(Date.now() / 1000)}`,
    `BOARD_MODULES=${quoted(modules.join(' '))}`,
    `BOARD_TEMPLATE=${quoted(template ?? '')}`,
    // Before the host gives up, the board says what hangs.
    `BOARD_PATIENCE=${limitS - 30}`,
    `export SPLICED_TEST_SLOWNESS=${slowness} SPLICED_TEST_PATIENCE=${patience}`,
    '',
  ].join('\n');
}

function projectArchive(machine: Machine, directory: string): Buffer {
  const root = join(directory, 'root');
  const project = join(root, 'spliced');
  mkdirSync(join(project, 'build'), { recursive: true });
  const addons = `prebuilds/linux-${targetOf(machine.userland).arch}`;
  for (const path of ['dist', 'package.json', addons, 'test/guest/inside', 'test/board/inside']) {
    cpSync(path, join(project, path), { recursive: true });
  }
  cpSync(join('build/board', machine.userland), join(project, 'build/guest'), { recursive: true });
  copyFileSync('test/board/inside/init', join(root, 'init'));
  writeFileSync(join(root, 'board.env'), environmentOf(machine));
  const pack = 'cd "$0" && find . | cpio --quiet -o -H newc -R 0:0';
  return run('sh', ['-c', pack, root]);
}

/** Builds what is missing, and writes the initramfs into `directory`. */
export function makeImage(machine: Machine, directory: string): Image {
  const emulator = directoryFrom(machine.emulator);
  const kernel = directoryFrom('test/board/lab/get-kernel', machine.kernel);
  const userland = directoryFrom('test/board/lab/get-userland', machine.userland);
  crossBuild(machine.userland);
  const initramfs = join(directory, 'initramfs');
  writeFileSync(initramfs, readFileSync(join(userland, 'userland.cpio')));
  const rest = [readFileSync(join(kernel, 'modules.cpio')), projectArchive(machine, directory)];
  writeFileSync(initramfs, Buffer.concat(rest), { flag: 'a' });
  rmSync(join(directory, 'root'), { recursive: true });
  return {
    emulator: join(emulator, 'run'),
    kernel: join(kernel, 'vmlinuz'),
    ...(machine.deviceTree && { deviceTree: join(kernel, 'dtb', machine.deviceTree) }),
    initramfs,
  };
}
