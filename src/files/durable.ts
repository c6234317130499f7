// SPDX-License-Identifier: Apache-2.0
// Directories whose entries are on the medium when a call returns: after a power cut they are there.

import { statSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The entries of the directory. */
export async function fsyncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Makes the directory (0700) and those above it; each new entry is on the medium afterwards. Throws
 * the system's error. (Node's own recursive mkdir says ENOENT where the system says EROFS or EACCES.)
 */
export async function makeDirectory(path: string): Promise<void> {
  const code = await tryToMake(path);
  if (code === 'EEXIST') return;
  if (code === 'ENOENT') {
    if (dirname(path) === path) throw new Error(`${path} is not there`);
    await makeDirectory(dirname(path));
    if ((await tryToMake(path, true)) === 'EEXIST') return; // Somebody else was there first.
  }
  await fsyncDirectory(dirname(path));
}

/** Empty: it is made. EEXIST: a directory is there, which a read-only file system may refuse as well. */
async function tryToMake(path: string, isLast = false): Promise<'' | 'EEXIST' | 'ENOENT'> {
  try {
    await mkdir(path, { mode: 0o700 });
    return '';
  } catch (error) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return 'EEXIST';
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !isLast) return 'ENOENT';
    throw error;
  }
}

/** The system refused, such as with EIO or EACCES: unlike damage, that may pass. */
export function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'errno' in error && 'syscall' in error;
}
