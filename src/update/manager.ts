// SPDX-License-Identifier: Apache-2.0
// The update's state: received, installed by the adapter, restarted into; one at a time. What has
// happened is recorded before it is said, so that the next process goes on from there: an
// installation that the installer carries on by itself is followed again. So is one that another
// program has begun. Made by serving/update.ts.

import { existsSync } from 'node:fs';
import { reasonOf } from '../base/start-error.js';
import { powerPatienceMs, powerUnderWay } from '../power/request.js';
import { aftermathOf, fallBackReason } from './aftermath.js';
import { describe, inLog } from './describe.js';
import { DeviceView } from './device-view.js';
import type { UpdateDocument, Upload } from './document.js';
import {
  type Follow,
  type InstallCallbacks,
  InstallError,
  type Installer,
  type Progress,
  type SlotMark,
} from './installer.js';
import { type Entered, KeptRecord } from './kept-record.js';
import { takeLocalFile } from './local-file.js';
import type { UpdateParts } from './manager-parts.js';
import type { Bundle, ReceivedBundle, UpdateRecord } from './record.js';
import { beginRestart, giveUpRestart } from './restart.js';

const noAdapter =
  'No installer is configured: set update.adapter to "rauc", "swupdate" or "command".';

export class UpdateManager {
  readonly #parts: UpdateParts;
  readonly #kept: KeptRecord;
  #upload: Upload | null = null;
  #progress: Progress | null = null;
  readonly #device: DeviceView;
  #installer: Promise<Installer> | undefined;
  #patience: NodeJS.Timeout | undefined;
  #isTaking = false;
  /** What arrives is dealt with one after the other. */
  #lastArrival: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  /** Does nothing yet; `start()` does. */
  constructor(parts: UpdateParts) {
    this.#parts = parts;
    this.#kept = new KeptRecord({ ...parts, isUploading: () => this.#upload !== null });
    this.#device = new DeviceView(() => this.#load(), parts.log);
  }

  /** Goes on where an earlier process ended. Never throws. */
  start(): void {
    const fresh = this.#kept.now;
    void this.#parts.housekeeping.keep('reading update.json', () => {
      const isFresh = this.#kept.now === fresh; // Else an update has begun meanwhile.
      const before = isFresh ? this.#kept.read() : undefined;
      if (before !== undefined) this.#goOn(before);
      this.#tell();
      void this.#watchOthers();
    });
    this.#tell();
  }

  /** As it is, with slots that were looked at just now where that can be. */
  async current(): Promise<UpdateDocument> {
    await this.#look();
    return this.#document();
  }

  /** Why nothing may be uploaded now; undefined: it may. */
  receiveRefusal(): string | undefined {
    const { state } = this.#kept.now;
    if (this.#parts.adapter === 'none') return noAdapter;
    if (state === 'restarting') return 'The device restarts.';
    return this.powerRefusal() ?? powerUnderWay(this.#parts.restart.env);
  }

  /** Why the device may be neither restarted nor powered off now; undefined: it may. */
  powerRefusal(): string | undefined {
    const { state, isByOther } = this.#kept.now;
    if (state !== 'installing') return undefined;
    return isByOther
      ? 'Another program is installing an update: wait for its end.'
      : 'An update is being installed: wait for its end.';
  }

  /** An upload has begun, gone on, or (null) been given up. */
  uploadChanged(upload: Upload | null): void {
    this.#upload = upload;
    this.#tell();
  }

  /**
   * An upload is complete: the file is ours from now on. What was there before is removed; while that is
   * being installed, what came waits.
   */
  received(received: ReceivedBundle): Promise<void> {
    return this.#inTurn(() => {
      this.#upload = null;
      return this.#take(received);
    });
  }

  async #take(received: ReceivedBundle): Promise<void> {
    const { name, length, sha256 } = received;
    this.#parts.log.info({ event: 'update_received', name, length, sha256 });
    const bundle = { ...received, compatible: null, version: null, description: null };
    const isNext = this.#kept.arrived(bundle);
    if (isNext) this.#progress = null;
    this.#tell();
    if (isNext) await this.#inspect(bundle);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lastArrival.then(work);
    this.#lastArrival = turn.catch(() => {});
    return turn;
  }

  /** Forgets what was received. False: there was nothing that could be. */
  forget(): boolean {
    const isForgotten = this.#kept.forget();
    if (isForgotten) this.#tell();
    return isForgotten;
  }

  /** Begins. The answer is a sentence that says why it cannot be; undefined: it has begun. */
  install(): string | undefined {
    const refusal = this.receiveRefusal();
    if (refusal !== undefined) return refusal;
    const bundle = this.#kept.next;
    const isDone = bundle === null && this.#kept.now.state === 'installed';
    if (isDone) return 'It is installed. Restart the device, or send another bundle.';
    if (bundle === null) return 'There is nothing to install: upload a bundle first.';
    if (!existsSync(bundle.path)) return 'The bundle is not there any more: upload it again.';
    this.#progress = { percent: 0, message: '' };
    this.#begin(false);
    void this.#follow(async (installer, callbacks) => {
      // To know after the restart whether another slot was booted.
      await this.#device.refresh();
      this.#kept.change({ bootedSlot: this.#device.bootedSlot });
      await installer.install(bundle.path, callbacks);
    });
    return undefined;
  }

  /**
   * The same for a file that an operator of the device has put into the update's directory; its name
   * is without a path.
   */
  async installFile(file: string): Promise<string | undefined> {
    const refusal = this.receiveRefusal() ?? (this.#isTaking ? 'A file is being read.' : undefined);
    if (refusal !== undefined) return refusal;
    this.#isTaking = true;
    try {
      return await this.#inTurn(async () => {
        await this.#take(await takeLocalFile(this.#parts.directory, file));
        const { state, error } = this.#kept.now;
        return state === 'failed' ? (error ?? 'It is refused.') : this.install();
      });
    } catch (error) {
      if (error instanceof InstallError) return error.message;
      throw error;
    } finally {
      this.#isTaking = false;
    }
  }

  /** Begins. The answer is a sentence that says why it cannot be; undefined: it has begun. */
  restart(): string | undefined {
    const { state, bundle, isByOther } = this.#kept.now;
    if (state === 'restarting') return undefined;
    const refusal = this.powerRefusal() ?? beginRestart(this.#parts.restart);
    if (refusal !== undefined) return refusal;
    this.#parts.log.info({ event: 'update_restart', kind: this.#parts.restart.kind });
    const isInstalled = state === 'installed';
    // What was not installed waits for the boot behind it.
    const waiting = isInstalled ? this.#kept.now.waiting : this.#kept.next;
    const told = { bundle: isInstalled ? bundle : null, isByOther: isByOther && isInstalled };
    this.#enter('restarting', { ...told, waiting });
    const { restartPatienceMs: patienceMs = powerPatienceMs } = this.#parts;
    this.#patience = setTimeout(() => this.#restartFailed(isInstalled), patienceMs);
    this.#patience.unref();
    return undefined;
  }

  /** The installer's words. Rejects with InstallError. */
  async mark(slot: string, mark: SlotMark): Promise<string> {
    const { adapter, log } = this.#parts;
    const installer = adapter === 'none' ? undefined : await this.#load();
    if (installer?.mark === undefined) {
      throw new InstallError(`update.adapter is "${adapter}", which cannot mark slots.`);
    }
    const message = await installer.mark(slot, mark);
    log.info({ event: 'slot_marked', slot, mark, message });
    this.#device.expire();
    await this.#look();
    this.#tell();
    return message;
  }

  /** The service stops. An installation that ends with this process is recorded as failed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#patience);
    (await this.#installer?.catch(() => undefined))?.close();
  }

  #goOn(before: UpdateRecord): void {
    const { bootId, run, restart } = this.#parts;
    const { bundle, waiting, token, state, isByOther } = before;
    switch (aftermathOf(before, { bootId, run, kind: restart.kind })) {
      case 'goes on':
        this.#kept.adopt({ ...before, run });
        this.#resume(token ?? '');
        break;
      case 'broken off':
        this.#kept.adopt({ ...before, run });
        this.#failed('The service or the device ended during the installation.');
        break;
      case 'over':
        this.#rest(waiting ?? (isByOther ? bundle : null));
        if (bundle !== null || isByOther || state === 'installed') void this.#judgeBoot(before);
        break;
      case 'not restarted':
        this.#kept.adopt({ ...before, state: 'installed' });
        break;
      default:
        this.#kept.adopt(before);
    }
  }

  /** Nothing is under way; what was received waits. */
  #rest(bundle: Bundle | null): void {
    this.#enter(bundle === null ? 'idle' : 'received', { bundle, waiting: null });
  }

  async #watchOthers(): Promise<void> {
    const { adapter, log } = this.#parts;
    if (adapter === 'none' || this.#isClosed) return;
    const onTrouble = (reason: string): void =>
      log.warn({ event: 'update_installer_unavailable', reason });
    try {
      const installer = await this.#load();
      installer.watchOthers?.({ onBegun: (follow) => this.#othersBegan(follow), onTrouble });
    } catch (error) {
      onTrouble(reasonOf(error));
    }
  }

  /** What was received stays for later. */
  #othersBegan(follow: Follow): void {
    const { state } = this.#kept.now;
    if (state === 'installing' || state === 'restarting') return;
    this.#progress = { percent: 0, message: '' };
    this.#begin(true);
    // An installer that is busy says nothing of its slots: what it said before, or says behind it.
    this.#kept.change({ bootedSlot: this.#device.bootedSlot });
    void this.#follow((_installer, callbacks) => follow(callbacks));
  }

  /** Whether the device runs what was installed before it was restarted. */
  async #judgeBoot(before: UpdateRecord): Promise<void> {
    const { log, restart } = this.#parts;
    const wasInstalling = before.state === 'installing';
    if ((before.bootedSlot === null && !wasInstalling) || restart.kind !== 'reboot') return;
    const rest = this.#kept.now;
    await this.#look();
    const slot = this.#device.bootedSlot;
    if ((slot === null && !wasInstalling) || this.#kept.now !== rest) return;
    const { name, by } = inLog(before);
    const reason = fallBackReason(before, slot);
    if (reason === undefined) return log.info({ event: 'update_booted', name, by, slot });
    log.warn({ event: 'update_fell_back', reason, name, by, slot });
    const { isByOther } = before;
    this.#enter('failed', { bundle: rest.bundle, error: reason, isByOther });
  }

  #resume(token: string): void {
    this.#progress = { percent: 0, message: 'The installation goes on.' };
    void this.#follow(async (installer, callbacks) => {
      if (installer.resume === undefined) throw new InstallError('The service ended meanwhile.');
      await installer.resume(token, callbacks);
    });
  }

  async #follow(
    work: (installer: Installer, callbacks: InstallCallbacks) => Promise<void>,
  ): Promise<void> {
    const callbacks: InstallCallbacks = {
      onProgress: (progress) => {
        this.#progress = progress;
        this.#tell();
      },
      onToken: (token) => this.#kept.change({ token }),
    };
    try {
      await work(await this.#load(), callbacks);
      this.#succeeded();
    } catch (error) {
      // Whoever comes next finds it still installing, and follows it again.
      if (this.#isClosed && this.#kept.now.token !== null) return;
      this.#failed(reasonOf(error));
    }
    if (this.#isClosed) return;
    this.#device.expire();
    await this.#look();
    const { state, bootedSlot } = this.#kept.now;
    if (state !== 'installed' || bootedSlot !== null) return;
    this.#kept.change({ bootedSlot: this.#device.bootedSlot });
  }

  #succeeded(): void {
    const { bundle, isByOther } = this.#kept.now;
    this.#parts.log.info({ event: 'update_installed', ...inLog(this.#kept.now) });
    this.#progress = null;
    this.#enter('installed', { bundle, isByOther });
    if (bundle !== null && !isByOther) this.#kept.removeFile(bundle.path);
  }

  #failed(reason: string): void {
    const { bundle, isByOther } = this.#kept.now;
    this.#parts.log.warn({ event: 'update_failed', reason, ...inLog(this.#kept.now) });
    this.#progress = null;
    this.#enter('failed', { bundle, error: reason, isByOther });
  }

  #restartFailed(isInstalled: boolean): void {
    const { log, restart } = this.#parts;
    if (restart.stop.aborted) return; // It has begun: a drain may take longer.
    const reason = giveUpRestart(restart);
    log.error({ event: 'update_restart_failed', reason });
    const { bundle, isByOther } = this.#kept.now;
    this.#enter(isInstalled ? 'installed' : 'failed', { bundle, error: reason, isByOther });
  }

  /** What it says of itself; a bundle that is refused now was not written anywhere. */
  async #inspect(bundle: Bundle): Promise<void> {
    if (this.#parts.adapter === 'none') return;
    try {
      const installer = await this.#load();
      if (installer.inspect === undefined) return;
      const details = await installer.inspect(bundle.path);
      if (this.#isStill(bundle)) this.#enter('received', { bundle: { ...bundle, ...details } });
    } catch (error) {
      if (this.#isStill(bundle)) this.#failed(reasonOf(error));
    }
  }

  #isStill({ path, sha256 }: Bundle): boolean {
    const { state, bundle } = this.#kept.now;
    return state === 'received' && bundle?.path === path && bundle.sha256 === sha256;
  }

  #load(): Promise<Installer> {
    this.#installer ??= this.#parts.loadInstaller();
    return this.#installer;
  }

  /** Looks at the slots. An installer that is busy answers nothing. */
  async #look(): Promise<void> {
    const isBusy = this.#kept.now.state === 'installing';
    if (this.#parts.adapter === 'none' || isBusy) return;
    if (await this.#device.look()) this.#tell();
  }

  #enter(state: UpdateRecord['state'], entered: Entered): void {
    this.#kept.enter(state, entered);
    this.#tell();
  }

  #begin(isByOther: boolean): void {
    this.#kept.begin(isByOther);
    this.#tell();
    this.#parts.log.info({ event: 'update_started', ...inLog(this.#kept.now) });
  }

  #document(): UpdateDocument {
    const { adapter, restart, bootId, build } = this.#parts;
    return describe({
      adapter,
      record: this.#kept.now,
      upload: this.#upload,
      progress: this.#progress,
      device: this.#device.current,
      canRestart: restart.kind !== 'none',
      bootId,
      build: build(),
    });
  }

  #tell(): void {
    this.#parts.onChange(this.#document());
  }
}
