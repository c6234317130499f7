// SPDX-License-Identifier: Apache-2.0
// The files of a directory that is to be packed, by their paths in it. Symbolic links are not
// followed: their targets have names of their own, or are not beneath the directory. That holds even
// while another user changes a directory that root packs: each directory on the way is opened beneath
// the one before, and its entries beneath its descriptor.

import { closeSync, constants, type Dirent, existsSync, openSync } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { entryOf } from '../files/descriptors.js';

/** What `spliced pack` keeps for itself; never served (native/conn/request/routing.cpp). */
export const ownDirectory = '.spliced';
/** The end of a name that is only there while a file is written. */
export const unfinishedSuffix = '.spliced-unfinished';

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

// A build may run on another system, which has no such paths.
const hasDescriptors = existsSync('/proc/self/fd');

const isName = (part: string): boolean => part !== '' && part !== '.' && part !== '..';

export class Tree {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Calls `use` with what makes a path of a name in that directory; good until it has settled. */
  async inside<T>(
    directory: string,
    use: (entry: (name: string) => string) => Promise<T>,
  ): Promise<T> {
    const parts = directory === '' ? [] : directory.split('/');
    if (!parts.every(isName)) throw new Error(`${directory} is no path of ${this.#root}`);
    if (!hasDescriptors) return use((name) => join(this.#root, directory, name));
    let fd = openSync(this.#root, O_RDONLY | O_DIRECTORY);
    try {
      for (const part of parts) {
        const next = openSync(entryOf(fd, part), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        closeSync(fd);
        fd = next;
      }
      return await use((name) => entryOf(fd, name));
    } catch (error) {
      // The path that the user knows.
      if (error instanceof Error) {
        const place = join(this.#root, directory);
        error.message = error.message.replaceAll(/\/proc\/self\/fd\/\d+/g, () => place);
      }
      throw error;
    } finally {
      closeSync(fd);
    }
  }

  /** The same for a file's directory, with the file's name. */
  at<T>(
    path: string,
    use: (entry: (name: string) => string, name: string) => Promise<T>,
  ): Promise<T> {
    const end = path.lastIndexOf('/');
    const name = path.slice(end + 1);
    if (!isName(name)) return Promise.reject(new Error(`${path} is no file of ${this.#root}`));
    return this.inside(path.slice(0, Math.max(end, 0)), (entry) => use(entry, name));
  }

  /** Every regular file, "/" between the parts, sorted by bytes so that two runs are the same. */
  async files(): Promise<string[]> {
    const paths: string[] = [];
    for await (const path of this.#walk('')) paths.push(path);
    return paths.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  async *#walk(directory: string): AsyncGenerator<string> {
    const entries: Dirent[] = await this.inside(directory, (entry) =>
      readdir(entry('.'), { withFileTypes: true }),
    );
    for (const entry of entries) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
      if (entry.isDirectory() && path !== ownDirectory) yield* this.#walk(path);
      else if (entry.isFile()) yield path;
    }
  }
}

/** An ordinary file itself, opened for reading. Throws. */
export async function openFile(path: string): Promise<FileHandle> {
  const handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new Error(`${path} is no ordinary file`);
}

/** Its whole content. Throws. */
export async function readWhole(path: string): Promise<Buffer> {
  const handle = await openFile(path);
  try {
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}
