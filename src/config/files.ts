// SPDX-License-Identifier: Apache-2.0
// The files of the configuration: which ones, in which order, and their text. One main file, and
// beside it spliced.d/*.toml in name order, so that an image ships the first and a site adds to it.
// Called by layers.ts.

import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  type Stats,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { reasonOf } from '../base/start-error.js';

export const defaultConfigPath = '/etc/spliced/spliced.toml';
export const configVariable = 'SPLICED_CONFIG';
export const dropInDirectory = 'spliced.d';

export const configBytesMax = 1024 * 1024;
export const dropInsMax = 100;
const chunkBytes = 16 * 1024;

export interface ConfigText {
  path: string;
  text: string;
}

export interface ConfigFiles {
  files: ConfigText[];
  /** Each "FILE: what is wrong". */
  problems: string[];
}

const isAbsent = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** /dev/null, the usual name for a file with nothing in it (null(4): device 1, 3). */
const isNull = (status: Stats): boolean => status.isCharacterDevice() && status.rdev === 0x103;

/** The whole text, at most configBytesMax of it. Throws an Error that says why it cannot be had. */
function readText(path: string): string {
  // Opening a FIFO would wait for its writer.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const status = fstatSync(fd);
    if (status.isDirectory()) throw new Error('it is a directory');
    if (!status.isFile() && !isNull(status)) throw new Error('it is no ordinary file');
    const chunks: Buffer[] = [];
    let length = 0;
    for (let read = -1; read !== 0; length += read) {
      if (length > configBytesMax) throw new Error(`it has more than ${configBytesMax} bytes`);
      const chunk = Buffer.alloc(chunkBytes);
      read = readSync(fd, chunk);
      chunks.push(chunk.subarray(0, read));
    }
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    try {
      return decoder.decode(Buffer.concat(chunks));
    } catch {
      throw new Error('it is not UTF-8, which TOML is always written in');
    }
  } finally {
    closeSync(fd);
  }
}

/** Paths of the drop-ins, sorted by name. Hidden files are editors' and packagers' leftovers. */
function listDropIns(directory: string): string[] {
  const names = readdirSync(directory).filter(
    (name) => name.endsWith('.toml') && !name.startsWith('.'),
  );
  if (names.length > dropInsMax) throw new Error(`it holds more than ${dropInsMax} files`);
  return names.sort().map((name) => join(directory, name));
}

/**
 * Reads every file. `named` is the path that the user gave; without it the default file may be
 * absent.
 */
export function readConfigFiles(
  named: string | undefined,
  defaultPath: string = defaultConfigPath,
): ConfigFiles {
  const main = resolve(named ?? defaultPath);
  const found: ConfigFiles = { files: [], problems: [] };
  const read = (path: string, mayBeAbsent: boolean): void => {
    try {
      found.files.push({ path, text: readText(path) });
    } catch (error) {
      if (mayBeAbsent && isAbsent(error)) return;
      found.problems.push(`${path}: the file cannot be read: ${reasonOf(error)}`);
    }
  };
  read(main, named === undefined);
  const directory = join(dirname(main), dropInDirectory);
  try {
    for (const path of listDropIns(directory)) read(path, false);
  } catch (error) {
    if (!isAbsent(error)) {
      found.problems.push(`${directory}: the directory cannot be read: ${reasonOf(error)}`);
    }
  }
  return found;
}
