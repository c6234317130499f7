// SPDX-License-Identifier: Apache-2.0
// The private key of the certificates that the device gets by itself (its own, an enrolment's) when it
// is in a token: one key for all of them, which stays over renewals. Whoever stores such a certificate
// stores no key. The authority's key likewise. Used by device.ts, authority.ts and enrolment.ts.

import { X509Certificate } from 'node:crypto';
import { reasonOf } from '../base/start-error.js';
import { openTokenKey, shownKey, type TokenKey } from '../tls/token-key.js';
import type { RemoteKey } from './remote-key.js';

export interface OpenKey extends RemoteKey {
  /** What is served in place of a PEM text. */
  reference: string;
}

export type KeyAnswer = { key: OpenKey | undefined } | { fault: string };

/** `wanted`: undefined: keys are files. */
export async function openOwnKey(wanted: TokenKey | undefined): Promise<KeyAnswer> {
  if (wanted === undefined) return { key: undefined };
  try {
    const { reference } = wanted;
    return { key: { reference, ...(await openTokenKey(wanted)) } };
  } catch (error) {
    return { fault: reasonOf(error) };
  }
}

/** The private key to serve with a certificate that was stored without one. Throws where it is not its. */
export function keyOfStored(
  chain: string,
  key: OpenKey | undefined,
  setting = 'tls.private_key',
): string {
  if (key === undefined) {
    throw new Error(`its key is in a token, and ${setting} names none that answers`);
  }
  const { publicKey } = new X509Certificate(chain);
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  if (!spki.equals(key.publicKey))
    throw new Error(`it is not for the key ${shownKey(key.reference)}`);
  return key.reference;
}
