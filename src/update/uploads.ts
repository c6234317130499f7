// SPDX-License-Identifier: Apache-2.0
// Uploads of bundles, one at a time: who may send what, the part that is there, and what becomes of
// it. The bytes are the engine's (native/upload): here is what is decided. A part survives the
// process and a power cut up to the last byte that is known to be on the medium; whoever announces
// the same bundle again goes on from there. Made by serving/uploads.ts.

import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, rm, statfs } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { reasonOf } from '../base/start-error.js';
import { visibleJson } from '../base/visible.js';
import { fsyncDirectory, makeDirectory } from '../files/durable.js';
import type { Housekeeper } from '../files/housekeeping.js';
import type { Log } from '../log/log.js';
import type { Upload } from './document.js';
import type { ReceivedBundle } from './record.js';
import {
  nameBundle,
  partName,
  readRecord,
  removeUpload,
  type UploadRecord,
  writeRecord,
} from './upload-record.js';
import { isSame, mib, refuseBadWish, UploadRefusal, type UploadWish } from './upload-wish.js';

/** What of the addon is used; src/engine/native.ts says what the members do. */
export interface Receiver {
  snapshot(): {
    offset: number;
    durable: number;
    sha256: string;
    error: string;
    isBroken: boolean;
    isReceiving: boolean;
    hasPartEnded: boolean;
  };
  conclude(status: 200 | 422 | 500, text: string): void;
  sync(): void;
  close(): boolean;
}

export interface UploadsParts<R extends Receiver = Receiver> {
  directory: string;
  sizeMaxBytes: number;
  openReceiver: (
    options: { id: string; path: string; length: number; offset: number },
    onNews: () => void,
  ) => R;
  reserveFile: (path: string, length: number) => Promise<boolean>;
  /** The engine takes these, and no others. */
  setReceivers: (receivers: R[]) => void;
  log: Log;
  housekeeping: Housekeeper;
  /** A sentence that says why nothing may be uploaded now; undefined: it may. */
  refusal: () => string | undefined;
  /** An upload has begun, gone on, or (null) ended. */
  onChange: (upload: Upload | null) => void;
  /** The file is the receiver's from now on. May be called again for one that was taken before. */
  onReceived: (bundle: ReceivedBundle) => Promise<void>;
}

export const uploadPrefix = '/.spliced/upload/';

/** The device needs some space to go on living. */
const spareBytes = 16 * 1024 * 1024;
const syncMsMax = 5_000;

/** The extension is kept, for installers that look at it. */
function bundleFile(name: string, sha256: string): string {
  const extension = extname(name);
  return `bundle-${sha256.slice(0, 16)}${/^\.\w{1,16}$/.test(extension) ? extension : ''}`;
}

/** The file itself: a link there is not followed. */
async function cutOff(path: string, length: number): Promise<void> {
  const handle = await open(path, constants.O_WRONLY | constants.O_NOFOLLOW);
  try {
    await handle.truncate(length);
  } finally {
    await handle.close();
  }
}

export class Uploads<R extends Receiver = Receiver> {
  readonly #parts: UploadsParts<R>;
  #record: UploadRecord | undefined;
  #open: { receiver: R; id: string } | undefined;
  /** What changes the part or its record comes one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  /** How much there was when the last connection ended. */
  #pausedAt = 0;
  #isEnding = false;
  #onSynced = (): void => {};

  /** Does nothing yet; `start()` does. */
  constructor(parts: UploadsParts<R>) {
    this.#parts = parts;
  }

  /** Finds what an earlier process has left, and tries again where it cannot. Never throws. */
  async start(): Promise<void> {
    await this.#parts.housekeeping.keep('finding what an earlier upload left', () =>
      this.#inTurn(async () => {
        if (this.#record === undefined && this.#open === undefined) await this.#recover();
      }),
    );
  }

  /** Undefined: there is none. */
  state(): Upload | undefined {
    if (this.#record === undefined) return undefined;
    const { name, length, offset } = this.#record;
    return { name, length, offset: this.#open?.receiver.snapshot().offset ?? offset };
  }

  /** Begins an upload, or goes on with the one that is there. Throws UploadRefusal. */
  begin(wish: UploadWish): Promise<Upload & { path: string }> {
    return this.#inTurn(async () => {
      const refusal = this.#parts.refusal();
      if (refusal !== undefined) throw new UploadRefusal('busy', refusal);
      refuseBadWish(wish, this.#parts.sizeMaxBytes);
      if (this.#record !== undefined && !isSame(this.#record, wish)) await this.#replace();
      if (this.#isEnding) this.#closeReceiver();
      if (this.#open === undefined) await this.#openPart(wish);
      else if (wish.sha256 !== undefined) await this.#keep({ sha256: wish.sha256 });
      const path = `${uploadPrefix}${this.#open?.id}`;
      return { ...(this.state() as Upload), path };
    });
  }

  /** Gives the upload up, and removes its part. False: there is none. */
  giveUp(): Promise<boolean> {
    return this.#inTurn(async () => {
      const { log } = this.#parts;
      if (this.#record === undefined) return false;
      log.info({ event: 'upload_given_up', name: this.#record.name });
      await this.#forget();
      return true;
    });
  }

  /** The service stops, and nobody sends any more: what came is put on the medium. Never throws. */
  async close(): Promise<void> {
    await this.#inTurn(async () => {
      const receiver = this.#open?.receiver;
      if (receiver === undefined) return;
      try {
        await this.#synced(receiver);
        await this.#keepOffset();
      } catch (error) {
        this.#parts.log.warn({ event: 'upload_failed', reason: reasonOf(error) });
      }
      const { offset, error, hasPartEnded } = receiver.snapshot();
      this.#paused(offset, error, hasPartEnded);
      receiver.close(); // The engine has ended, and asks for it no more.
      this.#open = undefined;
    });
  }

  /** When all that was told until now has been dealt with. */
  async settled(): Promise<void> {
    await this.#last;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #recover(): Promise<void> {
    const { directory, log } = this.#parts;
    await makeDirectory(directory);
    const record = await readRecord(directory);
    if (record === undefined) return removeUpload(directory);
    if (record.state === 'complete') return this.#takeComplete(record);
    const part = join(directory, partName);
    const found = await lstat(part).catch(() => undefined);
    if (found?.isFile() !== true || found.size < record.offset) {
      const reason = `its file has ${found?.size ?? 'no'} bytes, and ${record.offset} were stored`;
      log.warn({ event: 'upload_lost', name: record.name, reason });
      return removeUpload(directory);
    }
    // What follows may not be what was sent: it was on its way to the medium.
    if (found.size > record.offset) await cutOff(part, record.offset);
    this.#record = record;
    const { name, length, offset } = record;
    log.info({ event: 'upload_found', name, length, offset });
    this.#tell();
  }

  /** A power cut, or the end of a process, between the record's last state and its removal. */
  async #takeComplete(record: UploadRecord): Promise<void> {
    const { directory, log } = this.#parts;
    const { name, length, sha256, file } = record;
    const path = join(directory, file);
    const isNamed = await lstat(path).then(
      (found) => found.isFile(),
      () => false,
    );
    try {
      if (!isNamed) await nameBundle(directory, file);
      await this.#parts.onReceived({ path, name, length, sha256 });
    } catch (error) {
      log.warn({ event: 'upload_lost', name, reason: reasonOf(error) });
    }
    await removeUpload(directory);
  }

  async #replace(): Promise<void> {
    const { log } = this.#parts;
    const name = this.#record?.name;
    if (this.#open?.receiver.snapshot().isReceiving === true) {
      const words = `"${name}" is being uploaded: wait for its end, or give it up with DELETE.`;
      throw new UploadRefusal('busy', words);
    }
    log.info({ event: 'upload_replaced', name });
    await this.#forget();
  }

  async #openPart(wish: UploadWish): Promise<void> {
    const { directory, log } = this.#parts;
    const { name, length } = wish;
    const path = join(directory, partName);
    const before = this.#record;
    const offset = before?.offset ?? 0;
    try {
      await makeDirectory(directory);
      // Its own blocks are the part's already.
      const { blocks } = before === undefined ? { blocks: 0 } : await lstat(path);
      await this.#refuseWithoutSpace(length - Math.max(offset, blocks * 512));
      if (before === undefined) {
        await rm(path, { force: true }); // Whatever has the name: the part is a new file.
        const handle = await open(path, 'wx', 0o600);
        await handle.close();
        await fsyncDirectory(directory);
      } else await cutOff(path, offset);
      await this.#parts.reserveFile(path, length);
      const sha256 = wish.sha256 ?? before?.sha256 ?? '';
      const record: UploadRecord = { state: 'receiving', name, length, sha256, offset, file: '' };
      await writeRecord(directory, record);
      this.#record = record;
    } catch (error) {
      if (before === undefined) await rm(path, { force: true }).catch(() => {});
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
      throw new UploadRefusal('no space', `There is no space for ${mib(length)} in ${directory}.`);
    }
    const id = randomBytes(32).toString('base64url');
    const onNews = (): void => {
      this.#onSynced();
      void this.#inTurn(() => this.#onNews());
    };
    const receiver = this.#parts.openReceiver({ id, path, length, offset }, onNews);
    this.#open = { receiver, id };
    this.#pausedAt = offset;
    this.#parts.setReceivers([receiver]);
    log.info({ event: 'upload_announced', name, length, offset });
    this.#tell();
  }

  async #refuseWithoutSpace(bytes: number): Promise<void> {
    const { directory } = this.#parts;
    const { bavail, bsize } = await statfs(directory);
    const free = Math.max(0, bavail * bsize - spareBytes);
    if (bytes <= free) return;
    const words = `${mib(bytes)} are to come, and ${mib(free)} are free in ${directory}: make room`;
    throw new UploadRefusal('no space', `${words}, or give up an older bundle with DELETE.`);
  }

  /** The receiver's thread has something to say; perhaps of an upload that is over. */
  async #onNews(): Promise<void> {
    const { log } = this.#parts;
    const receiver = this.#open?.receiver;
    if (receiver === undefined || this.#record === undefined || this.#isEnding) return;
    const { offset, sha256, error, isBroken, isReceiving, hasPartEnded } = receiver.snapshot();
    const { name, length } = this.#record;
    try {
      if (isBroken) await this.#broke(receiver, error);
      else if (sha256 !== '') await this.#complete(receiver, sha256);
      else {
        await this.#keepOffset();
        this.#tell();
      }
    } catch (failure) {
      log.error({ event: 'upload_failed', name, reason: reasonOf(failure) });
      receiver.conclude(500, 'the storage refuses; make room, and announce it again');
      this.#isEnding = true; // Announced again, it goes on from what was recorded.
    }
    if (!isReceiving && offset < length) this.#paused(offset, error, hasPartEnded);
  }

  /** A request has ended before the upload; said once each time. A part that came whole is no news. */
  #paused(offset: number, error: string, hasPartEnded: boolean): void {
    const { log } = this.#parts;
    if (this.#record === undefined || offset === this.#pausedAt) return;
    this.#pausedAt = offset;
    const { name, length } = this.#record;
    const fields = { name, length, offset };
    if (error === '' && hasPartEnded) log.debug({ event: 'upload_part_received', ...fields });
    else if (error === '') log.info({ event: 'upload_interrupted', ...fields });
    else log.warn({ event: 'upload_failed', name, length, offset, reason: error });
  }

  async #broke(receiver: R, reason: string): Promise<void> {
    this.#parts.log.error({ event: 'upload_failed', name: this.#record?.name, reason });
    receiver.conclude(500, `the storage failed (${reason}); what was there is given up`);
    await this.#end();
  }

  async #complete(receiver: R, sha256: string): Promise<void> {
    const { directory, log, onReceived } = this.#parts;
    const record = this.#record as UploadRecord;
    const { name, length, sha256: promised } = record;
    if (promised !== '' && promised !== sha256) {
      const reason = `its SHA-256 is ${sha256}, and ${promised} was promised`;
      log.warn({ event: 'upload_refused', name, reason });
      receiver.conclude(422, `${reason}; it is given up, send it again`);
      return this.#end();
    }
    const file = bundleFile(name, sha256);
    await this.#keep({ state: 'complete', offset: length, sha256, file });
    await nameBundle(directory, file);
    const taking = onReceived({ path: join(directory, file), name, length, sha256 });
    receiver.conclude(200, `${visibleJson({ name, length, sha256 })}\n`);
    try {
      await taking;
    } finally {
      await this.#end();
    }
  }

  /** The answer is given; the receiver stays until the next upload, so that it can be asked for again. */
  async #end(): Promise<void> {
    this.#isEnding = true;
    this.#record = undefined;
    await removeUpload(this.#parts.directory);
    this.#parts.onChange(null);
  }

  async #forget(): Promise<void> {
    this.#closeReceiver();
    this.#record = undefined;
    await removeUpload(this.#parts.directory);
    this.#parts.onChange(null);
  }

  #closeReceiver(): void {
    const { log, setReceivers } = this.#parts;
    setReceivers([]);
    if (this.#open?.receiver.close() === false) {
      log.error({ event: 'upload_failed', reason: 'the storage does not answer' });
    }
    this.#open = undefined;
    this.#isEnding = false;
  }

  async #keep(change: Partial<UploadRecord>): Promise<void> {
    const record = { ...(this.#record as UploadRecord), ...change };
    await writeRecord(this.#parts.directory, record);
    this.#record = record;
  }

  async #keepOffset(): Promise<void> {
    const durable = this.#open?.receiver.snapshot().durable ?? 0;
    if (this.#record !== undefined && durable > this.#record.offset) {
      await this.#keep({ offset: durable });
    }
  }

  /** Resolves when all is on the medium, or it takes too long. */
  #synced(receiver: R): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, syncMsMax);
      this.#onSynced = () => {
        const { offset, durable, isBroken } = receiver.snapshot();
        if (offset !== durable && !isBroken) return;
        clearTimeout(timer);
        resolve();
      };
      receiver.sync();
      this.#onSynced();
    });
  }

  #tell(): void {
    this.#parts.onChange(this.state() ?? null);
  }
}
