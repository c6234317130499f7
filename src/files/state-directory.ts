// SPDX-License-Identifier: Apache-2.0
// Whether a directory is the service's own: only its user and root may add or change anything in it.
// Another user who can write beside a key could have that key served; one who can plant a link could
// have a file of the service overwritten. A directory of ours that others may write is closed to them,
// and links of other users are removed; both are logged. A directory of another user cannot be made
// safe and is refused. Called by daemon.ts at the start, by serving/update.ts for the update's
// directory, and by checks.ts, which only checks.

import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  type Stats,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { reasonOf, StartError } from '../base/start-error.js';
import type { Log } from '../log/log.js';

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
const sticky = 0o1000;

/** Of what is below; what is deeper or more is no work of ours. */
export const lookBounds = { depthMax: 6, entriesMax: 4096 } as const;

export interface Looked {
  /** What was done, or would be: directories closed, and links of other users removed. */
  mended: { path: string; reason: string }[];
  /** Files of another user, who can change them. */
  foreign: string[];
}

export interface LookOptions {
  /** What others may not do: 0o022, or 0o002 where a group may write. */
  forbidden?: number;
  /** False: nothing is changed, and what could be mended is as good as mended. */
  mend?: boolean;
  /** Whose it has to be, besides root's. */
  user?: number;
}

type Options = Required<LookOptions>;

const modeOf = ({ mode }: Stats): string => (mode & 0o7777).toString(8);

/** Root's, for a group that is ours: root has chosen who is in it. */
const isOfOurGroup = ({ gid }: Stats): boolean =>
  gid === process.getegid?.() || (process.getgroups?.() ?? []).includes(gid);

class Look {
  readonly looked: Looked = { mended: [], foreign: [] };
  readonly #options: Options;
  #entries = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  #isOurs({ uid }: Stats): boolean {
    return uid === 0 || uid === this.#options.user;
  }

  /** `flags` say whether a link is followed. Throws. */
  directory(path: string, flags: number, depth: number): void {
    const fd = openSync(path, O_RDONLY | O_DIRECTORY | flags);
    try {
      this.#judge(path, fd);
    } finally {
      closeSync(fd);
    }
    if (depth < lookBounds.depthMax) this.#below(path, depth + 1);
  }

  #judge(path: string, fd: number): void {
    const found = fstatSync(fd);
    const { user, mend, forbidden } = this.#options;
    if (!this.#isOurs(found)) {
      const advice = `run: chown -R ${user} ${path}`;
      throw new StartError(
        `${path} belongs to user ${found.uid}, who can change what is in it; ${advice}`,
      );
    }
    const isRoots = found.uid !== user;
    const open = found.mode & (isRoots && isOfOurGroup(found) ? forbidden & 0o002 : forbidden);
    if (open === 0) return;
    const words = `${path} has mode ${modeOf(found)}, so that others may write there`;
    // Such as /tmp: it is meant for them.
    if ((found.mode & sticky) !== 0) {
      throw new StartError(`${words}: give the service a directory of its own`);
    }
    const advice = `run: chmod ${(open & 0o020) === 0 ? 'o-w' : 'go-w'} ${path}`;
    if (isRoots) throw new StartError(`${words}; ${advice}`);
    if (mend) this.#close(fd, found, `${words}, and that cannot be changed`);
    this.looked.mended.push({ path, reason: `others could write there: mode ${modeOf(found)}` });
  }

  #close(fd: number, found: Stats, words: string): void {
    try {
      fchmodSync(fd, found.mode & 0o7777 & ~this.#options.forbidden);
    } catch (error) {
      throw new StartError(`${words}: ${reasonOf(error)}`);
    }
    // A file system without modes, such as FAT, says yes.
    if ((fstatSync(fd).mode & this.#options.forbidden) === 0) return;
    throw new StartError(`${words}: its file system keeps no modes; mount it with umask=022`);
  }

  #below(path: string, depth: number): void {
    for (const name of readdirSync(path)) {
      this.#entries += 1;
      if (this.#entries > lookBounds.entriesMax) return;
      const entry = join(path, name);
      const found = lstatSync(entry, { throwIfNoEntry: false });
      if (found === undefined) continue;
      if (found.isDirectory()) this.#subdirectory(entry, depth);
      else if (!this.#isOurs(found)) this.#foreign(entry, found);
    }
  }

  /** What cannot be looked at says so where it is used. */
  #subdirectory(path: string, depth: number): void {
    try {
      this.directory(path, O_NOFOLLOW, depth);
    } catch (error) {
      if (error instanceof StartError) throw error;
    }
  }

  #foreign(path: string, found: Stats): void {
    if (!found.isSymbolicLink()) {
      this.looked.foreign.push(path);
      return;
    }
    const words = `it was a link of user ${found.uid}`;
    try {
      if (this.#options.mend) unlinkSync(path);
    } catch (error) {
      throw new StartError(`${path}: ${words}, and cannot be removed: ${reasonOf(error)}`);
    }
    this.looked.mended.push({ path, reason: words });
  }
}

/**
 * Looks at the directory and at what is below it; one that is not there is made by whoever needs it,
 * and what cannot be looked at says so there. Throws StartError when others can change what is in it
 * and that cannot be mended.
 */
export function secureDirectory(path: string, options: LookOptions = {}): Looked {
  const user = process.geteuid?.() ?? 0;
  const look = new Look({ forbidden: 0o022, mend: true, user, ...options });
  try {
    look.directory(path, 0, 0);
  } catch (error) {
    if (error instanceof StartError) throw error;
  }
  return look.looked;
}

/** The same for the start of the service, which says what it has mended. */
export function secureStateDirectory(stateDir: string, log: Pick<Log, 'warn'>): void {
  let looked: Looked;
  try {
    looked = secureDirectory(stateDir);
  } catch (error) {
    throw new StartError(`--state-dir: is not safe: ${reasonOf(error)}`);
  }
  for (const { path, reason } of looked.mended) {
    log.warn({ event: 'state_dir_mended', path, reason });
  }
  const [first] = looked.foreign;
  if (first === undefined) return;
  const reason = 'another user can change it';
  log.warn({ event: 'state_file_foreign', path: first, files: looked.foreign.length, reason });
}
