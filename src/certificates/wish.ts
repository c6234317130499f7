// SPDX-License-Identifier: Apache-2.0
// An operator's request for a new certificate. `spliced certificate renew` leaves it as an empty file
// for the daemon, which is another process and perhaps another user. The daemon takes the file at a
// reload, at its next slow check or at its next start. Used by device-source.ts and enrolment.ts.

import { closeSync, existsSync, openSync, statSync, unlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Housekeeper } from '../files/housekeeping.js';

const wishName = 'renew-now';

/** Leaves the wish in the directory of a source. False when there is no such source yet. */
export function leaveWish(directory: string): boolean {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) return false;
  try {
    // A new file or none: what is there under this name is a wish already, whatever it leads to.
    closeSync(openSync(join(directory, wishName), 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return true;
}

/** True once for each wish. A file that cannot be removed is no wish: it would come for ever. */
export function takeWish(directory: string, housekeeping: Housekeeper): boolean {
  const path = join(directory, wishName);
  const what = `reading the request for a renewal (${basename(directory)})`;
  const isThere = existsSync(path);
  try {
    if (isThere) unlinkSync(path);
    housekeeping.settled(what);
    return isThere;
  } catch (error) {
    housekeeping.failed(what, error);
    return false;
  }
}
