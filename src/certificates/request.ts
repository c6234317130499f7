// SPDX-License-Identifier: Apache-2.0
// Makes a key and the request for a certificate (PKCS#10, RFC 2986) that an authority signs. Loads
// a big library: imported only when a request is made, by the enrolment and by
// `spliced certificate request`.

import 'reflect-metadata';
import { createPrivateKey, createPublicKey, KeyObject, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { DeviceNames } from './names.js';

export interface CertificateRequest {
  /** PEM texts. */
  privateKey: string;
  request: string;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

async function importKeys(pem: string): Promise<webcrypto.CryptoKeyPair> {
  const { subtle } = webcrypto;
  const key = createPrivateKey(pem);
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return {
    privateKey: await subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']),
    publicKey: await subtle.importKey('spki', spki, algorithm, true, ['verify']),
  };
}

export interface RequestOptions {
  /** PEM, ECDSA P-256; a new key otherwise. */
  existingKey?: string | undefined;
  /** Also for TLS clients: an EST server knows us by the certificate when we renew it. */
  isForClients?: boolean;
}

/** A request for a server certificate with these names. */
export async function createRequest(
  names: DeviceNames,
  { existingKey, isForClients = false }: RequestOptions = {},
): Promise<CertificateRequest> {
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  const keys =
    existingKey === undefined
      ? await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
      : await importKeys(existingKey);
  const alternativeNames = [
    ...names.dns.map((value) => ({ type: 'dns' as const, value })),
    ...names.ip.map((value) => ({ type: 'ip' as const, value })),
  ];
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    {
      name: [{ CN: [names.commonName] }],
      keys,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(isForClients ? [serverAuth, clientAuth] : [serverAuth]),
        new x509.SubjectAlternativeNameExtension(alternativeNames),
      ],
    },
    webcrypto,
  );
  const exported = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' });
  return {
    privateKey: existingKey ?? String(exported),
    request: `${request.toString('pem')}\n`,
  };
}
