// SPDX-License-Identifier: Apache-2.0
// A bundle that an operator of the device has put into the update's directory, instead of uploading
// it: `spliced update install` does so. Used by manager.ts.

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { InstallError } from './installer.js';
import type { ReceivedBundle } from './record.js';

/** A file of the directory itself that is none of ours: not a record, nor the part of an upload. */
const fileName = /^(?!update\.json|upload\.)\w[\w.-]{0,127}$/;

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new InstallError(`${path} cannot be read: ${code ?? String(error)}.`);
  }
}

/** Reads it once, for its hash. Throws InstallError. */
export async function takeLocalFile(directory: string, name: string): Promise<ReceivedBundle> {
  if (!fileName.test(name)) {
    throw new InstallError(`${JSON.stringify(name)} is no file of the update's directory.`);
  }
  const path = join(directory, name);
  const file = await openFile(path);
  try {
    if (!(await file.stat()).isFile()) throw new InstallError(`${path} is no ordinary file.`);
    const hash = createHash('sha256');
    let length = 0;
    for await (const part of file.createReadStream({ autoClose: false })) {
      hash.update(part as Buffer);
      length += (part as Buffer).length;
    }
    return { path, name, length, sha256: hash.digest('hex') };
  } finally {
    await file.close();
  }
}
