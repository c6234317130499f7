// SPDX-License-Identifier: Apache-2.0
// A private key that is not in this process's memory, for a library that wants WebCrypto's: its public
// half, and signatures that whoever has the key makes. Used by request.ts and issue.ts.

import { createPublicKey, webcrypto } from 'node:crypto';

/** A private key that is not here: whoever has it signs. */
export interface RemoteKey {
  /** SubjectPublicKeyInfo (DER): ECDSA P-256 or P-384, or RSA. */
  publicKey: Uint8Array;
  /** ECDSA as DER (RFC 3279 2.2.3), or RSASSA-PKCS1-v1_5. */
  sign(digest: string, data: Uint8Array): Promise<Uint8Array>;
}

interface KeyAlgorithm {
  name: string;
  namedCurve?: string;
  hash: string;
}

export const ecdsaP256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

const remoteAlgorithms: Record<string, KeyAlgorithm> = {
  prime256v1: ecdsaP256,
  secp384r1: { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  rsa: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
};

/**
 * ECDSA's two numbers, each of `bytes` bytes, as WebCrypto has them, from their DER (RFC 3279 2.2.3), whose
 * lengths are of one byte each for these curves.
 */
export function plainSignature(der: Uint8Array, bytes: number): Uint8Array {
  const text = Buffer.from(der);
  const endOfFirst = 4 + (text[3] ?? 0);
  const padded = (digits: Buffer): Buffer =>
    Buffer.concat([Buffer.alloc(bytes), digits]).subarray(-bytes);
  return Buffer.concat([
    padded(text.subarray(4, endOfFirst)),
    padded(text.subarray(endOfFirst + 2)),
  ]);
}

/** A public key from elsewhere, as WebCrypto has it. Throws for a kind of key that is of no use here. */
export async function importPublicKey(publicKey: Uint8Array) {
  const key = createPublicKey({ key: Buffer.from(publicKey), type: 'spki', format: 'der' });
  const kind = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType ?? '';
  const algorithm = remoteAlgorithms[kind];
  if (algorithm === undefined) {
    throw new Error(`a key of the kind ${kind} cannot be used; use EC P-256, P-384 or RSA`);
  }
  const spki = new Uint8Array(publicKey);
  const imported = await webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']);
  return { publicKey: imported, algorithm };
}

/** What the library takes for keys, and a WebCrypto whose signatures are the remote key's. */
export async function borrow(remote: RemoteKey) {
  const { publicKey, algorithm: signingAlgorithm } = await importPublicKey(remote.publicKey);
  const { subtle } = webcrypto;
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
