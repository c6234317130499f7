// SPDX-License-Identifier: Apache-2.0
// The certificate and the key that the library is given: refused as node:https refuses them, when the
// server is made and not when it listens. Called by index.ts.

import { createSecureContext } from 'node:tls';
import type { ServerOptions } from '../../types/index.js';

export type Credentials = Pick<ServerOptions, 'cert' | 'key'>;

const isMissing = (value: unknown): boolean =>
  value === undefined || value === null || (value as { length?: number }).length === 0;

/**
 * Throws a TypeError with ERR_MISSING_OPTION or ERR_INVALID_ARG_TYPE, or what OpenSSL says, with the
 * code ERR_OSSL_… of node:tls.
 */
export function pairOf(given: Credentials, caller: string): { chain: string; privateKey: string } {
  const { cert, key } = given;
  const missing = Object.entries({ cert, key }).flatMap(([name, value]) =>
    isMissing(value) ? [name] : [],
  );
  if (missing.length > 0) {
    const what = missing.map((name) =>
      name === 'cert' ? 'cert (the certificate, PEM)' : 'key (its private key, PEM)',
    );
    const verb = missing.length > 1 ? 'are' : 'is';
    const error = new TypeError(`${caller}: ${what.join(' and ')} ${verb} missing`);
    throw Object.assign(error, { code: 'ERR_MISSING_OPTION' });
  }
  createSecureContext({ cert, key });
  return { chain: String(cert), privateKey: String(key) };
}
