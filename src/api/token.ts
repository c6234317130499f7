// SPDX-License-Identifier: Apache-2.0
// The bearer token of the API (RFC 6750): 256 random bits. The state directory holds only its
// SHA-256. `spliced token` makes the token and shows it once. The service reads the file at each
// check, so that a new token, or its removal, takes effect at once. A plain hash is enough, because
// 256 random bits cannot be searched.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

const tokenBytes = 32;
// Tells a scanner of repositories and logs what it has found.
const prefix = 'spliced_';
const tokenCharactersMax = 256;
const stored = /^sha256 ([0-9a-f]{64})\n$/;

const fileOf = (stateDir: string): string => join(stateDir, 'api-token');

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
 * A new token in place of the one before. The file belongs to the owner of the state directory,
 * whoever runs this: the service has to read it. Throws the system's error; then nothing changed.
 */
export async function makeToken(stateDir: string): Promise<string> {
  const token = prefix + randomBytes(tokenBytes).toString('base64url');
  const { uid, gid } = await stat(stateDir);
  const file = fileOf(stateDir);
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

/** From now on no token is good. False: none was. */
export async function revokeToken(stateDir: string): Promise<boolean> {
  try {
    await rm(fileOf(stateDir));
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

/** In constant time. False also when there is none; throws when the file cannot be read. */
export async function isToken(stateDir: string, token: string): Promise<boolean> {
  if (token.length > tokenCharactersMax) return false;
  let text: string;
  try {
    text = await readToken(fileOf(stateDir));
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  const [, hash] = stored.exec(text) ?? [];
  if (hash === undefined) {
    throw new Error(`${fileOf(stateDir)} is damaged; make a new token: spliced token`);
  }
  return timingSafeEqual(hashOf(token), Buffer.from(hash, 'hex'));
}
