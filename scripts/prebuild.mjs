// SPDX-License-Identifier: Apache-2.0
// `npm run prebuild [-- --target x64|arm64|armv7]...`: the addon for every target of cross/, into
// prebuilds/, by prebuildify and Debian's cross compilers on an x86-64 machine. What has not changed
// is not built again. (npm would run it before `npm run build` too, by its name; ignore-scripts in .npmrc
// prevents that.)
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { findingsInPrebuild } from '../cross/gate.mjs';
import { prebuildPath, targets } from '../cross/targets.mjs';
import { describePackage, noticesOf } from './bundled.mjs';
import {
  ensureModules,
  hashOf,
  listFiles,
  projectDir,
  run,
  runScript,
  unlessDone,
} from './setup.mjs';
import { buildPackages, ensurePackages, findNodeHeaders, SetupError, which } from './system.mjs';

export const compilerOf = ({ compilerPackage, name, triplet }) => ({
  name: compilerPackage,
  reason: `compiles the addon for ${name}`,
  present: () => Boolean(which(`${triplet}-g++`) && which(`${triplet}-strip`)),
});

const manifest = () => JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8'));

/** The directory of a target's sysroot; throws what could not be fetched. */
export function sysrootOf({ debianArchitecture, name }) {
  const result = spawnSync(join(projectDir, 'cross/get-sysroot'), [debianArchitecture], {
    encoding: 'utf8',
  });
  if (result.status !== 0) {
    throw new SetupError(`The sysroot of ${name} could not be laid out:\n${result.stderr}`);
  }
  return result.stdout.trim();
}

/**
 * A copy of what the addon is built from. prebuildify builds in the package's own build/ and empties
 * it first, and the build of this checkout must stay.
 */
function stage({ name }) {
  const directory = join(projectDir, 'build/prebuild', name);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const path of ['native', 'binding.gyp', 'package.json']) {
    cpSync(join(projectDir, path), join(directory, path), { recursive: true });
  }
  symlinkSync(join(projectDir, 'node_modules'), join(directory, 'node_modules'));
  return directory;
}

/** The environment that node-gyp's makefiles take the toolchain from. */
export function toolchainOf({ cflags, triplet }, sysroot, nodedir) {
  const tool = (name) => `${triplet}-${name}`;
  return {
    CC: tool('gcc'),
    CXX: tool('g++'),
    AR: tool('ar'),
    LINK: tool('g++'),
    CPPFLAGS: `-isystem ${sysroot}/usr/include -isystem ${sysroot}/usr/include/${triplet}`,
    CFLAGS: cflags.join(' '),
    CXXFLAGS: cflags.join(' '),
    LDFLAGS: `-Wl,--as-needed -L${sysroot}/usr/lib/${triplet}`,
    JOBS: 'max',
    // With it node-gyp uses these headers and never fetches any. They serve every target: what
    // differs between architectures is chosen inside them by the compiler's macros.
    npm_config_nodedir: nodedir,
  };
}

async function prebuild(target, nodedir) {
  const sysroot = sysrootOf(target);
  const inputs = [
    ...listFiles('native').filter((path) => !path.endsWith('.md')),
    `cross/${target.name}.mjs`,
    'binding.gyp',
    'scripts/prebuild.mjs',
  ];
  const { version, devDependencies: pinned } = manifest();
  const tools = [pinned['node-addon-api'], pinned['node-gyp'], pinned.prebuildify];
  const output = prebuildPath(target);
  const hash = hashOf(inputs, [process.version, nodedir, version, ...tools]);
  await unlessDone(`build/stamps/prebuild-${target.name}`, hash, [join(projectDir, output)], () => {
    console.error(`spliced: building ${output}`);
    rmSync(join(projectDir, `prebuilds/linux-${target.arch}`), { recursive: true, force: true });
    const directory = stage(target);
    const prebuildify = join(projectDir, 'node_modules/prebuildify/bin.js');
    const args = [
      prebuildify,
      '--napi',
      '--platform=linux',
      `--arch=${target.arch}`,
      `--target=${process.versions.node}`,
      ...(target.armv ? [`--tag-armv=${target.armv}`] : []),
      '--tag-libc',
      '--libc=glibc',
      '--strip',
      `--strip-bin=${target.triplet}-strip`,
      `--out=${projectDir}`,
    ];
    const environment = toolchainOf(target, sysroot, nodedir);
    run(`The prebuild of ${target.name}`, process.execPath, args, { cwd: directory, environment });
    rmSync(directory, { recursive: true, force: true });
  });
  const findings = findingsInPrebuild(join(projectDir, output), target);
  if (findings.length > 0) throw new SetupError(`${output}\n  ${findings.join('\n  ')}`);
  return join(projectDir, output);
}

/** What prebuilds are made with: compilers and sysroots. Throws what this machine cannot have. */
export function ensureCrossTools(wanted = targets) {
  if (process.arch !== 'x64') {
    throw new SetupError(`Prebuilds are made on x86-64; this machine is ${process.arch}.`);
  }
  ensurePackages([...buildPackages, ...wanted.map(compilerOf)]);
  for (const target of wanted) sysrootOf(target);
}

/** What is compiled and linked into every prebuild, as bundledPackages() says it of the bundle. */
export function insidePrebuilds() {
  const liburing = new Map();
  for (const target of targets) {
    const sysroot = sysrootOf(target);
    const list = readFileSync(join(sysroot, 'packages'), 'utf8');
    const version = /^liburing-dev (\S+) /m.exec(list)?.[1];
    const copyright = join(sysroot, 'usr/share/doc/liburing-dev/copyright');
    const texts = [readFileSync(copyright, 'utf8')];
    // The library may be had under the LGPL or this; we take this.
    liburing.set(version, { name: 'liburing', version, licence: 'MIT', texts });
  }
  // The headers, and the table of media types.
  const packages = ['node-addon-api', 'mime-db'].map((name) =>
    describePackage(join(projectDir, 'node_modules', name)),
  );
  return [...liburing.values(), ...packages];
}

/** Makes the prebuilds that are out of date, judges them all; the answer has their paths. */
export async function ensurePrebuilds(wanted = targets) {
  ensureCrossTools(wanted);
  await ensureModules();
  const headers = findNodeHeaders();
  if (!headers) throw new SetupError("Node's headers are missing: set npm_config_nodedir.");
  const files = [];
  for (const target of wanted) files.push(await prebuild(target, headers.nodedir));
  writeFileSync(join(projectDir, 'prebuilds/THIRD-PARTY-NOTICES'), noticesOf(insidePrebuilds()));
  return files;
}

function wantedTargets() {
  const { values } = parseArgs({ options: { target: { type: 'string', multiple: true } } });
  if (values.target === undefined) return targets;
  return values.target.map((name) => {
    const target = targets.find((entry) => entry.name === name);
    if (target) return target;
    const known = targets.map((entry) => entry.name).join(', ');
    throw new SetupError(`There is no target "${name}"; there are: ${known}.`);
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await runScript(async () => {
    for (const file of await ensurePrebuilds(wantedTargets())) {
      console.log(`${(statSync(file).size / 1024).toFixed(0).padStart(5)} KiB  ${file}`);
    }
    return 0;
  });
}
