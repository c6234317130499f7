// SPDX-License-Identifier: Apache-2.0
// Reads a file that other users may have put in its place, without ever waiting. Opening a FIFO would
// wait for its writer, on the thread that signals and renewals need, and so would reading a terminal.
// A file that is too long would fill the memory.

import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

export const ordinaryBytesMax = 4 * 1_048_576;

/** Throws an Error that says why it cannot be had. */
export function readOrdinaryFile(path: string, bytesMax = ordinaryBytesMax): Buffer {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const status = fstatSync(fd);
    if (!status.isFile()) throw new Error(`${path} is no ordinary file`);
    // Those of /proc say that they are empty.
    if (status.size > bytesMax)
      throw new Error(`${path} has ${status.size} bytes; at most ${bytesMax}`);
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The same as UTF-8. */
export const readOrdinaryText = (path: string, bytesMax = ordinaryBytesMax): string =>
  readOrdinaryFile(path, bytesMax).toString('utf8');
