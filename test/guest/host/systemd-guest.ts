// SPDX-License-Identifier: Apache-2.0
// A guest whose PID 1 is a systemd that knows everything the shipped units use, for the tests of the
// units and of updates.

import { spawn, spawnSync } from 'node:child_process';
import { prepare } from './prepare.js';

const kernel = '6.12';

/** Where a script of lab/ has laid something out; `unable` says why it could not. */
export function laidOut(
  script: string,
  args: string[] = [],
): { unable?: string; directory?: string } {
  const program = `test/guest/lab/${script}`;
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) return { unable: `${script}: ${stderr.trim().split('\n').pop()}` };
  const directory = stdout.trim();
  return directory === '' ? {} : { directory };
}

/**
 * A reason, or the directory of a systemd that is new enough, or of that of a suite; undefined: the
 * machine's own.
 */
export function prepareSystemd(suite?: string): { unable?: string; directory?: string } {
  const unable = prepare();
  const args = suite === undefined ? [] : ['-s', suite];
  return unable === undefined ? laidOut('get-systemd', args) : { unable };
}

export interface SystemdGuest {
  /** What is laid over the guest's root. */
  layers: (string | undefined)[];
  /** Kernel modules beside tls. */
  modules?: string;
  memoryMib?: number;
  timeoutS: number;
  /** A directory of the host that it may write to. */
  writable: string;
  command: readonly string[];
}

/** Runs a command in it; `output` is for a report of what went wrong. */
export async function runSystemdGuest(
  guest: SystemdGuest,
): Promise<{ code: number; output: string }> {
  const { layers, modules = '', memoryMib = 512, timeoutS, writable, command } = guest;
  const laid = layers.flatMap((layer) => (layer === undefined ? [] : ['-L', layer]));
  const size = ['-m', String(memoryMib), '-t', String(timeoutS)];
  const options = ['-k', kernel, '-S', ...laid, '-M', `tls ${modules}`, ...size, '-w', writable];
  const child = spawn('test/guest/lab/run-guest', [...options, '--', ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      output += data;
    });
  }
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? -1));
  });
  return { code, output };
}
