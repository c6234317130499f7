// SPDX-License-Identifier: Apache-2.0
// Makes the device's own authority and the certificates that it signs (RFC 5280), each with a fresh
// ECDSA P-256 key, or for a key that is elsewhere. Loads a big library: authority.ts and device.ts import it only when something
// must be made, never on a start that finds everything in place.

import 'reflect-metadata';
import { KeyObject, randomBytes, webcrypto } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import { GeneralName, GeneralSubtree, GeneralSubtrees, NameConstraints } from '@peculiar/asn1-x509';
import * as x509 from '@peculiar/x509';
import { dayMs } from './clock.js';
import type { DeviceNames } from './names.js';
import { ecdsaP256 as algorithm, borrow, importPublicKey, type RemoteKey } from './remote-key.js';

export interface Issued {
  /** PEM. */
  certificate: string;
  /** PEM; empty when it is elsewhere. */
  privateKey: string;
}

export interface Issuer extends Issued {
  /** Who signs, when the private key is elsewhere. */
  remoteKey?: RemoteKey | undefined;
}

const serialBytes = 16;
// Clients refuse certificates of servers that are valid for more than 398 days.
const validityMs = 365 * dayMs;
// RFC 5280 4.1.2.5: the date of a certificate that has no end. An end would have to be judged by
// the device's clock, and a clock that jumps would then cost every user's trust.
const endless = new Date('9999-12-31T23:59:59Z');
const nameConstraintsOid = '2.5.29.30';

/** RFC 5280 4.1.2.2: positive and at most 20 bytes. The set second bit avoids a leading zero byte. */
function randomSerial(): string {
  const serial = randomBytes(serialBytes);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial.toString('hex');
}

const generateKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);

function issued(certificate: x509.X509Certificate, key?: webcrypto.CryptoKey): Issued {
  const privateKey =
    key === undefined ? '' : KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' });
  return { certificate: `${certificate.toString('pem')}\n`, privateKey: String(privateKey) };
}

/** RFC 5280 4.2.1.10: the only DNS names, with those beneath them, that the authority can vouch for. */
function permitDns(names: readonly string[]): x509.Extension {
  const subtrees = names.map(
    (dNSName) => new GeneralSubtree({ base: new GeneralName({ dNSName }) }),
  );
  const constraints = new NameConstraints({ permittedSubtrees: new GeneralSubtrees(subtrees) });
  return new x509.Extension(nameConstraintsOid, true, AsnConvert.serialize(constraints));
}

async function newKeys() {
  return { keys: await generateKeys(), crypto: webcrypto, signingAlgorithm: algorithm };
}

/**
 * The device's authority: self-signed, for server certificates of `permittedDns` alone, endless. With a new
 * key, or with `remoteKey`.
 */
export async function issueAuthority(
  commonName: string,
  permittedDns: readonly string[],
  notBeforeMs: number,
  remoteKey?: RemoteKey,
): Promise<Issued> {
  const borrowed = remoteKey === undefined ? await newKeys() : await borrow(remoteKey);
  const { keys, crypto, signingAlgorithm } = borrowed;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: randomSerial(),
      name: [{ CN: [commonName] }],
      notBefore: new Date(notBeforeMs),
      notAfter: endless,
      signingAlgorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        permitDns(permittedDns),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    crypto,
  );
  return issued(certificate, remoteKey === undefined ? keys.privateKey : undefined);
}

async function readAuthority({ certificate: pem, privateKey, remoteKey }: Issuer) {
  const certificate = new x509.X509Certificate(pem);
  if (remoteKey !== undefined) {
    const { keys, crypto, signingAlgorithm } = await borrow(remoteKey);
    return { certificate, key: keys.privateKey, crypto, signingAlgorithm };
  }
  const der = x509.PemConverter.decodeFirst(privateKey);
  const key = await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
  return { certificate, key, crypto: webcrypto, signingAlgorithm: algorithm };
}

type Keys = Pick<webcrypto.CryptoKeyPair, 'publicKey'> & Partial<webcrypto.CryptoKeyPair>;

/**
 * A server certificate for one year from `notBeforeMs`, signed by `authority`, else by itself. For a new
 * key, or for `publicKey` (SubjectPublicKeyInfo, DER), which needs an authority.
 */
export async function issueCertificate(
  names: DeviceNames,
  notBeforeMs: number,
  authority?: Issuer,
  publicKey?: Uint8Array,
): Promise<Issued> {
  const keys: Keys =
    publicKey === undefined ? await generateKeys() : await importPublicKey(publicKey);
  const issuer = authority === undefined ? undefined : await readAuthority(authority);
  const subject = [{ CN: [names.commonName] }];
  const alternativeNames = [
    ...names.dns.map((value) => ({ type: 'dns' as const, value })),
    ...names.ip.map((value) => ({ type: 'ip' as const, value })),
  ];
  const extensions: x509.Extension[] = [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    new x509.SubjectAlternativeNameExtension(alternativeNames),
    await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
  ];
  if (issuer !== undefined) {
    const { publicKey: above } = issuer.certificate;
    extensions.push(await x509.AuthorityKeyIdentifierExtension.create(above, false, webcrypto));
  }
  const signingKey = issuer?.key ?? keys.privateKey;
  if (signingKey === undefined) throw new Error('a key that is elsewhere needs an authority');
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: randomSerial(),
      subject,
      issuer: issuer?.certificate.subjectName ?? subject,
      notBefore: new Date(notBeforeMs),
      notAfter: new Date(notBeforeMs + validityMs),
      signingAlgorithm: issuer?.signingAlgorithm ?? algorithm,
      publicKey: keys.publicKey,
      signingKey,
      extensions,
    },
    issuer?.crypto ?? webcrypto,
  );
  return issued(certificate, keys.privateKey);
}
