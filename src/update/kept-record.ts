// SPDX-License-Identifier: Apache-2.0
// What of an update outlives the process, as it is kept: the record, written before anybody is told,
// and the bundles' files: the one that the state is about, and one that waits because it came while that
// was in use. Where the disk refuses, housekeeping tries again. Owned by manager.ts.

import type { Housekeeper } from '../files/housekeeping.js';
import { removeFile } from '../files/remove-file.js';
import { type Bundle, readRecord, type UpdateRecord, writeRecord } from './record.js';

export interface KeptRecordParts {
  directory: string;
  housekeeping: Housekeeper;
  bootId: string;
  run: string;
  /** What is received now may have the name of what is to be removed. */
  isUploading: () => boolean;
}

export interface Entered {
  bundle: Bundle | null;
  /** Absent: as before. */
  waiting?: Bundle | null;
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
  enter(state: UpdateRecord['state'], entered: Entered): void {
    const isKept = state === 'installed' || state === 'restarting';
    const bootedSlot = isKept ? this.#record.bootedSlot : null;
    const { waiting } = this.#record;
    this.change({ ...this.#fresh(state), waiting, bootedSlot, ...entered });
  }

  /** A bundle has come; what it replaces is removed. False: it waits, and the state is what it was. */
  arrived(bundle: Bundle): boolean {
    const { state, isByOther, bundle: before, waiting } = this.#record;
    const isBusy = state === 'installing' || state === 'restarting';
    const isInUse = isBusy && !isByOther;
    // What is written now came again; or what waits did, told by a process that ended in between.
    const isKnown = isInUse ? before?.path === bundle.path : waiting?.path === bundle.path;
    if (isKnown) return false;
    if (isInUse) this.change({ waiting: bundle });
    else if (isBusy) this.change({ bundle, waiting: null });
    else this.enter('received', { bundle, waiting: null });
    this.#removeUnused(before, waiting);
    return !isBusy;
  }

  /** What can be installed; null: nothing. */
  get next(): Bundle | null {
    const { state, isByOther, bundle, waiting } = this.#record;
    return waiting ?? (state === 'installed' && !isByOther ? null : bundle);
  }

  /** An installation of `next` begins, or one by another program, behind which it waits. */
  begin(isByOther: boolean): void {
    const { bundle: before, waiting } = this.#record;
    this.enter('installing', { bundle: this.next, waiting: null, isByOther });
    this.#removeUnused(before, waiting);
  }

  /** Forgets the newest that was received. False: there is nothing that could be. */
  forget(): boolean {
    const { state, bundle, waiting, isByOther } = this.#record;
    const isInUse = state === 'restarting' || (state === 'installing' && !isByOther);
    if (waiting !== null) this.change({ waiting: null });
    else if (bundle === null || isInUse) return false;
    // What another program has installed is still there.
    else if (isByOther && state !== 'failed') this.change({ bundle: null });
    else this.enter('idle', { bundle: null });
    this.#removeUnused(bundle, waiting);
    return true;
  }

  change(change: Partial<UpdateRecord>): void {
    const record = { ...this.#record, ...change };
    this.#record = record;
    const { directory, housekeeping } = this.#parts;
    void housekeeping.keep('writing update.json', () => writeRecord(directory, record));
  }

  removeFile(path: string): void {
    let isLater = false;
    const { housekeeping, isUploading } = this.#parts;
    void housekeeping.keep('removing a bundle that is not needed', () => {
      // The same bundle, sent again, has the same name.
      if (isLater && this.#isNamed(path)) return;
      if (isLater && isUploading()) throw new Error(`${path}: an upload is under way`);
      isLater = true;
      removeFile(path);
    });
  }

  #removeUnused(...bundles: (Bundle | null)[]): void {
    for (const bundle of bundles) {
      if (bundle !== null && !this.#isNamed(bundle.path)) this.removeFile(bundle.path);
    }
  }

  #isNamed(path: string): boolean {
    return [this.#record.bundle, this.#record.waiting].some((bundle) => bundle?.path === path);
  }

  #fresh(state: UpdateRecord['state']): UpdateRecord {
    const { bootId, run } = this.#parts;
    const none = { bundle: null, waiting: null, error: null, token: null, bootedSlot: null };
    return { state, bootId, run, isByOther: false, ...none };
  }
}
