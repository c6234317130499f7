// SPDX-License-Identifier: Apache-2.0
// A certificate and a key that an operator gives to the running service, as a source: checked
// completely, then stored as one generation and served. Made by the manager, whose `install` is for
// the API.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { reasonOf } from '../base/start-error.js';
import { checkCertificate, type Finding } from './check.js';
import { certificatesDirOf } from './device.js';
import type { CertificatePair, Runtime, Served, Source } from './source.js';
import { GenerationStore } from './store.js';

export interface Installation {
  isInstalled: boolean;
  /** Everything that is wrong, or worth a warning. */
  findings: Finding[];
}

const textCharsMax = 256 * 1024;

export class UploadedSource implements Source {
  readonly name = 'uploaded';
  lastError: string | undefined;
  readonly #store: GenerationStore;
  readonly #runtime: Runtime;
  #served: Served | undefined;
  #installing: Promise<unknown> = Promise.resolve();

  constructor(stateDir: string, runtime: Runtime) {
    this.#store = new GenerationStore(join(certificatesDirOf(stateDir), 'uploaded'));
    this.#runtime = runtime;
  }

  async start(): Promise<void> {
    const { housekeeping } = this.#runtime;
    await housekeeping.keep("tidying the uploaded certificate's store", () => this.#store.clean());
    try {
      const stored = this.#store.read();
      if (stored !== undefined) this.#take(stored.document, stored.privateKey);
    } catch (error) {
      this.lastError = `the uploaded certificate cannot be used: ${reasonOf(error)}`;
      const { name: source, lastError: reason } = this;
      this.#runtime.report({ severity: 'error', event: 'certificate_rejected', source, reason });
    }
  }

  async look(): Promise<void> {} // It changes only when it is told to.

  served(): Served[] {
    return this.#served === undefined ? [] : [this.#served];
  }

  close(): void {}

  /** One at a time. Rejects with the system's error when the pair cannot be stored. */
  install(pair: CertificatePair): Promise<Installation> {
    const result = this.#installing.then(() => this.#install(pair));
    this.#installing = result.catch(() => {});
    return result;
  }

  /** Forgets the pair; what else there is, is served again. */
  async remove(): Promise<void> {
    await this.#installing;
    await this.#store.remove();
    this.#served = undefined;
    this.lastError = undefined;
    this.#runtime.changed('the uploaded certificate was removed');
  }

  async #install({ chain, privateKey }: CertificatePair): Promise<Installation> {
    if (chain.length + privateKey.length > textCharsMax) {
      return { isInstalled: false, findings: [{ kind: 'bad', text: 'that is too long' }] };
    }
    const { clock, buildDateMs } = this.#runtime;
    const dates = { nowMs: clock.nowMs(), buildDateMs };
    const { findings, pair } = await checkCertificate({ chain, privateKey, ...dates });
    const isGood = findings.every(({ kind }) => kind === 'warning');
    if (pair === undefined || !isGood) return { isInstalled: false, findings };
    await this.#store.write({ privateKey: pair.privateKey, document: pair.chain, notes: {} });
    this.#take(pair.chain, pair.privateKey);
    this.#runtime.changed('a certificate was uploaded');
    return { isInstalled: true, findings };
  }

  #take(chain: string, privateKey: string): void {
    const certificate = new X509Certificate(chain);
    if (!certificate.checkPrivateKey(createPrivateKey(privateKey))) {
      throw new Error('the key does not match');
    }
    this.#served = { source: this.name, chain, privateKey, certificate };
    this.lastError = undefined;
  }
}
