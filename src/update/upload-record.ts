// SPDX-License-Identifier: Apache-2.0
// What of an upload survives the process and a power cut: the part itself, and beside it one small
// file, replaced atomically, that says how much of the part is on the medium for certain. Used by
// uploads.ts.

import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fsyncDirectory } from '../files/durable.js';
import { readOrdinaryText } from '../files/ordinary-file.js';
import { replaceFile } from '../files/replace-file.js';

export interface UploadRecord {
  /** `complete`: all is there and right, and `file` is, or is about to be, its name. */
  state: 'receiving' | 'complete';
  name: string;
  length: number;
  /** Hexadecimal: what was promised, or of `complete` what was found; empty: nothing was promised. */
  sha256: string;
  /** Bytes of the part that are on the medium. */
  offset: number;
  /** Of `complete`: the name of the whole bundle in the directory. */
  file: string;
}

export const partName = 'upload.part';
const recordName = 'upload.json';

const isNumber = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

/** A name in the directory that is none of ours; also for who reads the record. */
export const isBundleFile = (name: string): boolean =>
  /^bundle-[0-9a-f]{16}(\.\w{1,16})?$/.test(name);

function isRecord(value: Partial<UploadRecord> | null): value is UploadRecord {
  if (value === null || typeof value !== 'object') return false;
  const isState = value.state === 'receiving' || value.state === 'complete';
  const isText = typeof value.name === 'string' && typeof value.sha256 === 'string';
  const isSane = isNumber(value.length) && isNumber(value.offset);
  return isState && isText && isSane && typeof value.file === 'string';
}

/** Undefined: there is none, or it cannot be understood. Throws where the disk refuses. */
export async function readRecord(directory: string): Promise<UploadRecord | undefined> {
  let text: string;
  try {
    text = readOrdinaryText(join(directory, recordName));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const record = JSON.parse(text);
    const isUsable = isRecord(record) && (record.state !== 'complete' || isBundleFile(record.file));
    return isUsable ? record : undefined;
  } catch {
    return undefined;
  }
}

/** After a power cut there is the old record or the new one. Throws where the disk refuses. */
export async function writeRecord(directory: string, record: UploadRecord): Promise<void> {
  const text = `${JSON.stringify(record)}\n`;
  await replaceFile(join(directory, recordName), text, { durable: true });
}

/** The record first: a part without one is nothing. */
export async function removeUpload(directory: string): Promise<void> {
  for (const name of [recordName, `${recordName}.new`]) {
    await rm(join(directory, name), { force: true });
  }
  await fsyncDirectory(directory);
  await rm(join(directory, partName), { force: true });
}

/** The whole bundle has its name from now on. */
export async function nameBundle(directory: string, file: string): Promise<void> {
  await rename(join(directory, partName), join(directory, file));
  await fsyncDirectory(directory);
}
