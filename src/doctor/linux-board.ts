// SPDX-License-Identifier: Apache-2.0
// The Board that is this machine: files of /proc and /sys, read when a probe asks. Reads only, and
// bounded: no file of more than 4 MiB is taken in.

import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statfsSync,
  statSync,
} from 'node:fs';
import type { Board } from './board.js';

const fileBytesMax = 4 * 1_048_576;
const configBytesMax = 4 * 1_048_576;

/** Files of /proc say that they are empty, so their size is no guide. */
function readBounded(path: string): Buffer | undefined {
  try {
    const status = statSync(path);
    if (!status.isFile() || status.size > fileBytesMax) return undefined;
    const fd = openSync(path, 'r');
    try {
      const chunks: Buffer[] = [];
      for (let total = 0; total < fileBytesMax; ) {
        const chunk = Buffer.alloc(65_536);
        const bytes = readSync(fd, chunk);
        if (bytes === 0) break;
        total += bytes;
        chunks.push(chunk.subarray(0, bytes));
      }
      return Buffer.concat(chunks);
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined; // Absent, or not for us: the probe says what that means.
  }
}

/** The environment that the process began with; ours has been changed since. */
function initialEnvironment(): Record<string, string | undefined> {
  const text = readBounded('/proc/self/environ')?.toString('utf8');
  if (text === undefined) return process.env;
  const pairs = text.split('\0').filter((pair) => pair.includes('='));
  return Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
}

function kernelConfig(zlib: typeof import('node:zlib')): string | undefined {
  try {
    const packed = readFileSync('/proc/config.gz');
    return zlib.gunzipSync(packed, { maxOutputLength: configBytesMax }).toString('utf8');
  } catch {
    const release = readBounded('/proc/sys/kernel/osrelease')?.toString('utf8').trim();
    return readBounded(`/boot/config-${release}`)?.toString('utf8');
  }
}

export type BoardInputs = Pick<
  Board,
  'native' | 'settings' | 'buildDateMs' | 'undone' | 'tokens' | 'failingKeys'
>;

/** Why the file cannot be had so; empty: it can. */
function refusalOf(path: string, mode: number): string {
  try {
    accessSync(path, mode);
    return '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'EIO';
  }
}

export async function linuxBoard(inputs: BoardInputs): Promise<Board> {
  const zlib = await import('node:zlib'); // Late: the bundle is the server's too.
  return {
    ...inputs,
    read: (path) => readBounded(path)?.toString('utf8'),
    readBytes: readBounded,
    list: (path) => {
      try {
        return readdirSync(path).sort();
      } catch {
        return [];
      }
    },
    stat: (path) => {
      const status = statSync(path, { throwIfNoEntry: false });
      return status && { mode: status.mode & 0o7777, uid: status.uid };
    },
    refusal: (path) => refusalOf(path, constants.R_OK),
    writeRefusal: (path) => refusalOf(path, constants.W_OK | constants.X_OK),
    space: (path) => {
      try {
        const { bavail, bsize, files, ffree } = statfsSync(path);
        return { bytes: bavail * bsize, files: files === 0 ? undefined : ffree };
      } catch {
        return undefined;
      }
    },
    kernelConfig: () => kernelConfig(zlib),
    env: initialEnvironment(),
    pid: process.pid,
    uid: process.getuid?.() ?? 0,
    versions: process.versions,
    nowMs: Date.now(),
  };
}
