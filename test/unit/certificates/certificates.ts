// SPDX-License-Identifier: Apache-2.0
// Makes the certificates that the tests need, good and bad ones: authorities of any depth and what
// they sign, with any key. Used by the tests beside it and by their EST and ACME servers.

import 'reflect-metadata';
import { KeyObject, randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

export type KeyKind = 'P-256' | 'P-384' | 'RSA-2048' | 'RSA-1024' | 'RSA-SHA-1' | 'Ed25519';

export interface Made {
  certificate: x509.X509Certificate;
  pem: string;
  privateKey: string;
  keys: webcrypto.CryptoKeyPair;
  algorithm: webcrypto.EcKeyGenParams & { hash: string };
}

export interface Wanted {
  commonName?: string;
  issuer?: Made;
  isAuthority?: boolean;
  key?: KeyKind;
  dns?: string[];
  uses?: string[];
  notBefore?: Date;
  notAfter?: Date;
  /** Signs this key instead of a new one. */
  publicKey?: x509.PublicKey;
}

const dayMs = 24 * 3_600_000;

function algorithmOf(kind: KeyKind): Made['algorithm'] {
  const rsa = (modulusLength: number, hash: string) => ({
    name: 'RSASSA-PKCS1-v1_5',
    modulusLength,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash,
  });
  const found =
    kind === 'RSA-2048'
      ? rsa(2048, 'SHA-256')
      : kind === 'RSA-1024'
        ? rsa(1024, 'SHA-256')
        : kind === 'RSA-SHA-1'
          ? rsa(2048, 'SHA-1')
          : kind === 'Ed25519'
            ? { name: 'Ed25519' }
            : { name: 'ECDSA', namedCurve: kind, hash: 'SHA-256' };
  return found as Made['algorithm'];
}

export async function make(wanted: Wanted = {}): Promise<Made> {
  const algorithm = algorithmOf(wanted.key ?? 'P-256');
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const subject = [{ CN: [wanted.commonName ?? (wanted.isAuthority ? 'Test CA' : 'gate')] }];
  const dns = wanted.dns ?? ['gate'];
  const uses = wanted.uses ?? [x509.ExtendedKeyUsage.serverAuth];
  const usage = wanted.isAuthority
    ? x509.KeyUsageFlags.keyCertSign
    : x509.KeyUsageFlags.digitalSignature;
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: `40${randomBytes(8).toString('hex')}`,
      subject,
      issuer: wanted.issuer?.certificate.subjectName ?? subject,
      notBefore: wanted.notBefore ?? new Date(Date.now() - dayMs),
      notAfter: wanted.notAfter ?? new Date(Date.now() + 90 * dayMs),
      signingAlgorithm: wanted.issuer?.algorithm ?? algorithm,
      publicKey: wanted.publicKey ?? keys.publicKey,
      signingKey: wanted.issuer?.keys.privateKey ?? keys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(wanted.isAuthority ?? false, undefined, true),
        new x509.KeyUsagesExtension(usage, true),
        ...(wanted.isAuthority || uses.length === 0
          ? []
          : [new x509.ExtendedKeyUsageExtension(uses)]),
        ...(wanted.isAuthority || dns.length === 0
          ? []
          : [
              new x509.SubjectAlternativeNameExtension(
                dns.map((value) => ({
                  type: /^[\d.]+$/.test(value) ? ('ip' as const) : ('dns' as const),
                  value,
                })),
              ),
            ]),
      ],
    },
    webcrypto,
  );
  const exported = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' });
  return {
    certificate,
    pem: `${certificate.toString('pem')}\n`,
    privateKey: String(exported),
    keys,
    algorithm,
  };
}
