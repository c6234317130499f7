// SPDX-License-Identifier: Apache-2.0
// Reads the algorithm that a certificate is signed with, which Node's own class does not show.
// Loads a library for ASN.1: weak-signature.ts imports it for a suspect only.

import { RsaSaPssParams } from '@peculiar/asn1-rsa';
import { AsnConvert } from '@peculiar/asn1-schema';
import { Certificate } from '@peculiar/asn1-x509';
import { pssAlgorithm, weakAlgorithms } from './weak-signature.js';

const sha1Oid = '1.3.14.3.2.26';

/** Throws when `der` is no certificate. */
export function signatureWeakness(der: Uint8Array): string | undefined {
  const { algorithm, parameters } = AsnConvert.parse(der, Certificate).signatureAlgorithm;
  if (algorithm !== pssAlgorithm.oid) return weakAlgorithms[algorithm]?.weakness;
  // RFC 4055 3.1: the hash that is not given is SHA-1.
  const params = parameters ? AsnConvert.parse(parameters, RsaSaPssParams) : new RsaSaPssParams();
  return params.hashAlgorithm.algorithm === sha1Oid ? 'SHA-1' : undefined;
}
