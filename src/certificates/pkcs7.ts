// SPDX-License-Identifier: Apache-2.0
// Takes the certificates out of a "certs-only" message, the degenerate PKCS#7 that EST answers with
// (RFC 7030 4.1.3, RFC 5652). Loads a library for ASN.1; imported by est.ts alone.

import { X509Certificate } from 'node:crypto';
import { ContentInfo, id_signedData, SignedData } from '@peculiar/asn1-cms';
import { AsnConvert } from '@peculiar/asn1-schema';

/** The certificates of a message in base64, line breaks and all. Throws when it is none. */
export function certificatesIn(base64: string): X509Certificate[] {
  const text = base64.replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]+=*$/.test(text)) throw new Error('the answer is not in base64');
  let choices: SignedData['certificates'];
  try {
    const info = AsnConvert.parse(Buffer.from(text, 'base64'), ContentInfo);
    if (info.contentType !== id_signedData) throw new Error('another content type');
    choices = AsnConvert.parse(info.content, SignedData).certificates;
  } catch {
    throw new Error('the answer is no certs-only message (PKCS#7)');
  }
  const found = [...(choices ?? [])].flatMap(({ certificate }) =>
    certificate === undefined ? [] : [Buffer.from(AsnConvert.serialize(certificate))],
  );
  if (found.length === 0) throw new Error('the answer holds no certificate');
  return found.map((der) => new X509Certificate(der));
}
