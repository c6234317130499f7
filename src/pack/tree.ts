// SPDX-License-Identifier: Apache-2.0
// The files of a directory that is to be packed, by their paths in it. Symbolic links are not
// followed: what they lead to has a name of its own, or is not beneath the directory.

import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** What `spliced pack` keeps for itself; never served (native/conn/request.cpp). */
export const ownDirectory = '.spliced';
/** The end of a name that is only there while a file is written. */
export const unfinishedSuffix = '.spliced-unfinished';

async function* walk(root: string, directory: string): AsyncGenerator<string> {
  const entries: Dirent[] = await readdir(join(root, directory), { withFileTypes: true });
  for (const entry of entries) {
    const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
    if (entry.isDirectory() && path !== ownDirectory) yield* walk(root, path);
    else if (entry.isFile()) yield path;
  }
}

/** Every regular file, "/" between the parts, sorted by bytes so that two runs are the same. */
export async function filesOf(root: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const path of walk(root, '')) paths.push(path);
  return paths.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
