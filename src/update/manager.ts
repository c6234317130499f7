// SPDX-License-Identifier: Apache-2.0
// The update's state: received, installed by the adapter, restarted into; one at a time. What has
// happened is recorded before it is said, so that the next process goes on from there: an
// installation that the installer carries on by itself is followed again. Made by serving/update.ts.

import { existsSync } from 'node:fs';
import { reasonOf } from '../base/start-error.js';
import type { Housekeeper } from '../files/housekeeping.js';
import { removeFile } from '../files/remove-file.js';
import type { Log } from '../log/log.js';
import { powerPatienceMs, powerUnderWay } from '../power/request.js';
import { DeviceView } from './device-view.js';
import type { AdapterName, UpdateDocument, Upload } from './document.js';
import {
  type InstallCallbacks,
  InstallError,
  type Installer,
  type Progress,
  type SlotMark,
} from './installer.js';
import { takeLocalFile } from './local-file.js';
import {
  type Bundle,
  type ReceivedBundle,
  readRecord,
  type UpdateRecord,
  writeRecord,
} from './record.js';
import { beginRestart, giveUpRestart, type RestartMeans } from './restart.js';

export interface UpdateParts {
  adapter: AdapterName;
  /** Reads the adapter's code. Not called for the adapter "none". */
  loadInstaller: () => Promise<Installer>;
  directory: string;
  restart: RestartMeans;
  log: Log;
  housekeeping: Housekeeper;
  /** Of the boot, and of this process. */
  bootId: string;
  run: string;
  /** Identity of the web root's build. */
  build: () => string | null;
  /** After each change of the document. */
  onChange: (document: UpdateDocument) => void;
  restartPatienceMs?: number;
}

const noAdapter =
  'No installer is configured: set update.adapter to "rauc", "swupdate" or "command".';

export class UpdateManager {
  readonly #parts: UpdateParts;
  #record: UpdateRecord;
  #upload: Upload | null = null;
  #progress: Progress | null = null;
  readonly #device: DeviceView;
  #installer: Promise<Installer> | undefined;
  #patience: NodeJS.Timeout | undefined;
  #isTaking = false;
  #isClosed = false;

  /** Does nothing yet; `start()` does. */
  constructor(parts: UpdateParts) {
    this.#parts = parts;
    this.#record = this.#fresh('idle');
    this.#device = new DeviceView(() => this.#load(), parts.log);
  }

  /** Goes on where an earlier process ended. Never throws. */
  start(): void {
    const fresh = this.#record;
    void this.#parts.housekeeping.keep('reading update.json', () => {
      if (this.#record !== fresh) return; // An update has begun meanwhile.
      const before = readRecord(this.#parts.directory);
      if (before !== undefined) this.#goOn(before);
      this.#tell();
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
    const { state } = this.#record;
    if (this.#parts.adapter === 'none') return noAdapter;
    if (state === 'restarting') return 'The device restarts.';
    return this.powerRefusal() ?? powerUnderWay(this.#parts.restart.env);
  }

  /** Why the device may be neither restarted nor powered off now; undefined: it may. */
  powerRefusal(): string | undefined {
    const isBusy = this.#record.state === 'installing';
    return isBusy ? 'An update is being installed: wait for its end.' : undefined;
  }

  /** An upload has begun, gone on, or (null) been given up. */
  uploadChanged(upload: Upload | null): void {
    this.#upload = upload;
    this.#tell();
  }

  /** An upload is complete: the file is ours from now on. What was there before is removed. */
  async received(received: ReceivedBundle): Promise<void> {
    const before = this.#record.bundle;
    if (before !== null && before.path !== received.path) this.#remove(before);
    this.#upload = null;
    this.#progress = null;
    const { name, length, sha256 } = received;
    this.#parts.log.info({ event: 'update_received', name, length, sha256 });
    const bundle = { ...received, compatible: null, version: null, description: null };
    this.#enter('received', { bundle });
    await this.#inspect(bundle);
  }

  /** Forgets what was received. False: there was nothing that could be. */
  forget(): boolean {
    const { state, bundle } = this.#record;
    if (state === 'installing' || state === 'restarting' || bundle === null) return false;
    this.#remove(bundle);
    this.#enter('idle', { bundle: null });
    return true;
  }

  /** Begins. The answer is a sentence that says why it cannot be; undefined: it has begun. */
  install(): string | undefined {
    const refusal = this.receiveRefusal();
    if (refusal !== undefined) return refusal;
    const { state, bundle } = this.#record;
    if (state === 'installed')
      return 'It is installed. Restart the device, or send another bundle.';
    if (bundle === null) return 'There is nothing to install: upload a bundle first.';
    if (!existsSync(bundle.path)) return 'The bundle is not there any more: upload it again.';
    const { name, sha256 } = bundle;
    this.#parts.log.info({ event: 'update_started', name, sha256 });
    this.#progress = { percent: 0, message: '' };
    this.#enter('installing', { bundle });
    void this.#follow(async (installer, callbacks) => {
      // To know after the restart whether another slot was booted.
      await this.#device.refresh();
      this.#keep({ ...this.#record, bootedSlot: this.#bootedSlot() });
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
      await this.received(await takeLocalFile(this.#parts.directory, file));
    } catch (error) {
      if (error instanceof InstallError) return error.message;
      throw error;
    } finally {
      this.#isTaking = false;
    }
    const { state, error } = this.#record;
    return state === 'failed' ? (error ?? 'It is refused.') : this.install();
  }

  /** Begins. The answer is a sentence that says why it cannot be; undefined: it has begun. */
  restart(): string | undefined {
    const { state, bundle } = this.#record;
    const refusal = this.powerRefusal() ?? beginRestart(this.#parts.restart);
    if (refusal !== undefined) return refusal;
    this.#parts.log.info({ event: 'update_restart', kind: this.#parts.restart.kind });
    this.#enter('restarting', { bundle });
    const { restartPatienceMs: patienceMs = powerPatienceMs } = this.#parts;
    const isInstalled = state === 'installed';
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

  #fresh(state: UpdateRecord['state']): UpdateRecord {
    const { bootId, run } = this.#parts;
    return { state, bundle: null, error: null, bootId, run, token: null, bootedSlot: null };
  }

  #goOn(before: UpdateRecord): void {
    const isSameBoot = before.bootId === this.#parts.bootId;
    const { bundle, token } = before;
    switch (before.state) {
      case 'installing':
        this.#record = { ...before, run: this.#parts.run };
        if (isSameBoot && token !== null) this.#resume(token);
        else this.#failed('The service or the device ended during the installation.');
        break;
      case 'installed':
      case 'restarting': {
        const { kind } = this.#parts.restart;
        const isOver = kind === 'service' ? before.run !== this.#parts.run : !isSameBoot;
        // A restart that was asked for without an update leaves nothing behind.
        const isInstalled = bundle !== null || before.state === 'installed';
        if (isOver || !isInstalled) this.#enter('idle', { bundle: null });
        else this.#record = { ...before, state: 'installed' };
        if (isOver && isInstalled) void this.#judgeBoot(before);
        break;
      }
      default:
        this.#record = before;
    }
  }

  /** Whether the device runs what was installed before it was restarted. */
  async #judgeBoot({ bundle, bootedSlot }: UpdateRecord): Promise<void> {
    const { log, restart } = this.#parts;
    if (bootedSlot === null || restart.kind !== 'reboot') return;
    await this.#look();
    const slot = this.#bootedSlot();
    if (slot === null || this.#record.state !== 'idle') return;
    if (slot !== bootedSlot) {
      log.info({ event: 'update_booted', name: bundle?.name, slot });
      return;
    }
    const reason =
      `The device runs ${slot} as before the update: the boot loader has fallen back, ` +
      'or never tried the other slot.';
    log.warn({ event: 'update_fell_back', reason, name: bundle?.name, slot });
    this.#enter('failed', { bundle: null, error: reason });
  }

  #bootedSlot(): string | null {
    return this.#device.current.slots.find(({ state }) => state === 'booted')?.name ?? null;
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
      onToken: (token) => this.#keep({ ...this.#record, token }),
    };
    try {
      await work(await this.#load(), callbacks);
      this.#succeeded();
    } catch (error) {
      // Whoever comes next finds it still installing, and follows it again.
      if (this.#isClosed && this.#record.token !== null) return;
      this.#failed(reasonOf(error));
    }
    if (this.#isClosed) return;
    this.#device.expire();
    await this.#look();
  }

  #succeeded(): void {
    const { bundle } = this.#record;
    const { log } = this.#parts;
    log.info({ event: 'update_installed', name: bundle?.name, sha256: bundle?.sha256 });
    this.#progress = null;
    this.#enter('installed', { bundle });
    if (bundle !== null) this.#remove(bundle);
  }

  #failed(reason: string): void {
    const { bundle } = this.#record;
    this.#parts.log.warn({ event: 'update_failed', reason, name: bundle?.name });
    this.#progress = null;
    this.#enter('failed', { bundle, error: reason });
  }

  #restartFailed(isInstalled: boolean): void {
    const { log, restart } = this.#parts;
    if (restart.stop.aborted) return; // It has begun: a drain may take longer.
    const reason = giveUpRestart(restart);
    log.error({ event: 'update_restart_failed', reason });
    const { bundle } = this.#record;
    this.#enter(isInstalled ? 'installed' : 'failed', { bundle, error: reason });
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
    const { state, bundle } = this.#record;
    return state === 'received' && bundle?.path === path && bundle.sha256 === sha256;
  }

  #load(): Promise<Installer> {
    this.#installer ??= this.#parts.loadInstaller();
    return this.#installer;
  }

  /** Looks at the slots. An installer that is busy answers nothing. */
  async #look(): Promise<void> {
    const isBusy = this.#record.state === 'installing';
    if (this.#parts.adapter === 'none' || isBusy) return;
    if (await this.#device.look()) this.#tell();
  }

  #enter(
    state: UpdateRecord['state'],
    { bundle, error = null }: { bundle: Bundle | null; error?: string | null },
  ): void {
    const { bootedSlot } = this.#record;
    const isKept = state === 'installed' || state === 'restarting';
    this.#keep({ ...this.#fresh(state), bundle, error, bootedSlot: isKept ? bootedSlot : null });
    this.#tell();
  }

  #keep(record: UpdateRecord): void {
    this.#record = record;
    const { directory, housekeeping } = this.#parts;
    void housekeeping.keep('writing update.json', () => writeRecord(directory, record));
  }

  #remove({ path }: ReceivedBundle): void {
    let isLater = false;
    void this.#parts.housekeeping.keep('removing a bundle that is not needed', () => {
      // The same bundle, sent again, has the same name.
      if (isLater && this.#record.bundle?.path === path) return;
      if (isLater && this.#upload !== null) throw new Error(`${path}: an upload is under way`);
      isLater = true;
      removeFile(path);
    });
  }

  #document(): UpdateDocument {
    const { adapter, restart, bootId, build } = this.#parts;
    const { state, bundle, error } = this.#record;
    const isReceiving = this.#upload !== null && state !== 'installing' && state !== 'restarting';
    const shown = bundle === null ? null : withoutPath(bundle);
    return {
      adapter,
      state: isReceiving ? 'receiving' : state,
      upload: this.#upload,
      bundle: shown,
      progress: this.#progress,
      error,
      compatible: this.#device.current.compatible,
      slots: this.#device.current.slots,
      restartNeeded: state === 'installed' && restart.kind !== 'none',
      bootId,
      build: build(),
    };
  }

  #tell(): void {
    this.#parts.onChange(this.#document());
  }
}

function withoutPath({ path: _, ...shown }: Bundle): Omit<Bundle, 'path'> {
  return shown;
}
