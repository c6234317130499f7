// SPDX-License-Identifier: Apache-2.0
// What the guest tests need on the host: kernels (fetched once, see lab/get-kernels), their helper
// programs, the built product. Used by matrix.test.ts, with the project as working directory.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Kernels that a script of the lab lays out; the reason when it cannot. */
function fetched(script: string, ...args: string[]): string | undefined {
  const { status, stderr, error } = spawnSync(script, args, { encoding: 'utf8' });
  if (status === 0) return undefined;
  return `no guest kernels: ${(stderr || String(error)).trim().split('\n').pop()}`;
}

/** Prepares; a reason when guests cannot run on this machine. Throws when a build fails. */
export function prepare(): string | undefined {
  return built() ?? fetched('test/guest/lab/get-kernels');
}

/** The same for guests with several CPUs. */
export function prepareSmp(kernels: readonly string[]): string | undefined {
  let unable = built();
  for (const kernel of kernels) unable ??= fetched('test/guest/smp/get-kernel', kernel);
  return unable;
}

function built(): string | undefined {
  if (process.arch !== 'x64') return `guests need x86-64; this is ${process.arch}`;
  for (const path of ['dist/cli.js', 'build/Release/spliced.node']) {
    if (!existsSync(path)) throw new Error(`${path} is missing: run node scripts/setup.mjs`);
  }
  // Files that run side by side build it once.
  const make = spawnSync('flock', ['build', 'make', '-s', '-C', 'test/guest'], {
    encoding: 'utf8',
  });
  if (make.status !== 0) throw new Error(`make -C test/guest: ${make.stderr || make.error}`);
  return undefined;
}

/** Where a script has laid something out. Throws when it cannot. */
export function directoryFrom(script: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(script, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${script}: ${stderr}`);
  return stdout.trim();
}
