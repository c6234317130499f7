// SPDX-License-Identifier: Apache-2.0
// A certificate and a key that the administrator gives as files. They are checked as a pair before
// anything is served: a pair that does not match would fail every handshake later.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { reasonOf, StartError } from '../start-error.js';

export interface CertificateFiles {
  certificate: string;
  privateKey: string;
}

export interface FilePair {
  chain: string;
  privateKey: string;
  notAfterMs: number;
  fingerprint: string;
}

function readText(path: string, option: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new StartError(`${option}: cannot read the file: ${reasonOf(error)}`);
  }
}

function parseCertificate(text: string, path: string): X509Certificate {
  try {
    return new X509Certificate(text); // The first certificate of a chain is the server's own.
  } catch {
    throw new StartError(`--certificate: ${path} holds no certificate in PEM form`);
  }
}

function parseKey(text: string, path: string): KeyObject {
  if (/ENCRYPTED/.test(text)) {
    throw new StartError(`--private-key: ${path} is encrypted; give a key without a passphrase`);
  }
  try {
    return createPrivateKey(text);
  } catch {
    throw new StartError(`--private-key: ${path} holds no private key in PEM form`);
  }
}

/** Reads and checks the pair. Throws StartError; no message ever holds a part of the key. */
export function readCertificateFiles(files: CertificateFiles): FilePair {
  const chain = readText(files.certificate, '--certificate');
  const privateKey = readText(files.privateKey, '--private-key');
  const certificate = parseCertificate(chain, files.certificate);
  const key = parseKey(privateKey, files.privateKey);
  if (!certificate.checkPrivateKey(key)) {
    throw new StartError(
      `the private key ${files.privateKey} does not match the certificate ${files.certificate}`,
    );
  }
  return {
    chain,
    privateKey,
    notAfterMs: Date.parse(certificate.validTo),
    fingerprint: certificate.fingerprint256,
  };
}
