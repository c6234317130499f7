// SPDX-License-Identifier: Apache-2.0
// The people who may sign in, in STATE/people: names, roles and hashes, mode 0600. The service and
// `spliced user` write it, so its new text, `people.new`, is the lock as well: whoever makes that file
// reads, changes and renames. Used by people.ts, and by commands/user.ts below an open directory.

import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fsyncDirectory } from '../../files/durable.js';
import { removeFile } from '../../files/remove-file.js';
import { isRole, nameCharactersMax, type Role } from './names.js';
import { type Cost, type Hash, hashOf, isAccepted, textOf } from './scrypt.js';

export interface Person {
  name: string;
  role: Role;
  hash: Hash;
  /** Another one after each change of password or role: sessions of before it are over. */
  stamp: string;
}

export interface People {
  people: readonly Person[];
  /** Of every new hash, and of the work for a name that is not there. Undefined: not yet chosen. */
  cost: Cost | undefined;
  /** The maker's code was used, or somebody was added by hand: it is never good again. */
  isClaimed: boolean;
}

export const peopleBounds = {
  peopleMax: 32,
  bytesMax: 32 * 1024,
  /** For another process that writes; what is left then is of one that was killed. */
  lockWaitMs: 5_000,
  lockPollMs: 50,
} as const;

const fileName = 'people';
const mode = 0o600;
const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

const nobody: People = { people: [], cost: undefined, isClaimed: false };

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

function personOf(value: unknown): Person | undefined {
  const { name, role, hash, stamp } = (value ?? {}) as Record<string, unknown>;
  const parsed = hashOf(String(hash));
  const isFit = typeof name === 'string' && name.length <= nameCharactersMax;
  if (!isFit || !isRole(String(role)) || typeof stamp !== 'string' || parsed === undefined)
    return undefined;
  return { name, role: role as Role, hash: parsed, stamp };
}

function parse(text: string): People | undefined {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const { version, people, cost, isClaimed } = value ?? {};
  if (version !== 1 || !Array.isArray(people) || typeof isClaimed !== 'boolean') return undefined;
  const all = people.map(personOf);
  const isWhole = all.every((person) => person !== undefined);
  const isCostFit = cost === undefined || isAccepted(cost as Cost);
  if (!isWhole || !isCostFit || all.length > peopleBounds.peopleMax) return undefined;
  return { people: all as Person[], cost: cost as Cost | undefined, isClaimed };
}

const written = ({ people, cost, isClaimed }: People): string => {
  const all = people.map(({ hash, ...person }) => ({ ...person, hash: textOf(hash) }));
  return `${JSON.stringify({ version: 1, isClaimed, cost, people: all })}\n`;
};

async function readText(path: string): Promise<string> {
  const handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const found = await handle.stat();
    if (!found.isFile() || found.size > peopleBounds.bytesMax) return '';
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/** Nobody, where there is no file. Throws the system's error, and when the file is damaged. */
export async function readPeople(stateDir: string): Promise<People> {
  const path = join(stateDir, fileName);
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return nobody;
    throw error;
  }
  const people = parse(text);
  if (people !== undefined) return people;
  // Not as if there were none: then whoever has the maker's code could claim the device.
  throw new Error(
    `${path} is damaged; remove everybody, and begin anew: spliced user remove --all`,
  );
}

async function lock(path: string): Promise<FileHandle> {
  const { lockWaitMs, lockPollMs } = peopleBounds;
  for (let waitedMs = 0; ; waitedMs += lockPollMs) {
    try {
      return await open(path, 'wx', mode);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    if (waitedMs >= lockWaitMs) {
      removeFile(path);
      waitedMs = 0;
    }
    await new Promise((resolve) => setTimeout(resolve, lockPollMs));
  }
}

/** Somebody has taken our file for that of a process which was killed. */
function refuseIfOthers(own: Stats, found: Stats): void {
  if (own.ino === found.ino && own.dev === found.dev) return;
  throw new Error('the people were changed by another process meanwhile; try again');
}

/**
 * Puts what `change` makes of the people in their place, on the medium. The file belongs to the owner
 * of the directory, whoever runs this. Throws what `change` throws, and the system's error; then
 * nothing was changed.
 */
export async function changePeople(
  stateDir: string,
  change: (before: People) => People,
  read: (stateDir: string) => Promise<People> = readPeople,
): Promise<People> {
  const path = join(stateDir, fileName);
  const made = `${path}.new`;
  const handle = await lock(made);
  try {
    const after = change(await read(stateDir));
    await handle.writeFile(written(after));
    const { uid, gid } = await stat(stateDir);
    if (process.geteuid?.() === 0) await handle.chown(uid, gid);
    await handle.sync();
    refuseIfOthers(await handle.stat(), await lstat(made));
    await rename(made, path);
    await fsyncDirectory(stateDir);
    return after;
  } catch (error) {
    await removeOwn(handle, made);
    throw error;
  } finally {
    await handle.close();
  }
}

async function removeOwn(handle: FileHandle, made: string): Promise<void> {
  try {
    refuseIfOthers(await handle.stat(), await lstat(made));
    removeFile(made);
  } catch {} // It is another's by now, or its own error follows.
}

/** Nobody, and nothing that was claimed; a damaged file too. */
export const forgetPeople = (stateDir: string): Promise<People> =>
  changePeople(
    stateDir,
    () => nobody,
    async () => nobody,
  );
