// SPDX-License-Identifier: Apache-2.0
// What of an update outlives the process, as it is kept: the record, written before anybody is told,
// and the bundle's file. Where the disk refuses, housekeeping tries again. Owned by manager.ts.

import type { Housekeeper } from '../files/housekeeping.js';
import { removeFile } from '../files/remove-file.js';
import { type Bundle, readRecord, type UpdateRecord, writeRecord } from './record.js';

export interface KeptRecordParts {
  directory: string;
  housekeeping: Housekeeper;
  bootId: string;
  run: string;
}

export interface Entered {
  bundle: Bundle | null;
  error?: string | null;
  isByOther?: boolean;
}

export class KeptRecord {
  readonly #parts: KeptRecordParts;
  #record: UpdateRecord;

  /** Nothing is read yet, and nothing under way. */
  constructor(parts: KeptRecordParts) {
    this.#parts = parts;
    this.#record = this.#fresh('idle');
  }

  get now(): UpdateRecord {
    return this.#record;
  }

  /** What an earlier process has left. Throws where the disk refuses. */
  read(): UpdateRecord | undefined {
    return readRecord(this.#parts.directory);
  }

  /** As it is on the disk already. */
  adopt(record: UpdateRecord): void {
    this.#record = record;
  }

  /** Another state, of this boot and process. */
  enter(state: UpdateRecord['state'], { bundle, error = null, isByOther = false }: Entered): void {
    const isKept = state === 'installed' || state === 'restarting';
    const bootedSlot = isKept ? this.#record.bootedSlot : null;
    this.change({ ...this.#fresh(state), bundle, error, isByOther, bootedSlot });
  }

  change(change: Partial<UpdateRecord>): void {
    const record = { ...this.#record, ...change };
    this.#record = record;
    const { directory, housekeeping } = this.#parts;
    void housekeeping.keep('writing update.json', () => writeRecord(directory, record));
  }

  removeFile(path: string, isUploading: () => boolean): void {
    let isLater = false;
    void this.#parts.housekeeping.keep('removing a bundle that is not needed', () => {
      // The same bundle, sent again, has the same name.
      if (isLater && this.#record.bundle?.path === path) return;
      if (isLater && isUploading()) throw new Error(`${path}: an upload is under way`);
      isLater = true;
      removeFile(path);
    });
  }

  #fresh(state: UpdateRecord['state']): UpdateRecord {
    const { bootId, run } = this.#parts;
    const nothing = { bundle: null, error: null, isByOther: false, token: null, bootedSlot: null };
    return { state, bootId, run, ...nothing };
  }
}
