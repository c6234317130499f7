// SPDX-License-Identifier: Apache-2.0
// A server's Unix socket in a directory, for its owner alone. The socket is bound beneath a new
// directory that nobody else can enter, gets mode 0600 there, and is renamed to its place: at no time
// can others connect, whatever the umask and the directory's own mode are, and the process's umask,
// which its other threads share, is left alone. The same rename replaces what a dead process left.
// Called by server.ts.

import {
  chmodSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs';
import { connect, type Server } from 'node:net';
import { join } from 'node:path';
import { reasonOf, StartError } from '../base/start-error.js';
import { removeFlatDirectory } from '../files/remove-file.js';

const openDirectory = (path: string, flags = 0): number =>
  openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | flags);

/**
 * Calls `use` with a path of the file that fits into sun_path (108 bytes, unix(7)) however long the
 * directory's own path is. The path is good until `use` has settled.
 */
export async function withShortPath<T>(
  directory: string,
  name: string,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const fd = openDirectory(directory);
  try {
    return await use(`/proc/self/fd/${fd}/${name}`);
  } finally {
    closeSync(fd);
  }
}

/** Whether a process listens there. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // EAGAIN: its queue is full.
      if (error.code === 'EAGAIN') resolve(true);
      else if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      else reject(error);
    });
  });
}

async function refuseIfTaken(directory: string, name: string): Promise<void> {
  const path = join(directory, name);
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new StartError(`${path} is no socket; remove it`);
  if (await withShortPath(directory, name, isAnswered)) {
    const advice = 'end it, or give this one another state directory (--state-dir)';
    throw new StartError(`another process listens on ${path}: ${advice}`);
  }
}

/** Nobody but us, and root, gets into it. */
function isPrivate(directory: string): boolean {
  const { mode, uid } = statSync(directory);
  return (mode & 0o077) === 0 && uid === process.geteuid?.();
}

/**
 * Where the socket is bound before it is renamed: beneath a new directory. A full file system has no
 * block for that, and a socket needs none: then in the directory itself, if it is private.
 */
function placeToBind(directory: string, name: string): { within: string; as: string } {
  const made = `.${name}.new`;
  const within = join(directory, made);
  removeFlatDirectory(within); // Of a start that did not come to its end.
  try {
    mkdirSync(within, { mode: 0o700 });
    return { within, as: name };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isFull = code === 'ENOSPC' || code === 'EDQUOT';
    if (!isFull || !isPrivate(directory)) throw error;
    return { within: directory, as: made };
  }
}

/** Returns what takes the socket away again, if it is still this one. Idempotent. */
function bindAndRename(server: Server, directory: string, name: string): () => void {
  const path = join(directory, name);
  const { within, as } = placeToBind(directory, name);
  const fd = openDirectory(within, within === directory ? 0 : constants.O_NOFOLLOW);
  // Node binds before it returns. When the server is closed libuv unlinks the path that it was given:
  // the descriptor stays open until then, so that the path never means another file.
  server.on('close', () => closeSync(fd));
  const bound = `/proc/self/fd/${fd}/${as}`;
  server.listen(bound);
  chmodSync(bound, 0o600);
  const own = statSync(bound);
  renameSync(bound, path);
  if (within !== directory) rmdirSync(within);
  return () => {
    try {
      if (isSameFile(lstatSync(path, { throwIfNoEntry: false }), own)) unlinkSync(path);
    } catch {} // What is left is as after a power cut: the next start replaces it.
  };
}

function isSameFile(found: Stats | undefined, own: Stats): boolean {
  return found?.ino === own.ino && found.dev === own.dev;
}

/**
 * Listens on `directory`/`name`; returns what removes the socket, to be called before the server is
 * closed. Throws StartError when another process listens there, or when the system refuses.
 */
export async function listenPrivately(
  server: Server,
  directory: string,
  name: string,
): Promise<() => void> {
  try {
    await refuseIfTaken(directory, name);
    const failed = new Promise<never>((_, reject) => server.once('error', reject));
    const listening = new Promise<void>((resolve) => server.once('listening', resolve));
    const outcome = Promise.race([listening, failed]);
    outcome.catch(() => {}); // It may settle before anybody waits for it.
    let remove: () => void;
    try {
      remove = bindAndRename(server, directory, name);
    } catch (error) {
      // Where it could not bind, Node says why a moment later.
      await Promise.race([outcome, new Promise((resolve) => setImmediate(resolve))]);
      throw error;
    }
    await outcome;
    return remove;
  } catch (error) {
    server.close();
    if (error instanceof StartError) throw error;
    throw new StartError(`cannot listen on ${join(directory, name)}: ${reasonOf(error)}`);
  }
}
