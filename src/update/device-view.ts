// SPDX-License-Identifier: Apache-2.0
// What the installer last said of the device and its slots: asked for again when it is old, one look
// at a time. Owned by manager.ts.

import { reasonOf } from '../base/start-error.js';
import type { Log } from '../log/log.js';
import type { Device, Installer } from './installer.js';

/** Slots are asked for again when they are older than this. */
const ageMsMax = 5_000;

export class DeviceView {
  readonly #load: () => Promise<Installer>;
  readonly #log: Log;
  #device: Device = { compatible: null, slots: [] };
  #atMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<boolean> | undefined;

  constructor(load: () => Promise<Installer>, log: Log) {
    this.#load = load;
    this.#log = log;
  }

  /** Empty before the first look. */
  get current(): Device {
    return this.#device;
  }

  /** The slot that runs; null: not known. */
  get bootedSlot(): string | null {
    return this.#device.slots.find(({ state }) => state === 'booted')?.name ?? null;
  }

  /** The next look asks, however fresh this is. */
  expire(): void {
    this.#atMs = Number.NEGATIVE_INFINITY;
  }

  /** True when it was asked for again. Never rejects. */
  look(): Promise<boolean> {
    if (performance.now() - this.#atMs < ageMsMax) return Promise.resolve(false);
    this.#looking ??= this.#lookNow().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** Asks now. Rejects as the installer does. */
  async refresh(): Promise<void> {
    this.#device = await (await this.#load()).device();
  }

  async #lookNow(): Promise<true> {
    try {
      await this.refresh();
    } catch (error) {
      this.#log.warn({ event: 'update_installer_unavailable', reason: reasonOf(error) });
    }
    this.#atMs = performance.now();
    return true;
  }
}
