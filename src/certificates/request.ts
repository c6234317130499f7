// SPDX-License-Identifier: Apache-2.0
// Makes a key and the request for a certificate (PKCS#10, RFC 2986) that an authority signs. Loads
// a big library: imported only when a request is made, by the enrolment and by
// `spliced certificate request`.

import 'reflect-metadata';
import { createPrivateKey, createPublicKey, KeyObject, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { DeviceNames } from './names.js';

export interface CertificateRequest {
  /** PEM texts; of a remote key there is none. */
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

/** A private key that is not here: whoever has it signs. */
export interface RemoteKey {
  /** SubjectPublicKeyInfo (DER): ECDSA P-256 or P-384, or RSA. */
  publicKey: Uint8Array;
  /** ECDSA as DER (RFC 3279 2.2.3), or RSASSA-PKCS1-v1_5. */
  sign(digest: string, data: Uint8Array): Promise<Uint8Array>;
}

const remoteAlgorithms: Record<string, { name: string; namedCurve?: string; hash: string }> = {
  prime256v1: algorithm,
  secp384r1: { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  rsa: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
};

/**
 * ECDSA's two numbers, each of `bytes` bytes, as WebCrypto has them, from their DER (RFC 3279 2.2.3), whose
 * lengths are of one byte each for these curves.
 */
function plainSignature(der: Uint8Array, bytes: number): Uint8Array {
  const text = Buffer.from(der);
  const endOfFirst = 4 + (text[3] ?? 0);
  const padded = (digits: Buffer): Buffer =>
    Buffer.concat([Buffer.alloc(bytes), digits]).subarray(-bytes);
  return Buffer.concat([
    padded(text.subarray(4, endOfFirst)),
    padded(text.subarray(endOfFirst + 2)),
  ]);
}

/** What the library takes for keys, and a WebCrypto whose signatures are the remote key's. */
async function borrow(remote: RemoteKey) {
  const key = createPublicKey({ key: Buffer.from(remote.publicKey), type: 'spki', format: 'der' });
  const kind = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType ?? '';
  const signingAlgorithm = remoteAlgorithms[kind];
  if (signingAlgorithm === undefined) {
    throw new Error(`a key of the kind ${kind} signs no request here: EC P-256, P-384 or RSA do`);
  }
  const { subtle } = webcrypto;
  const spki = new Uint8Array(remote.publicKey);
  const publicKey = await subtle.importKey('spki', spki, signingAlgorithm, true, ['verify']);
  const sign = async (_: unknown, __: unknown, data: ArrayBuffer): Promise<ArrayBuffer> => {
    const digest = signingAlgorithm.hash.replace('-', '');
    const signature = await remote.sign(digest, new Uint8Array(data));
    if (signingAlgorithm.name !== 'ECDSA') return new Uint8Array(signature).buffer;
    const bytes = signingAlgorithm.namedCurve === 'P-384' ? 48 : 32;
    return new Uint8Array(plainSignature(signature, bytes)).buffer;
  };
  const borrowed = new Proxy(subtle, {
    get: (target, name) => {
      if (name === 'sign') return sign;
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  // Of the private key the library reads the algorithm alone.
  const keys = { publicKey, privateKey: publicKey } as webcrypto.CryptoKeyPair;
  const crypto = Object.create(webcrypto, { subtle: { value: borrowed } }) as typeof webcrypto;
  return { keys, crypto, signingAlgorithm };
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
