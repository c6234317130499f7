// SPDX-License-Identifier: Apache-2.0
// What the guest tests need on the host: kernels (fetched once, see lab/get-kernels), their helper
// programs, the built product. Used by matrix.test.ts, with the project as working directory.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Prepares; a reason when guests cannot run on this machine. Throws when a build fails. */
export function prepare(): string | undefined {
  if (process.arch !== 'x64') return `User-Mode Linux needs x86-64; this is ${process.arch}`;
  for (const path of ['dist/cli.js', 'build/Release/spliced.node']) {
    if (!existsSync(path)) throw new Error(`${path} is missing: run node scripts/setup.mjs`);
  }
  // Files that run side by side build it once.
  const built = spawnSync('flock', ['build', 'make', '-s', '-C', 'test/guest'], {
    encoding: 'utf8',
  });
  if (built.status !== 0) throw new Error(`make -C test/guest: ${built.stderr || built.error}`);
  const kernels = spawnSync('test/guest/lab/get-kernels', { encoding: 'utf8' });
  if (kernels.status !== 0) {
    return `no guest kernels: ${(kernels.stderr || String(kernels.error)).trim().split('\n').pop()}`;
  }
  return undefined;
}
