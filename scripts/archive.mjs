// SPDX-License-Identifier: Apache-2.0
// What the archives of a release have in common: they hold what git tracks, and the same files give the
// same bytes, whatever the umask, the locale and the time are. Used by source-tarball.mjs and release.mjs.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { projectDir } from './setup.mjs';
import { SetupError } from './system.mjs';

/** Runs a program to its end; the answer is its standard output. Throws SetupError if it fails. */
export function capture(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20, ...options });
  if (result.status === 0) return result.stdout;
  const reason = result.stderr?.trim() || result.error?.message || `exit code ${result.status}`;
  throw new SetupError(`${command} ${args[0]}: ${reason}`);
}

export const git = (...args) => capture('git', args, { cwd: projectDir });

/** Copies a file or directory of the project to the same path beneath `stage`. */
export function copyInto(stage, path) {
  mkdirSync(dirname(join(stage, path)), { recursive: true });
  cpSync(join(projectDir, path), join(stage, path), { recursive: true });
}

/** Copies to `stage` what git tracks beneath `paths`. */
export function copyTracked(stage, ...paths) {
  const tracked = git('ls-files', '-z', '--', ...paths).split('\0');
  for (const path of tracked.filter(Boolean)) copyInto(stage, path);
}

/** Gives all beneath `path` modes that do not depend on the umask. */
export function normalise(path) {
  const status = statSync(path);
  if (status.isDirectory()) for (const name of readdirSync(path)) normalise(join(path, name));
  chmodSync(path, status.isDirectory() || status.mode & 0o100 ? 0o755 : 0o644);
}

/** Writes `file` (.tar.gz), which holds the directory `name` of `work`; every time in it is `epochSeconds`. */
export function archive(file, work, name, epochSeconds) {
  normalise(join(work, name));
  const tar = ['--create', '--sort=name', '--format=ustar', `--mtime=@${epochSeconds}`];
  const owner = ['--owner=0', '--group=0', '--numeric-owner'];
  const compress = '--use-compress-program=gzip -9 -n';
  // --sort=name sorts by bytes in this locale.
  const env = { ...process.env, LC_ALL: 'C' };
  mkdirSync(dirname(file), { recursive: true });
  capture('tar', [...tar, ...owner, compress, `--file=${file}`, '-C', work, name], { env });
}
