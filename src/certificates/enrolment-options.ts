// SPDX-License-Identifier: Apache-2.0
// What an operator says about an enrolment, and how it becomes the client of a protocol: files and
// credentials are read here, once, at start. Called by enrolment.ts.

import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { reasonOf, StartError } from '../base/start-error.js';
import type { Housekeeper } from '../files/housekeeping.js';
import { readOrdinaryText } from '../files/ordinary-file.js';
import { isKeyReference, type TokenKey } from '../tls/token-key.js';
import type { Enroller } from './enroller.js';
import { pathOf } from './installed.js';
import type { ChallengeResponder } from './source.js';
import { GenerationStore } from './store.js';

/** Every file is a path or `credential:NAME`, as in installed.ts. */
export interface EstOptions {
  protocol: 'est';
  url: string;
  trustAnchorsFile: string;
  username?: string | undefined;
  passwordFile?: string | undefined;
  clientCertificateFile?: string | undefined;
  /** Or a reference. */
  clientPrivateKeyFile?: string | undefined;
  /** Names and addresses; empty: those of the device. */
  names: string[];
}

export interface AcmeOptions {
  protocol: 'acme';
  directoryUrl: string;
  /** Where the account's key is; undefined: in a file of ours. */
  accountKey?: TokenKey | undefined;
  /** Undefined: the authorities that Node trusts. */
  trustAnchorsFile?: string | undefined;
  contact?: string | undefined;
  termsOfServiceAgreed: boolean;
  externalAccountKeyId?: string | undefined;
  externalAccountHmacKeyFile?: string | undefined;
  names: string[];
}

export type EnrolmentOptions = EstOptions | AcmeOptions;

/** `setting`: its key in [enrolment]. */
function read(setting: string, value: string): string {
  try {
    return readOrdinaryText(pathOf(value));
  } catch (error) {
    throw new StartError(`enrolment.${setting}: cannot read ${value}: ${reasonOf(error)}`);
  }
}

const readIf = (setting: string, value: string | undefined): string | undefined =>
  value === undefined ? undefined : read(setting, value);

/** A text of PEM, or the reference. */
const readKeyIf = (setting: string, value: string | undefined): string | undefined =>
  value !== undefined && isKeyReference(value) ? value : readIf(setting, value);

/** Reads every file that the options name, and nothing else. One line for each that is refused. */
export function checkEnrolmentFiles(options: EnrolmentOptions): string[] {
  const files: Record<string, string | undefined> = {
    trust_anchors_file: options.trustAnchorsFile,
  };
  if (options.protocol === 'est') {
    files.password_file = options.passwordFile;
    files.client_certificate_file = options.clientCertificateFile;
    const { clientPrivateKeyFile: key } = options;
    if (key !== undefined && !isKeyReference(key)) files.client_private_key_file = key;
  } else files.external_account_hmac_key_file = options.externalAccountHmacKeyFile;
  return Object.entries(files).flatMap(([setting, value]) => {
    try {
      readIf(setting, value);
      return [];
    } catch (error) {
      return [reasonOf(error)];
    }
  });
}

async function createEst(options: EstOptions): Promise<Enroller> {
  const { url, username, clientCertificateFile, clientPrivateKeyFile } = options;
  if ((clientCertificateFile === undefined) !== (clientPrivateKeyFile === undefined)) {
    throw new StartError('enrolment: give both the client certificate and its private key');
  }
  const chain = readIf('client_certificate_file', clientCertificateFile);
  const privateKey = readKeyIf('client_private_key_file', clientPrivateKeyFile);
  const { EstClient } = await import('./est.js');
  try {
    return new EstClient({
      url,
      username,
      trustAnchors: read('trust_anchors_file', options.trustAnchorsFile),
      password: readIf('password_file', options.passwordFile)?.replace(/\r?\n$/, ''),
      client: chain === undefined || privateKey === undefined ? undefined : { chain, privateKey },
    });
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`enrolment.url: ${url} cannot be used: ${reasonOf(error)}`);
  }
}

/** The account's key is kept beside the directory's URL: another directory gets another key. */
async function ensureAccountKey(
  { directory, housekeeping }: Pick<EnrollerParts, 'directory' | 'housekeeping'>,
  directoryUrl: string,
): Promise<string> {
  const store = new GenerationStore(join(directory, 'acme-account'), 'directory.txt');
  await housekeeping.keep("tidying the ACME account's store", () => store.clean());
  try {
    const stored = store.read();
    if (stored?.document === directoryUrl) return stored.privateKey;
  } catch {} // Damaged: a new account is as good.
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  try {
    await store.write({ privateKey, document: directoryUrl, notes: {} });
  } catch (error) {
    throw new StartError(`--state-dir: cannot store the ACME account's key: ${reasonOf(error)}`);
  }
  return privateKey;
}

export interface EnrollerParts {
  /** Where an account's key is kept. */
  directory: string;
  challenges: ChallengeResponder | undefined;
  housekeeping: Housekeeper;
}

async function createAcme(options: AcmeOptions, parts: EnrollerParts): Promise<Enroller> {
  const { challenges } = parts;
  const { directoryUrl, contact, termsOfServiceAgreed, externalAccountKeyId: keyId } = options;
  if (challenges === undefined) {
    throw new StartError(
      'enrolment.protocol: ACME needs listen_http, which answers its challenges; a new one waits for a restart',
    );
  }
  if (options.names.length === 0) {
    throw new StartError('enrolment.names: ACME needs the names that the certificate is for');
  }
  const trustAnchors = readIf('trust_anchors_file', options.trustAnchorsFile);
  const hmacKey = readIf(
    'external_account_hmac_key_file',
    options.externalAccountHmacKeyFile,
  )?.trim();
  const accountKey = options.accountKey ?? (await ensureAccountKey(parts, directoryUrl));
  const { AcmeEnroller } = await import('./acme.js');
  const server = { directoryUrl, trustAnchors, accountKey, contact, termsOfServiceAgreed };
  const externalAccount =
    keyId === undefined || hmacKey === undefined ? undefined : { keyId, hmacKey };
  return new AcmeEnroller({ ...server, externalAccount }, challenges);
}

/** The client of the protocol. Throws StartError. */
export function createEnroller(options: EnrolmentOptions, parts: EnrollerParts): Promise<Enroller> {
  return options.protocol === 'est' ? createEst(options) : createAcme(options, parts);
}
