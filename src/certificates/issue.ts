// SPDX-License-Identifier: Apache-2.0
// Makes one self-signed certificate with a fresh ECDSA P-256 key (RFC 5280). One year and no more:
// clients refuse self-signed certificates of decades. Called by device.ts.

import 'reflect-metadata';
import { KeyObject, randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { DeviceNames } from './names.js';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const validityMs = 365 * 24 * 3_600_000;
const serialBytes = 16;

export interface Issued {
  certificate: string;
  privateKey: string;
}

/** RFC 5280 4.1.2.2: positive and at most 20 bytes. The set second bit avoids a leading zero byte. */
function randomSerial(): string {
  const serial = randomBytes(serialBytes);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial.toString('hex');
}

/** PEM texts of a new pair, valid for one year from `notBeforeMs`. */
export async function issueCertificate(names: DeviceNames, notBeforeMs: number): Promise<Issued> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const alternativeNames = [
    ...names.dns.map((value) => ({ type: 'dns' as const, value })),
    ...names.ip.map((value) => ({ type: 'ip' as const, value })),
  ];
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: randomSerial(),
      name: [{ CN: [names.commonName] }],
      notBefore: new Date(notBeforeMs),
      notAfter: new Date(notBeforeMs + validityMs),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(alternativeNames),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  const key = KeyObject.from(keys.privateKey);
  return {
    certificate: `${certificate.toString('pem')}\n`,
    privateKey: String(key.export({ type: 'pkcs8', format: 'pem' })),
  };
}
