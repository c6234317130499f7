// SPDX-License-Identifier: Apache-2.0
// `spliced update install FILE`: a copy of the file for the service, which has no right to read it
// where it is, then the installation with its progress. Called by update.ts.

import { chownSync, constants, copyFileSync, mkdirSync, rmSync, statSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { reasonOf, StartError } from '../start-error.js';
import type { UpdateDocument } from '../update/document.js';
import { ApiRefusal, askApi, openApi } from './api-client.js';

async function directoryOf(stateDir: string): Promise<string> {
  const text = await askApi(stateDir, { path: '/configuration' });
  const { settings } = JSON.parse(text) as { settings: Record<string, { value?: unknown }> };
  const configured = String(settings['update.directory']?.value ?? '');
  return configured === '' ? join(stateDir, 'update') : configured;
}

/** Owned by whom the state directory belongs to. Throws StartError. */
function copyInto(directory: string, name: string, file: string, stateDir: string): void {
  const path = join(directory, name);
  try {
    const { uid, gid } = statSync(stateDir);
    if (mkdirSync(directory, { recursive: true, mode: 0o700 }) !== undefined) {
      chownSync(directory, uid, gid);
    }
    // A clone where the file system can: no second copy.
    copyFileSync(file, path, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    chownSync(path, uid, gid);
  } catch (error) {
    rmSync(path, { force: true });
    throw new StartError(reasonOf(error));
  }
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
async function follow(response: IncomingMessage): Promise<UpdateDocument['state'] | undefined> {
  let shown = '';
  for await (const { state, progress, error, restartNeeded } of statesIn(response)) {
    if (state === 'received') continue;
    if (state === 'installing') {
      const text = `${progress?.percent ?? 0} % ${progress?.message ?? ''}`;
      if (text !== shown) process.stdout.write(`${text}\n`);
      shown = text;
      continue;
    }
    if (state === 'installed') {
      const next = restartNeeded ? '; it runs after: spliced update restart' : '';
      process.stdout.write(`installed${next}\n`);
      return state;
    }
    process.stderr.write(`spliced: ${error ?? `the update is ${state}`}\n`);
    return state;
  }
  process.stderr.write(
    'spliced: the service ended; "spliced update status" tells how it goes on\n',
  );
  return undefined;
}

export async function updateInstall(stateDir: string, file: string): Promise<number> {
  const directory = await directoryOf(stateDir);
  const name = `local-${process.pid}.bundle`;
  copyInto(directory, name, file, stateDir);
  const remove = (): void => rmSync(join(directory, name), { force: true });
  // Before it begins: a program may be quick.
  const events = await openApi(stateDir, { path: '/events' });
  try {
    const body = { file: name };
    await askApi(stateDir, { method: 'POST', path: '/update/install', body });
  } catch (error) {
    events.destroy();
    if (error instanceof ApiRefusal) remove();
    throw error;
  }
  const state = await follow(events);
  // The operator has the original. While the end is not known the installer may need the copy.
  if (state === 'failed') remove();
  return state === 'installed' ? 0 : 1;
}
