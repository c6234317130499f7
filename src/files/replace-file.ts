// SPDX-License-Identifier: Apache-2.0
// Replaces small files atomically: the new content is written to `NAME.new` beside the file, which is
// always a new file (O_EXCL, which follows no link), and renamed. If a killed process has left a file
// under that name, or another user has planted one there, the name is removed first, but not what a
// link of that name leads to.

import { closeSync, fsyncSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fsyncDirectory } from './durable.js';

const mode = 0o600;

export interface ReplaceOptions {
  /** Before it has its place: on the medium, and its directory afterwards. */
  durable?: boolean;
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

const isThere = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EEXIST';

function openNewSync(path: string): number {
  try {
    return openSync(path, 'wx', mode);
  } catch (error) {
    if (!isThere(error)) throw error;
    unlinkSync(path);
    return openSync(path, 'wx', mode);
  }
}

async function openNew(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', mode);
  } catch (error) {
    if (!isThere(error)) throw error;
    await rm(path);
    return open(path, 'wx', mode);
  }
}

/** Mode 0600. Throws where the disk refuses; then the file is as it was. */
export function replaceFileSync(
  path: string,
  text: string,
  { durable = false }: ReplaceOptions = {},
): void {
  const made = `${path}.new`;
  const fd = openNewSync(made);
  try {
    writeSync(fd, text);
    if (durable) fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(made, path);
  if (durable) syncDirectory(dirname(path));
}

/** The same without holding Node's thread up. */
export async function replaceFile(
  path: string,
  text: string,
  { durable = false }: ReplaceOptions = {},
): Promise<void> {
  const made = `${path}.new`;
  const handle = await openNew(made);
  try {
    await handle.writeFile(text);
    if (durable) await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(made, path);
  if (durable) await fsyncDirectory(dirname(path));
}
