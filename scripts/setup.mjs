// SPDX-License-Identifier: Apache-2.0
// From a fresh clone to something that runs, doing only what has changed since the last time:
// system packages, npm packages, the addon, the bundle. Every step leaves a stamp that holds a
// hash of its inputs. `npm start` and `npm test` call it; `node scripts/setup.mjs` runs it alone.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { buildPackages, ensurePackages, findNodeHeaders, SetupError } from './system.mjs';

export const projectDir = dirname(dirname(fileURLToPath(import.meta.url)));
const nodeMajorMin = 20;
const addonFile = join(projectDir, 'build/Release/spliced.node');
const bundleFile = join(projectDir, 'dist/cli.js');
const bundleReportFile = join(projectDir, 'build/bundle.json');

const say = (text) => console.error(`spliced: ${text}`);

/** Every file beneath the given paths (relative to the project), sorted; missing paths are none. */
export function listFiles(...paths) {
  const found = [];
  const visit = (path) => {
    const full = join(projectDir, path);
    if (!existsSync(full)) return;
    const entries = readdirSync(full, { withFileTypes: true });
    for (const entry of entries) {
      const child = join(path, entry.name);
      if (entry.isDirectory()) visit(child);
      else if (entry.isFile()) found.push(child);
    }
  };
  for (const path of paths) {
    if (/\.[a-z]+$/.test(path)) found.push(path);
    else visit(path);
  }
  return found.sort();
}

/** A hash over files of the project and anything else that a step depends on. */
export function hashOf(paths, extra) {
  const hash = createHash('sha256').update(JSON.stringify(extra));
  for (const path of paths) {
    hash.update(`\0${path}\0`).update(readFileSync(join(projectDir, path)));
  }
  return hash.digest('hex');
}

/** Runs `step` unless its stamp says that the same inputs were done before. */
export async function unlessDone(stampPath, hash, outputs, step) {
  const stamp = join(projectDir, stampPath);
  const isDone = outputs.every((path) => existsSync(path)) && existsSync(stamp);
  if (isDone && readFileSync(stamp, 'utf8') === hash) return false;
  await step();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, hash);
  return true;
}

/** Runs a program that says nothing unless it fails; then its output is in the SetupError. */
export function run(what, command, args, { cwd = projectDir, environment = {} } = {}) {
  const result = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    env: { ...process.env, npm_config_loglevel: 'error', ...environment },
  });
  if (result.status === 0) return;
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim();
  const reason = result.error ? result.error.message : `exit code ${result.status}`;
  throw new SetupError(`${what} failed (${reason}):\n${output}`);
}

function requireNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < nodeMajorMin) {
    throw new SetupError(`Node ${nodeMajorMin} or newer is needed; this is ${process.version}.`);
  }
  if (process.platform !== 'linux') {
    throw new SetupError('spliced needs Linux: kernel TLS, splice and io_uring are its subject.');
  }
}

export async function ensureModules() {
  const hash = hashOf(['package-lock.json', '.npmrc'], [process.versions.modules, process.arch]);
  await unlessDone('node_modules/.spliced-setup', hash, [], () => {
    say('installing npm packages');
    // Development packages are the build tools, so NODE_ENV=production must not leave them out.
    run('npm ci', 'npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--ignore-scripts']);
  });
}

/** build/compile_commands.json, which clangd finds by itself. */
function describeCompilation(common) {
  const args = [...common, 'configure', '--', '-f', 'compile_commands_json'];
  run('Describing the build', process.execPath, args);
  const build = join(projectDir, 'build');
  const commands = JSON.parse(readFileSync(join(build, 'Release/compile_commands.json'), 'utf8'));
  const placed = commands.map((command) => ({ ...command, directory: build }));
  writeFileSync(join(build, 'compile_commands.json'), `${JSON.stringify(placed, null, 1)}\n`);
}

async function ensureAddon() {
  const headers = findNodeHeaders();
  if (!headers) {
    throw new SetupError(
      `Node's headers are not beside ${process.execPath} (include/node/node_api.h). Use the ` +
        'official archive of Node, or set npm_config_nodedir to the directory that holds include/node.',
    );
  }
  const inputs = [...listFiles('native'), 'binding.gyp', 'package.json'].filter(
    (path) => !path.endsWith('.md'),
  );
  const identity = [process.version, process.arch, headers.nodedir, process.env.CXX ?? ''];
  const hash = hashOf(inputs, identity);
  await unlessDone('build/stamps/addon', hash, [addonFile], () => {
    say('building the addon');
    const nodeGyp = join(projectDir, 'node_modules/node-gyp/bin/node-gyp.js');
    // A build directory of another Node or another machine is of no use; the same one is kept, so
    // that only what changed is compiled.
    const toolchain = join(projectDir, 'build/stamps/toolchain');
    const known = existsSync(toolchain) && readFileSync(toolchain, 'utf8') === identity.join('\n');
    if (!known) rmSync(join(projectDir, 'build'), { recursive: true, force: true });
    // With --nodedir node-gyp uses these headers and never fetches any.
    const common = [nodeGyp, `--nodedir=${headers.nodedir}`, '--loglevel=warn'];
    describeCompilation(common);
    run('Configuring the addon', process.execPath, [...common, 'configure']);
    run('Building the addon', process.execPath, [...common, '--jobs=max', 'build']);
    mkdirSync(dirname(toolchain), { recursive: true });
    writeFileSync(toolchain, identity.join('\n'));
  });
}

async function ensureBundle() {
  const scripts = [
    'scripts/node-version.cjs',
    'scripts/bundled.mjs',
    'scripts/compile.mjs',
    'scripts/compile-ui.mjs',
  ];
  const inputs = [...listFiles('src', 'ui'), 'package-lock.json', 'package.json', ...scripts];
  await unlessDone('dist/.stamp', hashOf(inputs, []), [bundleFile, bundleReportFile], async () => {
    say('building the program');
    const { compileServer } = await import('./compile.mjs');
    await compileServer(projectDir);
  });
}

/** Everything that `node dist/cli.js serve` needs. Throws SetupError with a readable message. */
export async function setUp(extraPackages = []) {
  requireNode();
  ensurePackages([...buildPackages, ...extraPackages]);
  await ensureModules();
  await ensureAddon();
  await ensureBundle();
}

/** Runs a script's main function; what cannot go on ends in one message and exit code 1. */
export async function runScript(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    console.error(error instanceof SetupError ? `spliced: ${error.message}` : error);
    process.exitCode = 1;
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await runScript(async () => {
    await setUp();
    say('ready: node dist/cli.js serve');
    return 0;
  });
}
