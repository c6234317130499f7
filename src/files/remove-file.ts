// SPDX-License-Identifier: Apache-2.0
// Takes files away, with the system's own error. Node's rmSync has none from 24 on: its error is
// without a code, and its message without a name for it.

import { readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

function unlessAbsent(remove: () => void): void {
  try {
    remove();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** One that is not there is no error. */
export function removeFile(path: string): void {
  unlessAbsent(() => unlinkSync(path));
}

/** With the files in it, not with directories. One that is not there is no error. */
export function removeFlatDirectory(path: string): void {
  unlessAbsent(() => {
    for (const name of readdirSync(path)) removeFile(join(path, name));
    rmdirSync(path);
  });
}
