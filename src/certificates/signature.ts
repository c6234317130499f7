// SPDX-License-Identifier: Apache-2.0
// Names the weak algorithm that a certificate is signed with, which Node's own class does not show.
// Loads a library for ASN.1: check.ts imports it only when a certificate is checked.

import { RsaSaPssParams } from '@peculiar/asn1-rsa';
import { AsnConvert } from '@peculiar/asn1-schema';
import { Certificate } from '@peculiar/asn1-x509';

const weakAlgorithms: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.2': 'MD2',
  '1.2.840.113549.1.1.3': 'MD4',
  '1.2.840.113549.1.1.4': 'MD5',
  '1.2.840.113549.1.1.5': 'SHA-1',
  '1.3.14.3.2.29': 'SHA-1',
  '1.3.14.3.2.27': 'SHA-1',
  '1.2.840.10040.4.3': 'SHA-1',
  '1.2.840.10045.4.1': 'SHA-1',
};
const pssOid = '1.2.840.113549.1.1.10';
const sha1Oid = '1.3.14.3.2.26';

/** "SHA-1", "MD5" and so on, or undefined for a signature of today's strength. Throws when `der` is no certificate. */
export function weakSignature(der: Uint8Array): string | undefined {
  const { algorithm, parameters } = AsnConvert.parse(der, Certificate).signatureAlgorithm;
  if (algorithm !== pssOid) return weakAlgorithms[algorithm];
  // RFC 4055 3.1: the hash that is not given is SHA-1.
  const params = parameters ? AsnConvert.parse(parameters, RsaSaPssParams) : new RsaSaPssParams();
  return params.hashAlgorithm.algorithm === sha1Oid ? 'SHA-1' : undefined;
}
