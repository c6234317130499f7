// SPDX-License-Identifier: Apache-2.0
// Node's official binary of another architecture, which runs under QEMU's user-mode emulation: from
// npm, as an exact version with a pinned checksum, into the cache directory. Called by test.mjs and by
// the tests in test/cross.
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

const directoryOf = ({ node }) => join(cacheDirectory(), 'node', node);

/** Fetches the Node of a target's emulator unless it is there; about 40 MB. */
export function ensureForeignNode({ emulator }) {
  const directory = directoryOf(emulator);
  if (existsSync(join(directory, 'bin/node'))) return;
  mkdirSync(dirname(directory), { recursive: true });
  const work = mkdtempSync(`${directory}.`);
  try {
    const pack = [
      'pack',
      '--silent',
      '--ignore-scripts',
      '--pack-destination',
      work,
      emulator.node,
    ];
    const result = spawnSync('npm', pack, { cwd: work, encoding: 'utf8', timeout: 300_000 });
    const archive = readdirSync(work).find((name) => name.endsWith('.tgz'));
    if (result.status !== 0 || archive === undefined) {
      throw new SetupError(`npm does not have ${emulator.node}: ${result.stderr}`);
    }
    const sum = createHash('sha512')
      .update(readFileSync(join(work, archive)))
      .digest('base64');
    if (`sha512-${sum}` !== emulator.integrity) {
      throw new SetupError(`${emulator.node} has the checksum ${sum}, not the expected one`);
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
  return [program, '-L', `/usr/${triplet}`, join(directoryOf(emulator), 'bin/node')];
}
