// SPDX-License-Identifier: Apache-2.0
// Finds the file of the addon by node-gyp-build, and says in one line why there is none or why it does
// not load: what was looked for, what is there, what to do. Used by native.ts.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import nodeGypBuild from 'node-gyp-build';
import { reasonOf, StartError } from '../base/start-error.js';

/** What decides which prebuild fits. */
export interface Machine {
  platform: string;
  arch: string;
  /** "7" for ARMv7, as node-gyp-build compares it; empty where it plays no part. */
  armv: string;
  /** Of the running process; undefined: it is not glibc. */
  glibc: string | undefined;
  /** The newest Node-API that this Node has. */
  napi: string;
}

export function thisMachine(): Machine {
  const { ARM_VERSION: given } = process.env;
  const variables = process.config.variables as { arm_version?: string | number };
  const own = process.arch === 'arm64' ? '8' : String(variables.arm_version ?? '');
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return {
    platform: process.platform,
    arch: process.arch,
    armv: given || own,
    glibc: report.header?.glibcVersionRuntime,
    napi: process.versions.napi ?? 'none',
  };
}

function describe({ platform, arch, armv, glibc, napi }: Machine): string {
  const libc = glibc === undefined ? 'not glibc' : `glibc ${glibc}`;
  const version = armv === '' ? '' : ` armv=${armv}`;
  return `platform=${platform} arch=${arch}${version} libc=${libc} napi=${napi}`;
}

const listOf = (directory: string): string[] => {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
};

/** The prebuilds that came with the package, as paths beneath it. */
function prebuildsIn(directory: string): string[] {
  return listOf(join(directory, 'prebuilds')).flatMap((tuple) =>
    listOf(join(directory, 'prebuilds', tuple))
      .filter((name) => name.endsWith('.node'))
      .map((name) => `prebuilds/${tuple}/${name}`),
  );
}

const fromSource = 'build it from source ("npm start" in a checkout does)';

function adviceFor(machine: Machine, present: string[]): string {
  const own = `prebuilds/${machine.platform}-${machine.arch}/`;
  if (machine.platform !== 'linux') return 'spliced needs Linux';
  if (machine.glibc === undefined) return `prebuilds are for glibc: ${fromSource}`;
  if (machine.arch === 'arm' && present.some((path) => path.startsWith(own))) {
    return `the prebuild is for ARMv7: if the processor is one or newer, set ARM_VERSION=7, else ${fromSource}`;
  }
  return present.length === 0 ? '"npm start" in the project builds it' : fromSource;
}

/** The one line for a machine for which there is no file. */
export function missingAddon(directory: string, machine: Machine): string {
  const present = prebuildsIn(directory);
  const places = `build/Release/*.node and prebuilds/${machine.platform}-${machine.arch}/*.node`;
  const found = present.length === 0 ? 'no prebuilds' : present.join(', ');
  const looked = `looked in ${directory} for ${places} that fit ${describe(machine)}`;
  return `the native addon is missing: ${looked}; there are ${found}; ${adviceFor(machine, present)}`;
}

// What the loader says (glibc, elf/dl-version.c, dl-lookup.c, dl-load.c), and what to do about it.
const remedies: [RegExp, string][] = [
  [
    /version .(GLIBC|GLIBCXX|CXXABI)_/,
    `the prebuild needs glibc 2.34 and the libstdc++ of GCC 12 or newer: ${fromSource}`,
  ],
  [
    /undefined symbol: (SSL|TLS|X509|EVP|OSSL|OPENSSL)_/,
    'it takes OpenSSL 3 from Node: use a Node that was built with it',
  ],
  [/undefined symbol: napi_/, 'it needs Node 20 or newer'],
  [/cannot open shared object file/, 'install the library that is named'],
  [/ELF|file too short/, 'the file is damaged or for another machine: install the package again'],
];

/** The one line for a file that the loader refused. */
export function unfitAddon(file: string, reason: string, machine: Machine): string {
  const remedy = remedies.find(([pattern]) => pattern.test(reason))?.[1] ?? fromSource;
  return `the native addon ${file} does not load: ${reason}; this is ${describe(machine)}; ${remedy}`;
}

/** Loads the addon of the package in `directory`: what this checkout built, else the prebuild. */
export function loadAddon(directory: string): unknown {
  let file: string;
  try {
    file = nodeGypBuild.resolve(directory);
  } catch {
    throw new StartError(missingAddon(directory, thisMachine()));
  }
  try {
    return nodeGypBuild(directory);
  } catch (error) {
    throw new StartError(unfitAddon(file, reasonOf(error), thisMachine()));
  }
}
