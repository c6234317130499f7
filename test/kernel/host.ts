// SPDX-License-Identifier: Apache-2.0
// What the tests of this directory share: kernels that build-kernel makes, and the reproducer in a
// guest. Used with the project as working directory.
import { spawnSync } from 'node:child_process';
import { prepare } from '../guest/host/prepare.js';

/** The kernels that are built from source, without and with the patches; SPLICED_GUEST_KERNELS narrows. */
export const builtKernels = process.env.SPLICED_GUEST_KERNELS?.split(' ') ?? [
  '6.1',
  '6.12',
  'newest',
];

/** A reason when nothing here can run on this machine. */
export function prepareKernels(): string | undefined {
  const unable = prepare();
  if (unable !== undefined) return unable;
  const made = spawnSync('make', ['-s', '-C', 'test/kernel'], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`make -C test/kernel: ${made.stderr || made.error}`);
  return undefined;
}

/** The directory of a kernel, as run-guest takes it. Throws when it cannot be built. */
export function buildKernel(kernel: string, ...options: string[]): string {
  const command = [...options, kernel];
  const built = spawnSync('test/kernel/build-kernel', command, { encoding: 'utf8' });
  if (built.status === 0) return built.stdout.trim();
  throw new Error(`build-kernel ${command.join(' ')}: ${built.stderr || built.error}`);
}

export interface Reproduction {
  exitCode: number | null;
  output: string;
  /** The names of the tests, and whether bytes were lost or a close waited for the reader. */
  failed: string[];
  passed: string[];
  lostBytes: number;
}

/** Runs the reproducer in a guest: synchronous AES-GCM first, then cryptd's. */
export function reproduce(kernel: string, ...options: string[]): Reproduction {
  const modules = ['-M', 'tls gcm cryptd algif_aead', '-x', 'cryptomgr.notests=1'];
  const guest = ['-k', kernel, ...modules, '-t', '600', ...options];
  const run = spawnSync('test/guest/lab/run-guest', [...guest, '--', 'build/kernel/tls-close'], {
    encoding: 'utf8',
  });
  const names = (pattern: RegExp) =>
    [...run.stdout.matchAll(pattern)].map(([, name = '']) => name.trim());
  const [, lost] = /^# lost (\d+) of/m.exec(run.stdout) ?? [];
  return {
    exitCode: run.status,
    output: run.stdout + run.stderr,
    failed: names(/^not ok \d+ - ([^#\n]+)/gm),
    passed: names(/^ok \d+ - ([^#\n]+)/gm),
    lostBytes: Number(lost ?? Number.NaN),
  };
}
