// SPDX-License-Identifier: Apache-2.0
// The state directory of a service, as a command on the device sees it. The service's user owns it and
// is not trusted: a service that was taken over may put links, pipes and ids of other processes there
// while root works in it. So the directory is opened once (descriptors.ts), everything in it is opened
// below its descriptor, and root becomes its owner before it does anything else there. Where root may
// not become another user (a container without CAP_SETUID), only the descriptors and the owners of
// files protect. Used by serving.ts and by the commands.

import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs';
import { reasonOf, StartError } from '../base/start-error.js';
import { type RunState, readRunState, recordBytesMax, recordName } from '../daemon/run-record.js';
import {
  entryOf,
  inWords,
  isOurLink,
  isShared,
  type Link,
  oPath,
  openTrusted,
  readItself,
} from '../files/descriptors.js';

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

// What the shell, or whoever started us, has opened already.
const openAlready = /^\/(dev\/(stdin|fd\/\d+)|proc\/self\/fd\/\d+)$/;

const whyNotOpened: Record<string, string> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'this user may not read it',
};

const isRoot = (): boolean => process.geteuid?.() === 0;

export class ServiceDirectory {
  /** As it was given, for words. */
  readonly path: string;
  readonly #fd: number;
  readonly #found: Stats;

  /** Throws StartError; undefined: there is no such directory. */
  static open(path: string): ServiceDirectory | undefined {
    try {
      // Whoever is not root follows as ever: he can lead himself only where he may go.
      const isTrusted = isRoot() ? isOurLink : () => true;
      return new ServiceDirectory(path, openTrusted(path, O_RDONLY | O_DIRECTORY, isTrusted));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return undefined;
      const advice = code === 'EACCES' ? ': run this as root, or as the user of the service' : '';
      throw new StartError(`${message}${advice}`);
    }
  }

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
    this.#found = fstatSync(fd);
    const isForOthers = (this.#found.mode & 0o022) !== 0;
    if (!isRoot() || !isForOthers) return;
    closeSync(fd);
    const mode = (this.#found.mode & 0o7777).toString(8);
    const advice = `run: chmod go-w ${path}`;
    throw new StartError(
      `${path}: users other than its owner may write there (mode ${mode}); look at it, and ${advice}`,
    );
  }

  get uid(): number {
    return this.#found.uid;
  }

  get gid(): number {
    return this.#found.gid;
  }

  /** The directory itself, for Node's calls. */
  get place(): string {
    return `/proc/self/fd/${this.#fd}`;
  }

  entry(name: string): string {
    return entryOf(this.#fd, name);
  }

  /** The error with the directory's own path. */
  inWords(error: unknown): unknown {
    return inWords(error, this.path);
  }

  /** A small file of the service. Throws when it is not the owner's, no ordinary file, or larger. */
  read(name: string, bytesMax: number): string {
    try {
      const judge = (found: Stats): void => this.#judge(name, found);
      return readItself(this.entry(name), bytesMax, judge).toString('utf8');
    } catch (error) {
      throw this.inWords(error);
    }
  }

  /**
   * A path of the socket itself, whatever is put in its place meanwhile, which fits into sun_path
   * (108 bytes, unix(7)). Throws as the system does, or when it is another user's or no socket.
   */
  async withSocket<T>(name: string, use: (path: string) => Promise<T> | T): Promise<T> {
    const fd = openSync(this.entry(name), oPath | O_NOFOLLOW);
    try {
      const found = fstatSync(fd);
      if (!found.isSocket()) throw new Error('it is no socket');
      this.#judge(name, found);
      return await use(`/proc/self/fd/${fd}`);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Opens a file that the operator has named, with the rights of this process: to be done before
   * `becomeOwner()`. A link that the service's user can turn is not followed: he would have root read
   * for him. Throws StartError.
   */
  openGiven(path: string): number {
    const { uid } = this.#found;
    const isTrusted = (found: Link): boolean =>
      !isRoot() ||
      uid === 0 ||
      !(isShared(found) || [found.link.uid, found.parent.uid].includes(uid));
    try {
      if (openAlready.test(path)) return openSync(path, O_RDONLY);
      return openTrusted(path, O_RDONLY | O_NONBLOCK, isTrusted);
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      const words = whyNotOpened[code];
      throw new StartError(words === undefined ? reasonOf(error) : `${path}: ${words}`);
    }
  }

  /**
   * Gives up what root may, for good: from here on only what the directory's owner may. Does nothing
   * for others than root. What else needs root must be open by now. False: it cannot be.
   */
  becomeOwner(): boolean {
    const { uid, gid } = this.#found;
    if (!isRoot() || uid === 0) return true;
    try {
      process.setgroups?.([]);
      process.setgid?.(gid);
      process.setuid?.(uid);
      return true;
    } catch {
      return false;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  #judge(name: string, { uid }: Stats): void {
    if (uid === this.uid || uid === 0) return;
    throw new Error(`${this.path}/${name} belongs to user ${uid}, not to the directory's owner`);
  }
}

/** What its record says, if it has one. */
export function recordIn(directory: ServiceDirectory): RunState | undefined {
  return readRunState(directory.path, () => directory.read(recordName, recordBytesMax));
}
