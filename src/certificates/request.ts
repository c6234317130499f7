// SPDX-License-Identifier: Apache-2.0
// Makes a key and the request for a certificate (PKCS#10, RFC 2986) that an authority signs. Loads
// a big library: imported only when a request is made, by the enrolment and by
// `spliced certificate request`.

import 'reflect-metadata';
import { createPrivateKey, createPublicKey, KeyObject, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { DeviceNames } from './names.js';
import { ecdsaP256 as algorithm, borrow, type RemoteKey } from './remote-key.js';

export type { RemoteKey } from './remote-key.js';

export interface CertificateRequest {
  /** PEM texts; of a remote key there is none. */
  privateKey: string;
  request: string;
}

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
  /** In place of a key that is here. */
  remoteKey?: RemoteKey | undefined;
  /** Also for TLS clients: an EST server knows us by the certificate when we renew it. */
  isForClients?: boolean;
}

/** A request for a server certificate with these names. */
export async function createRequest(
  names: DeviceNames,
  { existingKey, remoteKey, isForClients = false }: RequestOptions = {},
): Promise<CertificateRequest> {
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  const ours = async () => {
    const keys =
      existingKey === undefined
        ? await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
        : await importKeys(existingKey);
    return { keys, crypto: webcrypto, signingAlgorithm: algorithm };
  };
  const { keys, crypto, signingAlgorithm } = remoteKey ? await borrow(remoteKey) : await ours();
  const alternativeNames = [
    ...names.dns.map((value) => ({ type: 'dns' as const, value })),
    ...names.ip.map((value) => ({ type: 'ip' as const, value })),
  ];
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    {
      name: [{ CN: [names.commonName] }],
      keys,
      signingAlgorithm,
      extensions: [
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(isForClients ? [serverAuth, clientAuth] : [serverAuth]),
        new x509.SubjectAlternativeNameExtension(alternativeNames),
      ],
    },
    crypto,
  );
  if (remoteKey !== undefined) return { privateKey: '', request: `${request.toString('pem')}\n` };
  const exported = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' });
  return {
    privateKey: existingKey ?? String(exported),
    request: `${request.toString('pem')}\n`,
  };
}
