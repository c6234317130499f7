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
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && dirname(path) !== path) {
      await makeDirectory(dirname(path));
      await mkdir(path, { mode: 0o700 });
    } else {
      // A read-only file system may refuse what is there already, too.
      if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
      return;
    }
  }
  await fsyncDirectory(dirname(path));
}

/** The system refused, such as with EIO or EACCES: unlike damage, that may pass. */
export function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'errno' in error && 'syscall' in error;
}
