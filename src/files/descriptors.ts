// SPDX-License-Identifier: Apache-2.0
// Files by descriptors. A path is walked one name at a time, so that no link is followed that another
// user can change. What lies below a directory is opened below its descriptor (/proc/self/fd/N/NAME,
// which the kernel resolves to the open directory, not by its path). This does what openat2(2) does
// with RESOLVE_NO_SYMLINKS, on every kernel and with Node's calls only. Used by the commands that root
// runs where a service's user can write, and by the daemon.

import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readlinkSync,
  readSync,
  type Stats,
} from 'node:fs';
import { resolve } from 'node:path';

/** Linux's, which Node does not name: the place of a file, without the right to read it. */
export const oPath = 0o10000000;

const linksMax = 40; // Of one path: path_resolution(7).
const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const chunkBytes = 64 * 1024;

/** The entry of an open directory, as a path for Node's calls; good while the directory is open. */
export const entryOf = (directory: number, name: string): string =>
  `/proc/self/fd/${directory}/${name}`;

/** The error with the path that the user knows, in place of that of a descriptor. */
export function inWords(error: unknown, path: string): unknown {
  if (error instanceof Error) error.message = error.message.replace(/\/proc\/self\/fd\/\d+/, path);
  return error;
}

export interface Link {
  link: Stats;
  /** The directory in which it lies. */
  parent: Stats;
}

/** Everybody, or a group, may take it away and put another in its place: no sticky bit keeps it. */
export const isShared = ({ parent }: Link): boolean =>
  (parent.mode & 0o022) !== 0 && (parent.mode & 0o1000) === 0;

/** Whether nobody but root and this process's user can turn the link. */
export function isOurLink(found: Link): boolean {
  const ours = [0, process.geteuid?.() ?? 0];
  const { link, parent } = found;
  return !isShared(found) && ours.includes(link.uid) && ours.includes(parent.uid);
}

class Refusal extends Error {
  readonly code = 'ELOOP';
}

/** From here on a name at a time. The answer is the last one's descriptor, by O_PATH. */
function walk(path: string, isTrusted: (link: Link) => boolean): number {
  const open = (at: string, flags: number): number => openSync(at, flags | oPath);
  let at = open('/', O_DIRECTORY);
  let links = 0;
  const names = resolve(path).split('/').filter(Boolean);
  const step = (to: number): void => {
    closeSync(at);
    at = to;
  };
  try {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      const next = open(entryOf(at, name), O_NOFOLLOW);
      const link = fstatSync(next);
      if (!link.isSymbolicLink()) {
        step(next);
        continue;
      }
      closeSync(next);
      links += 1;
      if (links > linksMax || !isTrusted({ link, parent: fstatSync(at) })) {
        throw new Refusal(
          `"${name}" is a symbolic link of user ${link.uid} there, and is not followed`,
        );
      }
      // Nobody whom we do not trust can have turned it meanwhile.
      const target = readlinkSync(entryOf(at, name));
      if (target.startsWith('/')) step(open('/', O_DIRECTORY));
      names.unshift(...target.split('/').filter((part) => part !== '' && part !== '.'));
    }
    return at;
  } catch (error) {
    closeSync(at);
    throw error;
  }
}

/**
 * Opens what the path names, following the links that `isTrusted` allows and no others. Throws the
 * system's error, or ELOOP with words of its own; the message has the path.
 */
export function openTrusted(
  path: string,
  flags: number = O_RDONLY | O_NONBLOCK,
  isTrusted: (link: Link) => boolean = isOurLink,
): number {
  let place: number | undefined;
  try {
    place = walk(path, isTrusted);
    return openSync(`/proc/self/fd/${place}`, flags);
  } catch (error) {
    if (error instanceof Refusal) error.message = `${path}: ${error.message}`;
    else if (error instanceof Error) {
      error.message = error.message.replace(/'[^']*'$/, () => `'${path}'`);
    }
    throw error;
  } finally {
    if (place !== undefined) closeSync(place);
  }
}

/** The whole of an ordinary file, which is at most so large. Throws. */
export function readDescriptor(fd: number, bytesMax: number): Buffer {
  if (!fstatSync(fd).isFile()) throw new Error('it is no ordinary file');
  const chunks: Buffer[] = [];
  for (let length = 0; ; ) {
    const chunk = Buffer.alloc(Math.min(chunkBytes, bytesMax + 1 - length));
    const bytes = readSync(fd, chunk);
    if (bytes === 0) return Buffer.concat(chunks);
    length += bytes;
    if (length > bytesMax) throw new Error(`it has more than ${bytesMax} bytes`);
    chunks.push(chunk.subarray(0, bytes));
  }
}

/** The whole file; a link in its last name is not followed, a pipe does not hold us up. Throws. */
export function readItself(
  path: string,
  bytesMax: number,
  judge: (found: Stats) => void = () => {},
): Buffer {
  const fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    judge(fstatSync(fd));
    return readDescriptor(fd, bytesMax);
  } finally {
    closeSync(fd);
  }
}
