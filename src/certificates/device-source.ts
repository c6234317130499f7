// SPDX-License-Identifier: Apache-2.0
// The device's own certificate as a source. Every few seconds it checks, in memory only, whether the
// dates or the device's names require a new certificate. Names must be the same in two checks, and
// renewals have a budget, so that a flapping address cannot wear out the flash. Made by the
// manager.

import { X509Certificate } from 'node:crypto';
import { reasonOf } from '../base/start-error.js';
import type { TokenKey } from '../tls/token-key.js';
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
  readonly #tokenKey: TokenKey | undefined;
  readonly #authorityKey: TokenKey | undefined;
  readonly #budget: Budget;
  #served: Served | undefined;
  #missing = ''; // At the last look.
  #wished: string | undefined; // Until it has been granted.

  /** `tokenKey`, and `authorityKey` of who signs: undefined: the key is a file. */
  constructor(
    stateDir: string,
    runtime: Runtime,
    names: () => DeviceNames = deviceNames,
    tokenKey?: TokenKey,
    authorityKey?: TokenKey,
  ) {
    this.#stateDir = stateDir;
    this.#tokenKey = tokenKey;
    this.#authorityKey = authorityKey;
    this.wishDirectory = deviceDirOf(stateDir);
    this.#runtime = runtime;
    this.#names = names;
    this.#budget = new Budget(runtime.clock, renewalsAtOnceMax, renewalIntervalMs);
  }

  async start(): Promise<void> {
    this.#takeWish();
    try {
      this.#take(await this.#ensure());
    } catch (error) {
      this.lastError = reasonOf(error);
      throw error;
    }
  }

  async look(occasion: Occasion): Promise<void> {
    try {
      const isWished = occasion !== 'tick' && this.#takeWish();
      const reason = (isWished ? this.#wished : undefined) ?? this.#reasonToRenew(occasion);
      if (reason === undefined) return;
      if (!isWished && !this.#budget.take()) return;
      const before = this.#served?.certificate.fingerprint256;
      const device = await this.#ensure();
      this.#take(device);
      if (device.fingerprint === before) return;
      this.#runtime.changed(device.renewedBecause ?? reason);
    } catch (error) {
      this.#notRenewed(reasonOf(error));
    }
  }

  served(): Served[] {
    return this.#served === undefined ? [] : [this.#served];
  }

  close(): void {}

  /** True when there is a new one; it is remembered until a certificate has come of it. */
  #takeWish(): boolean {
    if (!takeWish(this.wishDirectory, this.#runtime.housekeeping)) return false;
    this.#wished = 'an operator asked for it';
    return true;
  }

  #ensure(): Promise<DeviceCertificate> {
    const { clock, buildDateMs, housekeeping } = this.#runtime;
    const [stateDir, nowMs, names] = [this.#stateDir, clock.nowMs(), this.#names()];
    const wish = this.#wished === undefined ? {} : { force: this.#wished };
    const keys = { tokenKey: this.#tokenKey, authorityKey: this.#authorityKey };
    const common = { stateDir, nowMs, buildDateMs, names, housekeeping, ...keys };
    return ensureDeviceCertificate({ ...common, ...wish });
  }

  #take({ chain, privateKey, notRenewed }: DeviceCertificate): void {
    const certificate = new X509Certificate(chain);
    this.#served = { source: this.name, chain, privateKey, certificate };
    if (notRenewed !== undefined) this.#notRenewed(notRenewed);
    else {
      this.lastError = undefined;
      this.#wished = undefined;
    }
  }

  #notRenewed(reason: string): void {
    this.lastError = reason;
    this.#runtime.report({ severity: 'error', event: 'certificate_not_renewed', reason });
  }

  #reasonToRenew(occasion: Occasion): string | undefined {
    const certificate = this.#served?.certificate;
    if (certificate === undefined) return 'there is none';
    const { clock, buildDateMs } = this.#runtime;
    const byDate = dateReason(certificate, clock.nowMs(), buildDateMs);
    if (byDate !== undefined) return byDate;
    if (this.lastError !== undefined) return 'the last attempt failed';
    const missing = missingNames(certificate, this.#names()).join(', ');
    const isSettled = missing === this.#missing || occasion === 'reload';
    this.#missing = missing;
    return missing !== '' && isSettled ? `the certificate does not name ${missing}` : undefined;
  }
}
