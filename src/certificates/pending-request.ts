// SPDX-License-Identifier: Apache-2.0
// A request for a certificate (PKCS#10) that an authority elsewhere is to sign, with its key, which
// never leaves the device: kept until the issued chain comes back, or until it is given up. There is
// at most one, so that no answer can be orphaned by a second. Used by the API.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { certificatesDirOf } from './device.js';
import { namesFrom } from './names.js';
import { GenerationStore } from './store.js';

export interface Pending {
  /** PEM. */
  request: string;
  names: string[];
  madeAt: string;
}

const certificatePem = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

export class PendingRequest {
  readonly #store: GenerationStore;
  #making: Promise<unknown> = Promise.resolve();

  constructor(stateDir: string) {
    this.#store = new GenerationStore(join(certificatesDirOf(stateDir), 'request'), 'request.pem');
  }

  /** Throws when what is stored is damaged. */
  read(): Pending | undefined {
    const stored = this.#store.read();
    if (stored === undefined) return undefined;
    const { names = '', madeAt = '' } = stored.notes;
    return { request: stored.document, names: names.split(','), madeAt };
  }

  /** A new key and its request for these DNS names and addresses. Undefined: one waits already. */
  make(names: readonly string[]): Promise<Pending | undefined> {
    const made = this.#making.then(() => this.#make(names));
    this.#making = made.catch(() => {});
    return made;
  }

  /** The key, if one of the certificates in this PEM text is the answer to the request. */
  keyFor(chain: string): string | undefined {
    const key = this.#store.read()?.privateKey;
    if (key === undefined) return undefined;
    const privateKey = createPrivateKey(key);
    const isAnswer = (chain.match(certificatePem) ?? []).some((block) => {
      try {
        return new X509Certificate(block).checkPrivateKey(privateKey);
      } catch {
        return false; // Whoever installs it says so.
      }
    });
    return isAnswer ? key : undefined;
  }

  /** Gives it up, or it was answered. */
  async remove(): Promise<void> {
    await this.#making;
    await this.#store.remove();
  }

  async #make(names: readonly string[]): Promise<Pending | undefined> {
    if (this.#store.read() !== undefined) return undefined;
    const { createRequest } = await import('./request.js');
    const { privateKey, request } = await createRequest(namesFrom(names));
    const madeAt = new Date().toISOString();
    const notes = { names: names.join(','), madeAt };
    await this.#store.write({ privateKey, document: request, notes });
    return { request, names: [...names], madeAt };
  }
}
