// SPDX-License-Identifier: Apache-2.0
// Finds installed pairs that no client could ever get. Pairs for one name are served together if their
// keys are of different types (the client's signature algorithms choose). Of several pairs with one
// type of key only the first is served. The engine chooses by the same rules (native/tls/context.cpp). Called by checks.ts
// and by the manager at a start and a reload.

import type { X509Certificate } from 'node:crypto';
import { type InstalledOptions, pairSetting } from './installed.js';

export interface InstalledPair {
  options: InstalledOptions;
  /** The server's own certificate. */
  certificate: X509Certificate;
}

const keyTypes: Readonly<Record<string, string>> = { ec: 'ECDSA', rsa: 'RSA' };
const typeOf = ({ publicKey }: X509Certificate): string => publicKey.asymmetricKeyType ?? '';

/** DNS names and addresses; a name with characters that need quotes is none that a client asks for. */
function namesOf({ subjectAltName = '' }: X509Certificate) {
  const entries = subjectAltName.split(', ');
  const after = (label: string): string[] =>
    entries.filter((entry) => entry.startsWith(label)).map((entry) => entry.slice(label.length));
  return { dns: after('DNS:'), ip: after('IP Address:') };
}

/** Trailing dots count for nothing, as in the engine. */
function covers(certificate: X509Certificate, text: string): boolean {
  const name = text.replace(/\.$/, '');
  return (certificate.checkHost(name) ?? certificate.checkHost(`${name}.`)) !== undefined;
}

function sharesName(first: X509Certificate, other: X509Certificate): boolean {
  const { dns, ip } = namesOf(first);
  return (
    dns.some((name) => covers(other, name)) ||
    ip.some((address) => other.checkIP(address) !== undefined)
  );
}

/** One line for each pair that can never be chosen, beginning with its setting. */
export function unreachablePairs(pairs: readonly InstalledPair[]): string[] {
  return pairs.flatMap(({ options, certificate }, index) => {
    const [first] = pairs;
    if (index === 0 || first === undefined) return [];
    const type = typeOf(certificate);
    const before = pairs.slice(0, index).filter((one) => typeOf(one.certificate) === type);
    const { dns } = namesOf(certificate);
    const takers = dns.map((name) => before.find((one) => covers(one.certificate, name)));
    if (dns.length > 0 && takers.includes(undefined)) return [];
    const isBesideFirst = before.length === 0 && sharesName(first.certificate, certificate);
    if (dns.length === 0 && isBesideFirst) return [];
    const { setting = pairSetting, certificate: file } = options;
    const taken = [...new Set(takers.flatMap((one) => one?.options.certificate ?? []))].join(', ');
    const why =
      dns.length === 0
        ? 'it has no DNS name that a client could ask for (no client sends an address by SNI)'
        : `clients get ${taken} for ${dns.join(', ')}, which has an ${keyTypes[type] ?? type} key as well; ` +
          'for a name give at most one pair with an RSA key and one with an ECDSA key';
    return [`${setting}: ${file} can never be served: ${why}`];
  });
}
