// SPDX-License-Identifier: Apache-2.0
// The device's own small authority: one key and one certificate for the life of the device, which a
// user downloads (`spliced certificate ca`) and trusts once, so that later renewals raise no
// warning. What trusting it costs is bounded by its name constraints: it can vouch for this host
// name, for `.local` and for localhost, and for no other DNS name (RFC 5280 4.2.1.10). Addresses
// are not constrained: a device's addresses change, and a new authority would cost every user's
// trust. Called by device.ts.

import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { reasonOf } from '../base/start-error.js';
import { isSystemError } from '../files/durable.js';
import { type Housekeeper, noHousekeeping } from '../files/housekeeping.js';
import type { Issued } from './issue.js';
import { commonNameCharsMax, type DeviceNames } from './names.js';
import { GenerationStore } from './store.js';

export interface Authority extends Issued {
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
}

/**
 * The stored authority if it can vouch for `names`, else a new one, valid from `notBeforeMs`.
 * Throws the system's error when the stored one cannot be read or the new one cannot be stored.
 */
export async function ensureAuthority(
  certificatesDir: string,
  names: DeviceNames,
  notBeforeMs: number,
  { housekeeping = noHousekeeping, replacesUnread = true }: AuthorityOptions = {},
): Promise<Authority> {
  const store = authorityStore(certificatesDir);
  await housekeeping.keep("tidying the authority's store", () => store.clean());
  let madeBecause = 'there was none';
  try {
    const stored = store.read();
    if (stored !== undefined) {
      const certificate = new X509Certificate(stored.document);
      if (!certificate.checkPrivateKey(createPrivateKey(stored.privateKey))) {
        throw new Error('its key does not match');
      }
      const permitted = (stored.notes.permittedDns ?? '').split(',');
      const refused = names.dns.filter((name) => !isPermitted(name, permitted));
      if (refused.length === 0) {
        const { document, privateKey } = stored;
        return { certificate: document, privateKey, madeBecause: undefined };
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
  const authority = await issueAuthority(commonName, permitted, notBeforeMs);
  await store.write({
    privateKey: authority.privateKey,
    document: authority.certificate,
    notes: { permittedDns: permitted.join(',') },
  });
  return { ...authority, madeBecause };
}
