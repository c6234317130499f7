// SPDX-License-Identifier: Apache-2.0
// Official binaries of Node: from npm, as an exact version with a pinned checksum, into the cache
// directory. Those of another architecture run under QEMU's user-mode emulation. Called by test.mjs, by
// official-nodes.mjs and by the tests in test/cross.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from './setup.mjs';
import { SetupError, which } from './system.mjs';

export function cacheDirectory() {
  const { SPLICED_CACHE, XDG_CACHE_HOME } = process.env;
  return SPLICED_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'spliced');
}

/** `node` is npm's package and version. */
const directoryOf = ({ node }) => join(cacheDirectory(), 'node', node);

export const nodeProgram = (wanted) => join(directoryOf(wanted), 'bin/node');

/** Fetches the Node of a target's emulator unless it is there. */
export const ensureForeignNode = ({ emulator }) => ensureNode(emulator);

/** Fetches { node, integrity } unless it is there; about 40 MB. */
export function ensureNode(wanted) {
  const directory = directoryOf(wanted);
  if (existsSync(join(directory, 'bin/node'))) return;
  mkdirSync(dirname(directory), { recursive: true });
  const work = mkdtempSync(`${directory}.`);
  try {
    const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', work, wanted.node];
    const result = spawnSync('npm', pack, { cwd: work, encoding: 'utf8', timeout: 300_000 });
    const archive = readdirSync(work).find((name) => name.endsWith('.tgz'));
    if (result.status !== 0 || archive === undefined) {
      throw new SetupError(`npm does not have ${wanted.node}: ${result.stderr}`);
    }
    const sum = createHash('sha512')
      .update(readFileSync(join(work, archive)))
      .digest('base64');
    if (`sha512-${sum}` !== wanted.integrity) {
      throw new SetupError(`${wanted.node} has the checksum ${sum}, not the expected one`);
    }
    run(`Unpacking ${archive}`, 'tar', ['-xzf', join(work, archive), '-C', work, 'package/bin']);
    rmSync(directory, { recursive: true, force: true });
    renameSync(join(work, 'package'), directory);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The command that runs the target's Node here, for spawn(): the emulator and its arguments. */
export function foreignNode({ emulator, triplet }) {
  const program = which(emulator.program) ?? emulator.program;
  return [program, '-L', `/usr/${triplet}`, nodeProgram(emulator)];
}
