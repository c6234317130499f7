// SPDX-License-Identifier: Apache-2.0
// Keys of the device itself that are in a token: of the certificates that it gets by itself, of its
// authority, of an ACME account. Part of schema.ts, what the settings need of each other, and the values
// that the daemon receives. Called by schema.ts and configuration.ts.

import { isKeyReference, type KeyKind, keyKinds, type TokenKey } from '../tls/token-key.js';
import type { Given } from './enrolment.js';

/** Of [tls]. */
export const ownKeyTable = {
  authority_key: {
    doc:
      "The key of the device's own authority in a token, by its PKCS #11 URI, as in `private_key`; " +
      'nothing: a file of ours. Setting it makes a new authority, which users must trust anew. See ' +
      'docs/KEYS.md.',
    format: 'key in a token or nothing',
    default: '',
    env: 'SPLICED_AUTHORITY_KEY',
    isLive: true,
  },
  make_private_key: {
    doc:
      'Whether a key that `private_key`, `authority_key` or `enrolment.account_key` names and the token ' +
      'does not have is made there, when it is first needed, and of what kind; for what the device gets ' +
      'by itself alone. See docs/KEYS.md.',
    format: ['no', ...keyKinds],
    default: 'no',
    env: 'SPLICED_MAKE_PRIVATE_KEY',
    isLive: true,
  },
} as const;

export type Values = Pick<Given, 'isSet' | 'value'>;

/** A key in a token, and no certificate: those that the device gets by itself have it. */
export const isOwnKey = ({ isSet, value }: Values): boolean =>
  !isSet('tls.certificate') && isKeyReference(String(value('tls.private_key')));

export const ownKeys = ['tls.authority_key', 'enrolment.account_key'] as const;

/** A key is made for a certificate that comes after it. */
export function judgeOwnKeys({ isSet, value, refuse }: Values & Pick<Given, 'refuse'>): void {
  const isAny = isOwnKey({ isSet, value }) || ownKeys.some(isSet);
  if (!isSet('tls.make_private_key') || isAny) return;
  refuse(
    'tls.make_private_key',
    `is for keys of the device itself: ${ownKeys.join(' or ')} is set, or tls.private_key is a PKCS #11 URI and there is no tls.certificate`,
  );
}

/** Undefined: it is not in a token. */
export function madeKeyOf(
  setTo: (key: string) => unknown,
  reference: string,
): TokenKey | undefined {
  if (!isKeyReference(reference)) return undefined;
  const kind = setTo('tls.make_private_key') as KeyKind | 'no';
  return { reference, kindToMake: kind === 'no' ? undefined : kind };
}

export function tokenKeyOf(setTo: (key: string) => unknown): TokenKey | undefined {
  if (setTo('tls.certificate') !== '') return undefined;
  return madeKeyOf(setTo, String(setTo('tls.private_key')));
}
