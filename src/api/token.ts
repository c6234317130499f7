// SPDX-License-Identifier: Apache-2.0
// The bearer tokens of the API (RFC 6750), one for each role: 256 random bits. The state directory holds
// only their SHA-256. `spliced token` makes a token and shows it once. The service reads the files at each
// check, so that a new token, or its removal, takes effect at once. A plain hash is enough, because
// 256 random bits cannot be searched.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Role, roles } from './people/names.js';

const tokenBytes = 32;
// Tells a scanner of repositories and logs what it has found.
const prefix = 'spliced_';
const tokenCharactersMax = 256;
const stored = /^sha256 ([0-9a-f]{64})\n$/;

const fileOf = (stateDir: string, role: Role): string =>
  join(stateDir, role === 'administer' ? 'api-token' : `api-token-${role}`);

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest();

async function fsyncAndClose(handle: FileHandle): Promise<void> {
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * A new token in place of the role's one before. The file belongs to the owner of the state directory,
 * whoever runs this: the service has to read it. Throws the system's error; then nothing changed.
 */
export async function makeToken(stateDir: string, role: Role = 'administer'): Promise<string> {
  const token = prefix + randomBytes(tokenBytes).toString('base64url');
  const { uid, gid } = await stat(stateDir);
  const file = fileOf(stateDir, role);
  const made = `${file}.new`;
  await rm(made, { force: true });
  const handle = await open(made, 'wx', 0o600);
  try {
    await handle.writeFile(`sha256 ${hashOf(token).toString('hex')}\n`);
    if (process.getuid?.() === 0) await handle.chown(uid, gid);
  } finally {
    await fsyncAndClose(handle);
  }
  await rename(made, file);
  await fsyncAndClose(await open(stateDir, 'r'));
  return token;
}

/** From now on no token of the role is good. False: none was. */
export async function revokeToken(stateDir: string, role: Role): Promise<boolean> {
  try {
    await rm(fileOf(stateDir, role));
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  await fsyncAndClose(await open(stateDir, 'r'));
  return true;
}

/** The file itself: a link is not followed, and a pipe has no writer to wait for. */
async function readToken(path: string): Promise<string> {
  const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
  const handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    return await handle.readFile('latin1');
  } finally {
    await handle.close();
  }
}

async function isTokenOf(role: Role, stateDir: string, token: string): Promise<boolean> {
  const file = fileOf(stateDir, role);
  let text: string;
  try {
    text = await readToken(file);
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  const [, hash] = stored.exec(text) ?? [];
  if (hash === undefined) {
    throw new Error(`${file} is damaged; make a new token: spliced token --role ${role}`);
  }
  return timingSafeEqual(hashOf(token), Buffer.from(hash, 'hex'));
}

/**
 * What the token may do; undefined: it is none. In constant time for each role. Throws when a file cannot be
 * read and no other has it.
 */
export async function roleOfToken(stateDir: string, token: string): Promise<Role | undefined> {
  if (token.length > tokenCharactersMax) return undefined;
  const found = await Promise.allSettled(roles.map((role) => isTokenOf(role, stateDir, token)));
  const at = found.findIndex((one) => one.status === 'fulfilled' && one.value);
  if (at >= 0) return roles[at];
  const failed = found.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return undefined;
}
