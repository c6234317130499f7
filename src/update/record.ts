// SPDX-License-Identifier: Apache-2.0
// What of an update survives the process and a power cut: one small file in the update's directory,
// replaced atomically. Used by manager.ts.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { readOrdinaryText } from '../files/ordinary-file.js';
import { replaceFileSync } from '../files/replace-file.js';

/** A bundle that has arrived completely, in a file of the update's directory. */
export interface ReceivedBundle {
  path: string;
  /** What its sender calls it. */
  name: string;
  length: number;
  /** Hexadecimal. */
  sha256: string;
}

export interface Bundle extends ReceivedBundle {
  compatible: string | null;
  version: string | null;
  description: string | null;
}

export interface UpdateRecord {
  state: 'idle' | 'received' | 'installing' | 'installed' | 'failed' | 'restarting';
  bundle: Bundle | null;
  /** Came while `bundle` was in use; what is installed next. */
  waiting: Bundle | null;
  error: string | null;
  /** Of the boot in which the state was entered. */
  bootId: string;
  /** Of the process likewise. */
  run: string;
  /** Another program began what the state tells of; `bundle` then waits, and has no part in it. */
  isByOther: boolean;
  /** What the installer needs to find an installation again. */
  token: string | null;
  /** The slot that ran when the update was installed; null: not known. */
  bootedSlot: string | null;
}

const nameOf = (directory: string): string => join(directory, 'update.json');

/** Undefined: nothing is recorded, or it cannot be understood. Throws where the disk refuses. */
export function readRecord(directory: string): UpdateRecord | undefined {
  let text: string;
  try {
    text = readOrdinaryText(nameOf(directory));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const record = JSON.parse(text) as UpdateRecord;
    if (typeof record.state !== 'string') return undefined;
    // Versions before had neither.
    return { ...record, isByOther: record.isByOther === true, waiting: record.waiting ?? null };
  } catch {
    return undefined;
  }
}

/** Throws where the disk refuses. After a power cut there is the old record or the new one. */
export function writeRecord(directory: string, record: UpdateRecord): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  replaceFileSync(nameOf(directory), `${JSON.stringify(record)}\n`, { durable: true });
}
