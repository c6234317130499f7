// SPDX-License-Identifier: Apache-2.0
// The device's own small authority: one key and one certificate for the life of the device, which a
// user downloads (`spliced certificate ca`) and trusts once, so that later renewals raise no
// warning. What trusting it costs is bounded by its name constraints: it can vouch for this host
// name, for `.local` and for localhost, and for no other DNS name (RFC 5280 4.2.1.10). Addresses
// are not constrained: a device's addresses change, and a new authority would cost every user's
// trust. Called by device.ts.

import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { reasonOf, StartError } from '../base/start-error.js';
import { isSystemError } from '../files/durable.js';
import { type Housekeeper, noHousekeeping } from '../files/housekeeping.js';
import type { TokenKey } from '../tls/token-key.js';
import type { Issuer } from './issue.js';
import { commonNameCharsMax, type DeviceNames } from './names.js';
import { keyOfStored, type OpenKey, openOwnKey } from './own-key.js';
import { GenerationStore } from './store.js';

export interface Authority extends Issuer {
  /** Why a new authority was made; undefined when the stored one was used. */
  madeBecause: string | undefined;
}

const alwaysPermitted = ['local', 'localhost'];

const authorityStore = (certificatesDir: string): GenerationStore =>
  new GenerationStore(join(certificatesDir, 'authority'));

const isPermitted = (name: string, permitted: readonly string[]): boolean =>
  permitted.some((base) => name === base || name.endsWith(`.${base}`));

/** The authority's certificate in PEM, for users to trust; undefined before the first start. */
export function readAuthorityCertificate(certificatesDir: string): string | undefined {
  return authorityStore(certificatesDir).read()?.document;
}

export interface AuthorityOptions {
  housekeeping?: Housekeeper;
  /** Make a new one also in place of one that the system cannot read just now: users must trust it anew. */
  replacesUnread?: boolean;
  /** Where its key is; undefined: in a file. */
  authorityKey?: TokenKey | undefined;
}

/** Whether the stored authority's key is a file, although it is to be in a token. */
export function isAuthorityOutsideToken(certificatesDir: string): boolean {
  try {
    const stored = authorityStore(certificatesDir).read();
    return stored !== undefined && stored.privateKey !== '';
  } catch {
    return false; // What is damaged or cannot be read is judged where it is needed.
  }
}

const inToken = 'its key is to be in the token';

/** What signs for the stored authority. Throws why it cannot be used. */
function signerOf(document: string, privateKey: string, key: OpenKey | undefined) {
  if (privateKey === '') {
    keyOfStored(document, key, 'tls.authority_key');
    return key;
  }
  if (key !== undefined) throw new Error(inToken);
  if (!new X509Certificate(document).checkPrivateKey(createPrivateKey(privateKey))) {
    throw new Error('its key does not match');
  }
  return undefined;
}

/**
 * The stored authority if it can vouch for `names`, else a new one, valid from `notBeforeMs`.
 * Throws the system's error when the stored one cannot be read or the new one cannot be stored, and
 * StartError when the token with its key does not answer.
 */
export async function ensureAuthority(
  certificatesDir: string,
  names: DeviceNames,
  notBeforeMs: number,
  { housekeeping = noHousekeeping, replacesUnread = true, authorityKey }: AuthorityOptions = {},
): Promise<Authority> {
  const store = authorityStore(certificatesDir);
  const answer = await openOwnKey(authorityKey);
  // A token that does not answer today is no reason for an authority that users must trust anew.
  if ('fault' in answer) throw new StartError(`tls.authority_key: ${answer.fault}`);
  const { key: remoteKey } = answer;
  await housekeeping.keep("tidying the authority's store", () => store.clean());
  let madeBecause = 'there was none';
  try {
    const stored = store.read();
    if (stored !== undefined) {
      const signer = signerOf(stored.document, stored.privateKey, remoteKey);
      const permitted = (stored.notes.permittedDns ?? '').split(',');
      const refused = names.dns.filter((name) => !isPermitted(name, permitted));
      if (refused.length === 0) {
        const { document, privateKey } = stored;
        return { certificate: document, privateKey, remoteKey: signer, madeBecause: undefined };
      }
      madeBecause = `the stored one may not issue certificates for ${refused.join(', ')}`;
    }
  } catch (error) {
    if (isSystemError(error) && !replacesUnread) throw error;
    madeBecause = `the stored one cannot be used: ${reasonOf(error)}`;
  }
  const { issueAuthority } = await import('./issue.js');
  const own = names.dns.filter((name) => !isPermitted(name, alwaysPermitted));
  const permitted = [...alwaysPermitted, ...own];
  // Unique, so that the authorities of two devices can be told apart in a list of trusted ones.
  const suffix = ` device CA ${randomBytes(4).toString('hex')}`;
  const commonName = `${names.commonName.slice(0, commonNameCharsMax - suffix.length)}${suffix}`;
  const authority = await issueAuthority(commonName, permitted, notBeforeMs, remoteKey);
  await store.write({
    privateKey: authority.privateKey,
    document: authority.certificate,
    notes: { permittedDns: permitted.join(',') },
  });
  return { ...authority, remoteKey, madeBecause };
}
