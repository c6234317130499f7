// SPDX-License-Identifier: Apache-2.0
// Programs that are run to their end beside a server of the same test.

import { execFile } from 'node:child_process';

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

const endsWithinMs = 120_000;

/** One that does not end in time is killed; its code is null then. */
export function run(
  [program = '', ...args]: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  // unshare and chroot are where this machine has them; what they start has the given PATH.
  const more = { timeout: endsWithinMs, killSignal: 'SIGKILL' as const, maxBuffer: 16 << 20 };
  return new Promise((resolve) => {
    execFile(program, args, { encoding: 'utf8', ...more, ...options }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      resolve({ code, stdout, stderr });
    });
  });
}
