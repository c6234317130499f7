// SPDX-License-Identifier: Apache-2.0
// `spliced update install FILE`: a copy of the file for the service, which has no right to read it
// where it is, then the installation with its progress. Called by update.ts.

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  fchownSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { reasonOf, StartError } from '../base/start-error.js';
import { entryOf } from '../files/descriptors.js';
import { removeFile } from '../files/remove-file.js';
import type { UpdateDocument } from '../update/document.js';
import { ApiRefusal, askApi, openApi } from './api-client.js';
import type { ServiceDirectory } from './service-directory.js';

const { COPYFILE_EXCL, COPYFILE_FICLONE, O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;

const chunkBytes = 1024 * 1024;
const nameCharactersMax = 80;

/** Where the service waits for bundles, by its own word; as it is called, and a path of it for us. */
async function placeOf(directory: ServiceDirectory): Promise<{ name: string; path: string }> {
  const text = await askApi(directory, { path: '/configuration' });
  const { settings } = JSON.parse(text) as { settings: Record<string, { value?: unknown }> };
  const configured = String(settings['update.directory']?.value ?? '');
  const below = `${directory.path}/`;
  const name = configured === '' ? `${below}update` : configured;
  // Above the state directory its owner may not be allowed to pass.
  const path = name.startsWith(below) ? directory.entry(name.slice(below.length)) : name;
  return { name, path };
}

/** Made when it is missing. With the rights of the owner a link there leads nowhere he could not go. */
function openBundles(path: string, isOwner: boolean, { uid, gid }: ServiceDirectory): number {
  let isNew = false;
  try {
    mkdirSync(path, { mode: 0o700 });
    isNew = true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const fd = openSync(path, O_RDONLY | O_DIRECTORY | (isOwner ? 0 : O_NOFOLLOW));
  if (isOwner) return fd;
  const found = fstatSync(fd);
  if (isNew && found.uid === 0) fchownSync(fd, uid, gid);
  if (isNew || found.uid === uid) return fd;
  closeSync(fd);
  throw new Error(`it belongs to user ${found.uid}`);
}

async function copyBytes(from: number, to: FileHandle): Promise<void> {
  const buffer = Buffer.alloc(chunkBytes);
  for (let bytes = readSync(from, buffer); bytes > 0; bytes = readSync(from, buffer)) {
    for (let done = 0; done < bytes; ) {
      done += (await to.write(buffer, done, bytes - done)).bytesWritten;
    }
  }
}

/** A new file of the owner's. A clone where the file system can: no second copy. */
async function copyInto(
  path: string,
  source: number,
  isOwner: boolean,
  { uid, gid }: ServiceDirectory,
): Promise<void> {
  if (isOwner) {
    try {
      copyFileSync(`/proc/self/fd/${source}`, path, COPYFILE_FICLONE | COPYFILE_EXCL);
      return;
    } catch (error) {
      // Its name is for root alone; we have it open.
      if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    }
  }
  const handle = await open(path, 'wx', 0o600);
  try {
    await copyBytes(source, handle);
    if (!isOwner) await handle.chown(uid, gid);
  } finally {
    await handle.close();
  }
}

interface Copy {
  name: string;
  /** A text of the service or of the installer, with the operator's file in place of the copy. */
  inWords: (text: string) => string;
  remove: () => void;
}

/** Such as local-1f2e3d4c-bundle.raucb: the state and the log say which file it was. */
function nameOfCopy(file: string): string {
  const shown = basename(file)
    .replace(/[^\w.-]/g, '_')
    .slice(-nameCharactersMax);
  return `local-${randomBytes(4).toString('hex')}-${shown}`;
}

/** Gives up root's rights, unless that cannot be. Throws StartError. */
async function copyForService(directory: ServiceDirectory, file: string): Promise<Copy> {
  const source = directory.openGiven(file);
  if (!fstatSync(source).isFile()) throw new StartError(`${file}: it is no ordinary file`);
  const isOwner = directory.becomeOwner();
  const place = await placeOf(directory);
  const name = nameOfCopy(file);
  const refuse = (error: unknown): never => {
    const [reason] = reasonOf(error).split(', ');
    throw new StartError(`${file} cannot be copied to ${place.name}: ${reason}`);
  };
  let bundles = -1;
  try {
    bundles = openBundles(place.path, isOwner, directory);
  } catch (error) {
    refuse(error);
  }
  const path = entryOf(bundles, name);
  const remove = (): void => removeFile(path);
  try {
    await copyInto(path, source, isOwner, directory);
  } catch (error) {
    remove();
    refuse(error);
  }
  closeSync(source);
  const inWords = (text: string): string =>
    text.replaceAll(`${place.name}/${name}`, file).replaceAll(name, file);
  return { name, inWords, remove };
}

/** The state after each change, from the events of the service; not the one of the beginning. */
async function* statesIn(response: IncomingMessage): AsyncGenerator<UpdateDocument> {
  let isUpdate = false;
  let isFirst = true;
  try {
    for await (const line of createInterface({ input: response })) {
      if (line.startsWith('event: ')) isUpdate = line === 'event: update';
      if (!isUpdate || !line.startsWith('data: ')) continue;
      if (!isFirst) yield JSON.parse(line.slice('data: '.length));
      isFirst = false;
    }
  } finally {
    response.destroy();
  }
}

/** To the end; the answer is the last state, undefined when the service ended before it. */
async function follow(
  response: IncomingMessage,
  inWords: Copy['inWords'],
): Promise<UpdateDocument['state'] | undefined> {
  let shown = '';
  for await (const { state, progress, error, restartNeeded } of statesIn(response)) {
    if (state === 'received') continue;
    if (state === 'installing') {
      const text = inWords(`${progress?.percent ?? 0} % ${progress?.message ?? ''}`);
      if (text !== shown) process.stdout.write(`${text}\n`);
      shown = text;
      continue;
    }
    if (state === 'installed') {
      const next = restartNeeded ? '; it runs after: spliced update restart' : '';
      process.stdout.write(`installed${next}\n`);
      return state;
    }
    process.stderr.write(`spliced: ${inWords(error ?? `the update is ${state}`)}\n`);
    return state;
  }
  process.stderr.write(
    'spliced: the service ended; "spliced update status" tells how it goes on\n',
  );
  return undefined;
}

export async function updateInstall(directory: ServiceDirectory, file: string): Promise<number> {
  const { name, inWords, remove } = await copyForService(directory, file);
  // Before it begins: a program may be quick.
  const events = await openApi(directory, { path: '/events' });
  try {
    const body = { file: name };
    await askApi(directory, { method: 'POST', path: '/update/install', body });
  } catch (error) {
    events.destroy();
    if (!(error instanceof ApiRefusal)) throw error;
    remove();
    error.message = inWords(error.message);
    throw error;
  }
  const state = await follow(events, inWords);
  // The operator has the original. While the end is not known the installer may need the copy.
  if (state === 'failed') remove();
  return state === 'installed' ? 0 : 1;
}
