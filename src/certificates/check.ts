// SPDX-License-Identifier: Apache-2.0
// Checks a certificate chain and its key before they replace others, and reports everything that is
// wrong with them: form, key match, order and signatures of the chain, dates, strength,
// names. Pure: it reads no file and no clock. Called by installed.ts, by the enrolment and by
// `spliced certificate check`.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { reasonOf } from '../base/start-error.js';
import { dateFault, type Finding, nameOf, orderChain } from './chain.js';
import { weaknessOf } from './weak-signature.js';

export type { Finding } from './chain.js';

export interface CheckInput {
  /** PEM texts; they may be the same one. */
  chain: string;
  privateKey: string;
  /**
   * For a key that is not in `privateKey`: which of these certificates (PEM) it belongs to, -1: to none.
   * Rejects with why it cannot be had.
   */
  matchKey?: ((certificates: string[]) => Promise<number>) | undefined;
  nowMs: number;
  buildDateMs: number;
  /** Names that clients use; one that is not covered is a warning. */
  wantedNames?: readonly string[];
}

export interface Checked {
  findings: Finding[];
  /** What to serve, the server's own certificate first; undefined when a finding is bad. */
  pair:
    | { chain: string; privateKey: string; certificates: [X509Certificate, ...X509Certificate[]] }
    | undefined;
}

const chainCertificatesMax = 10;
const rsaBitsMin = 2048;
const curves = ['prime256v1', 'secp384r1', 'secp521r1'];
const serverAuthOid = '1.3.6.1.5.5.7.3.1';
const certificatePem = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Every certificate of a PEM text; reports blocks that are none. */
function parseChain(text: string, findings: Finding[]): X509Certificate[] {
  const blocks = text.match(certificatePem) ?? [];
  if (blocks.length === 0) {
    findings.push({ kind: 'bad', text: 'there is no certificate in PEM form' });
  }
  if (blocks.length > chainCertificatesMax) {
    const text = `there are ${blocks.length} certificates; a chain has at most ${chainCertificatesMax}`;
    findings.push({ kind: 'bad', text });
    return [];
  }
  return blocks.flatMap((block, index) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      findings.push({ kind: 'bad', text: `certificate ${index + 1} of the file cannot be parsed` });
      return [];
    }
  });
}

function parseKey(text: string, findings: Finding[]): KeyObject | undefined {
  const isEncrypted = /-----BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/.test(text);
  if (isEncrypted) {
    const text = 'the private key is encrypted; give a key without a passphrase';
    findings.push({ kind: 'bad', text });
    return undefined;
  }
  const block = /-----BEGIN ([A-Z]+ )?PRIVATE KEY-----[^-]*-----END \1?PRIVATE KEY-----/.exec(text);
  try {
    if (block !== null) return createPrivateKey(block[0]);
  } catch {} // The library's message says no more than ours.
  findings.push({ kind: 'bad', text: 'there is no private key in PEM form' });
  return undefined;
}

function checkStrength(certificate: X509Certificate, findings: Finding[]): void {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
  const bad = (text: string) => findings.push({ kind: 'bad', text });
  const who = nameOf(certificate);
  if (type === 'rsa' || type === 'rsa-pss') {
    const bits = details?.modulusLength ?? 0;
    if (bits < rsaBitsMin) bad(`the RSA key of ${who} has ${bits} bits; at least ${rsaBitsMin}`);
  } else if (type === 'ec') {
    const curve = details?.namedCurve ?? 'an unnamed curve';
    if (!curves.includes(curve)) bad(`the key of ${who} is on ${curve}; use P-256`);
  } else if (type === 'ed25519' || type === 'ed448') {
    const text = `the key of ${who} is ${type}, which no browser accepts; other clients do`;
    findings.push({ kind: 'warning', text });
  } else bad(`the key of ${who} is ${type ?? 'of an unknown kind'}; use ECDSA P-256 or RSA`);
}

function checkDates(certificate: X509Certificate, input: CheckInput, findings: Finding[]): void {
  const text = dateFault(certificate, input);
  if (text !== undefined) findings.push({ kind: 'date', text: `${nameOf(certificate)} ${text}` });
}

/** The certificate of the key, wherever that is; null: there is no key. */
async function ofKey(
  { privateKey, matchKey }: CheckInput,
  certificates: X509Certificate[],
  findings: Finding[],
): Promise<X509Certificate | undefined | null> {
  if (matchKey === undefined) {
    const key = parseKey(privateKey, findings);
    return key === undefined ? null : certificates.find((one) => one.checkPrivateKey(key));
  }
  try {
    return certificates[await matchKey(certificates.map(String))];
  } catch (error) {
    findings.push({ kind: 'bad', text: reasonOf(error) });
    return null;
  }
}

/** The server's own certificate: the one of the key. */
async function findOwn(
  input: CheckInput,
  certificates: X509Certificate[],
  findings: Finding[],
): Promise<X509Certificate | undefined> {
  const own = await ofKey(input, certificates, findings);
  if (own === null) return undefined;
  const [first] = certificates;
  if (own === undefined && first !== undefined) {
    const text = `the private key does not match the certificate of ${nameOf(first)}`;
    findings.push({ kind: 'mismatch', text });
  } else if (own !== first && own !== undefined) {
    const text = `the certificate of the key, ${nameOf(own)}, is not the first one; it is served first`;
    findings.push({ kind: 'warning', text });
  }
  return own;
}

const isAddress = (name: string): boolean => name.includes(':') || /^[\d.]+$/.test(name);

function checkUse(own: X509Certificate, wanted: readonly string[], findings: Finding[]): void {
  const warn = (text: string) => findings.push({ kind: 'warning', text });
  const uses = own.keyUsage as string[] | undefined; // Node calls the extended one so.
  if (uses !== undefined && !uses.includes(serverAuthOid)) {
    const text = `${nameOf(own)} is not for servers (its extended key usage lacks serverAuth)`;
    findings.push({ kind: 'bad', text });
  }
  if (own.ca) warn(`${nameOf(own)} is the certificate of an authority, not of a server`);
  if (own.subjectAltName === undefined) {
    warn(`${nameOf(own)} has no subject alternative name; browsers do not accept it`);
    return;
  }
  const missing = wanted.filter((name) =>
    isAddress(name) ? own.checkIP(name) === undefined : own.checkHost(name) === undefined,
  );
  if (missing.length > 0) warn(`${nameOf(own)} does not cover ${missing.join(', ')}`);
}

/** Checks a chain and its key. Everything is reported at once. */
export async function checkCertificate(input: CheckInput): Promise<Checked> {
  const findings: Finding[] = [];
  const certificates = parseChain(input.chain, findings);
  const own = await findOwn(input, certificates, findings);
  const chain = own === undefined ? undefined : orderChain(own, certificates, input, findings);
  const subjects = chain ?? certificates;
  for (const certificate of subjects) {
    checkStrength(certificate, findings);
    checkDates(certificate, input, findings);
    // Nobody verifies the signature of a root: it is trusted because it is known.
    const isRoot = certificate.checkIssued(certificate);
    const weakness = isRoot ? undefined : await weaknessOf(certificate.raw);
    if (weakness === undefined) continue;
    findings.push({ kind: 'bad', text: `${nameOf(certificate)} is signed with ${weakness}` });
  }
  const [first] = subjects;
  if (first !== undefined) checkUse(first, input.wantedNames ?? [], findings);
  const isBad = findings.some(({ kind }) => kind === 'bad' || kind === 'mismatch');
  if (isBad || chain === undefined) return { findings, pair: undefined };
  const { privateKey } = input;
  const pem = chain.map((certificate) => certificate.toString()).join('');
  return { findings, pair: { chain: pem, privateKey: onlyKey(privateKey), certificates: chain } };
}

/** The key's block alone: a file may hold key and chain. */
function onlyKey(text: string): string {
  const block = /-----BEGIN ([A-Z]+ )?PRIVATE KEY-----[^-]*-----END \1?PRIVATE KEY-----/.exec(text);
  return block === null ? text : `${block[0]}\n`;
}
