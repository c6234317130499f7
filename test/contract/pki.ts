// SPDX-License-Identifier: Apache-2.0
// Makes the CAs, client certificates and revocation lists of a test, good ones and bad ones.

import 'reflect-metadata';
import { KeyObject, randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const dayMs = 24 * 3_600_000;
const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;

/** What a TLS client shows: PEM texts, the leaf first. */
export interface Shown {
  cert: string;
  key: string;
  /** What else the client's OpenSSL is told. */
  ciphers?: string;
}

export interface LeafOptions {
  name?: x509.JsonName;
  notBeforeMs?: number;
  notAfterMs?: number;
  usage?: string;
  /** Bytes of an extension that nobody knows. */
  paddingBytes?: number;
  rsaBits?: number;
  serial?: string;
}

const after = (days: number): number => Date.now() + days * dayMs;

function rsa(bits: number) {
  const publicExponent = new Uint8Array([1, 0, 1]);
  return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: bits, publicExponent };
}

/** RFC 7468: with the label that OpenSSL reads. */
const pemOf = (item: { rawData: ArrayBuffer }, label = 'CERTIFICATE'): string => {
  const lines =
    Buffer.from(item.rawData)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
};

function keyPem(key: webcrypto.CryptoKey): string {
  return String(KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }));
}

export class Authority {
  private constructor(
    readonly name: string,
    /** Its own certificate. */
    readonly pem: string,
    /** What its clients send along: the intermediate CAs. */
    readonly chain: string,
    private readonly keys: webcrypto.CryptoKeyPair,
  ) {}

  static async create(
    name: string,
    issuer?: Authority,
    { keyUsage = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, days = 30 } = {},
  ): Promise<Authority> {
    const keys = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.create(
      {
        serialNumber: `40${randomBytes(8).toString('hex')}`,
        subject: [{ CN: [name] }],
        issuer: [{ CN: [issuer?.name ?? name] }],
        notBefore: new Date(after(-2)),
        notAfter: new Date(after(days)),
        publicKey: keys.publicKey,
        signingKey: (issuer?.keys ?? keys).privateKey,
        signingAlgorithm: ecdsa,
        extensions: [
          new x509.BasicConstraintsExtension(true, undefined, true),
          new x509.KeyUsagesExtension(keyUsage, true),
        ],
      },
      webcrypto,
    );
    const pem = pemOf(certificate);
    return new Authority(name, pem, issuer ? pem + issuer.chain : '', keys);
  }

  /** A client's certificate with its key and the intermediate CAs. */
  async issue(options: LeafOptions = {}): Promise<Shown> {
    const { name = [{ CN: ['unit'] }], usage = clientAuth, rsaBits, paddingBytes = 0 } = options;
    const algorithm = rsaBits === undefined ? ecdsa : rsa(rsaBits);
    const keys = (await webcrypto.subtle.generateKey(algorithm, true, [
      'sign',
      'verify',
    ])) as webcrypto.CryptoKeyPair;
    const padding = new x509.Extension('1.3.6.1.4.1.99999.1', false, randomBytes(paddingBytes));
    const certificate = await x509.X509CertificateGenerator.create(
      {
        serialNumber: options.serial ?? `40${randomBytes(8).toString('hex')}`,
        subject: new x509.Name(name).toArrayBuffer() as never,
        issuer: [{ CN: [this.name] }],
        notBefore: new Date(options.notBeforeMs ?? after(-1)),
        notAfter: new Date(options.notAfterMs ?? after(7)),
        publicKey: keys.publicKey,
        signingKey: this.keys.privateKey,
        signingAlgorithm: ecdsa,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([usage]),
          ...(paddingBytes > 0 ? [padding] : []),
        ],
      },
      webcrypto,
    );
    return { cert: pemOf(certificate) + this.chain, key: keyPem(keys.privateKey) };
  }

  /** A list that revokes these; by default in date for a week. */
  async revoke(revoked: Shown[], { thisUpdateMs = after(-1), nextUpdateMs = after(7) } = {}) {
    const list = await x509.X509CrlGenerator.create(
      {
        issuer: [{ CN: [this.name] }],
        thisUpdate: new Date(thisUpdateMs),
        nextUpdate: new Date(nextUpdateMs),
        signingAlgorithm: ecdsa,
        signingKey: this.keys.privateKey,
        entries: revoked.map(({ cert }) => ({
          serialNumber: new x509.X509Certificate(cert).serialNumber,
          revocationDate: new Date(after(-1)),
        })),
      },
      webcrypto,
    );
    return pemOf(list, 'X509 CRL');
  }
}

const signsCertificatesOnly = x509.KeyUsageFlags.keyCertSign;

export { after, serverAuth, signsCertificatesOnly };
