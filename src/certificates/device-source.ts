// SPDX-License-Identifier: Apache-2.0
// The device's own certificate as a source: looks every few seconds, in memory alone, whether the
// dates or the device's names ask for a new one. Names must stay the same for two looks, and
// renewals have a budget, so that an address that flaps cannot wear out the flash. Made by the
// manager.

import { X509Certificate } from 'node:crypto';
import { reasonOf } from '../start-error.js';
import { Budget } from './budget.js';
import { hourMs } from './clock.js';
import {
  type DeviceCertificate,
  dateReason,
  deviceDirOf,
  ensureDeviceCertificate,
  missingNames,
} from './device.js';
import { type DeviceNames, deviceNames } from './names.js';
import type { Occasion, Runtime, Served, Source } from './source.js';
import { takeWish } from './wish.js';

const renewalsAtOnceMax = 3;
const renewalIntervalMs = hourMs;

export class DeviceSource implements Source {
  readonly name = 'device';
  lastError: string | undefined;
  readonly wishDirectory: string;
  readonly #stateDir: string;
  readonly #runtime: Runtime;
  readonly #names: () => DeviceNames;
  readonly #budget: Budget;
  #served: Served | undefined;
  #missing = ''; // At the last look.

  constructor(stateDir: string, runtime: Runtime, names: () => DeviceNames = deviceNames) {
    this.#stateDir = stateDir;
    this.wishDirectory = deviceDirOf(stateDir);
    this.#runtime = runtime;
    this.#names = names;
    this.#budget = new Budget(runtime.clock, renewalsAtOnceMax, renewalIntervalMs);
  }

  async start(): Promise<void> {
    this.#take(await this.#ensure(this.#wish()));
  }

  async look(occasion: Occasion): Promise<void> {
    try {
      const wish = occasion === 'tick' ? undefined : this.#wish();
      const reason = wish ?? this.#reasonToRenew(occasion);
      if (reason === undefined) return;
      if (wish === undefined && !this.#budget.take()) return;
      const before = this.#served?.certificate.fingerprint256;
      const device = await this.#ensure(wish);
      this.#take(device);
      this.lastError = undefined;
      if (device.fingerprint === before) return;
      this.#runtime.changed(device.renewedBecause ?? reason);
    } catch (error) {
      this.lastError = reasonOf(error);
      const { lastError: reason } = this;
      this.#runtime.report({ severity: 'error', event: 'certificate_not_renewed', reason });
    }
  }

  served(): Served[] {
    return this.#served === undefined ? [] : [this.#served];
  }

  close(): void {}

  #wish(): string | undefined {
    return takeWish(this.wishDirectory) ? 'an operator asked for it' : undefined;
  }

  #ensure(force: string | undefined): Promise<DeviceCertificate> {
    const { clock, buildDateMs } = this.#runtime;
    const [stateDir, nowMs, names] = [this.#stateDir, clock.nowMs(), this.#names()];
    const wish = force === undefined ? {} : { force };
    return ensureDeviceCertificate({ stateDir, nowMs, buildDateMs, names, ...wish });
  }

  #take({ chain, privateKey }: DeviceCertificate): void {
    const certificate = new X509Certificate(chain);
    this.#served = { source: this.name, chain, privateKey, certificate };
  }

  #reasonToRenew(occasion: Occasion): string | undefined {
    const certificate = this.#served?.certificate;
    if (certificate === undefined) return 'there is none';
    const { clock, buildDateMs } = this.#runtime;
    const byDate = dateReason(certificate, clock.nowMs(), buildDateMs);
    if (byDate !== undefined) return byDate;
    const missing = missingNames(certificate, this.#names()).join(', ');
    const isSettled = missing === this.#missing || occasion === 'reload';
    this.#missing = missing;
    return missing !== '' && isSettled ? `the certificate does not name ${missing}` : undefined;
  }
}
