// SPDX-License-Identifier: Apache-2.0
// What somebody wants to upload, and what can be said against it before anything is done. Used by
// uploads.ts.

import { isVisible } from '../base/visible.js';
import type { UploadRecord } from './upload-record.js';

export interface UploadWish {
  name: string;
  length: number;
  /** Hexadecimal; undefined: the sender promises none. */
  sha256: string | undefined;
}

/** Why an upload cannot begin: `kind` for programs, the message for people. */
export class UploadRefusal extends Error {
  readonly kind: 'busy' | 'too long' | 'no space' | 'bad';
  constructor(kind: UploadRefusal['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

export const nameLengthMax = 200;
export const mib = (bytes: number): string => `${Math.ceil(bytes / (1024 * 1024))} MiB`;

/** The part that is there is one of this. */
export function isSame(record: UploadRecord, { name, length, sha256 }: UploadWish): boolean {
  const isPromiseKept = sha256 === undefined || record.sha256 === '' || record.sha256 === sha256;
  return record.name === name && record.length === length && isPromiseKept;
}

/** Throws UploadRefusal. */
export function refuseBadWish({ name, length, sha256 }: UploadWish, sizeMaxBytes: number): void {
  if (name === '' || name.length > nameLengthMax || name.includes('/') || !isVisible(name)) {
    const what =
      `"name" must be a file's name without a path, of at most ${nameLengthMax} characters, none of ` +
      'them a control character or one that changes the direction of text.';
    throw new UploadRefusal('bad', what);
  }
  if (!Number.isSafeInteger(length) || length < 1) {
    throw new UploadRefusal('bad', '"length" must be the number of bytes, at least 1.');
  }
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256)) {
    throw new UploadRefusal('bad', '"sha256" must be 64 hexadecimal digits in lower case.');
  }
  if (length > sizeMaxBytes) {
    const most = `a bundle may have ${mib(sizeMaxBytes)} (update.size_max_mib)`;
    throw new UploadRefusal('too long', `It has ${mib(length)}; ${most}.`);
  }
}
