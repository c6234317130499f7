// SPDX-License-Identifier: Apache-2.0
// Directories whose entries are on the medium when a call returns: after a power cut they are there.

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

/** Makes the directory (0700) and those above it; each new entry is on the medium afterwards. */
export async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) {
    await fsyncDirectory(dirname(made));
  }
}
