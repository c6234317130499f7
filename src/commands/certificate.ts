// SPDX-License-Identifier: Apache-2.0
// `spliced certificate ca|request|show|check|renew`, each with its options already read. None of
// them serves, and none but `request` writes a key. The answer is the exit code; wrong usage and
// files that cannot be read are thrown as StartError. Called by certificate-line.ts.

import { X509Certificate } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { reasonOf, StartError } from '../base/start-error.js';
import { readAuthorityCertificate } from '../certificates/authority.js';
import { checkCertificate, type Finding } from '../certificates/check.js';
import { certificatesDirOf, deviceDirOf } from '../certificates/device.js';
import { enrolmentDirOf } from '../certificates/enrolment.js';
import { daysLeft } from '../certificates/expiry.js';
import { checkInstalled, type InstalledOptions } from '../certificates/installed.js';
import { namesFrom } from '../certificates/names.js';
import type { RemoteKey } from '../certificates/request.js';
import { servedStores, storesOf } from '../certificates/served-files.js';
import { GenerationStore } from '../certificates/store.js';
import { leaveWish } from '../certificates/wish.js';
import {
  isKeyReference,
  matchTokenKey,
  shownKey,
  type TokenKey,
  tokenSigner,
} from '../tls/token-key.js';

export interface Streams {
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
}

const exitFailure = 1;

export interface StateDirCommand {
  /** A path of the state directory. */
  stateDir: string;
  /** The path that the operator knows. */
  shownAs?: string;
  /** Called before anything below the directory is touched. */
  enter?: () => void;
}

/** Prints the certificate of the device's authority, for users to trust once. */
export async function certificateCa(
  { stateDir, shownAs = stateDir, enter = () => {} }: StateDirCommand,
  { stdout, stderr }: Streams,
): Promise<number> {
  enter();
  const certificate = readOrExplain(() => readAuthorityCertificate(certificatesDirOf(stateDir)));
  if (certificate === undefined) {
    stderr.write(`There is no authority in ${shownAs} yet; the first start makes it.\n`);
    return exitFailure;
  }
  stdout.write(certificate);
  return 0;
}

export interface RequestCommand {
  /** DNS names and addresses; the first DNS name is the common name. */
  names: string[];
  /** Used when it exists (PEM, ECDSA P-256), else made with mode 0600. Or a PKCS #11 URI. */
  privateKeyFile: string;
}

/** Prints a request for a certificate (PKCS#10, PEM), and makes its key. */
export async function certificateRequest(
  { names, privateKeyFile }: RequestCommand,
  { stdout, stderr }: Streams,
): Promise<number> {
  if (names.length === 0) throw new StartError('give the names that the certificate is for');
  const { createRequest } = await import('../certificates/request.js');
  if (isKeyReference(privateKeyFile)) {
    const remoteKey = await signerOrExplain(privateKeyFile);
    const { request } = await createRequest(namesFrom(names), { remoteKey });
    stderr.write(`Used ${shownKey(privateKeyFile)}, which stays where it is.\n`);
    stdout.write(request);
    return 0;
  }
  const isThere = existsSync(privateKeyFile);
  const existingKey = isThere
    ? readOrExplain(() => readFileSync(privateKeyFile, 'utf8'))
    : undefined;
  let made: Awaited<ReturnType<typeof createRequest>>;
  try {
    made = await createRequest(namesFrom(names), { existingKey });
  } catch {
    const advice = 'move it away to have a new key made';
    throw new StartError(`${privateKeyFile} holds no ECDSA P-256 key in PEM form; ${advice}`);
  }
  if (!isThere) writeKey(privateKeyFile, made.privateKey);
  stderr.write(`${isThere ? 'Used the key in' : 'Wrote a new key to'} ${privateKeyFile}.\n`);
  stdout.write(made.request);
  return 0;
}

async function signerOrExplain(reference: string): Promise<RemoteKey> {
  try {
    return await tokenSigner(reference);
  } catch (error) {
    throw new StartError(reasonOf(error));
  }
}

function writeKey(path: string, text: string): void {
  readOrExplain(() => {
    const fd = openSync(path, 'wx', 0o600);
    try {
      writeSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  });
}

export interface ShowCommand extends StateDirCommand {
  installed: InstalledOptions[];
  /** Undefined: nothing is enrolled any more. */
  enrolment?: unknown;
  json: boolean;
  nowMs?: number;
}

interface Shown {
  source: string;
  /** False: it is kept, and no client gets it. */
  isServed: boolean;
  subject: string;
  issuer: string;
  sans: string[];
  fingerprint: string;
  notBefore: string;
  notAfter: string;
  daysLeft: number | null;
}

/** Prints every certificate that is installed or stored. */
export async function certificateShow(
  { stateDir, enter = () => {}, installed, enrolment, json, nowMs = Date.now() }: ShowCommand,
  { stdout }: Streams,
): Promise<number> {
  const found: [string, X509Certificate][] = [];
  for (const options of installed) {
    const { pair } = await checkInstalled(options, nowMs, SPLICED_BUILD_DATE_MS);
    if (pair !== undefined) found.push([options.certificate, pair.certificates[0]]);
  }
  enter(); // The installed files may be for root alone.
  const served = servedStores({ stateDir, installed, enrolment }).map(([source]) => source);
  const stores = {
    ...storesOf(stateDir),
    authority: join(certificatesDirOf(stateDir), 'authority'),
  };
  for (const [source, directory] of Object.entries(stores)) {
    const stored = readOrExplain(() => new GenerationStore(directory).read());
    if (stored !== undefined) found.push([source, new X509Certificate(stored.document)]);
  }
  const isServed = (source: string): boolean => served.includes(source) || !(source in stores);
  const shown = found.map(([source, certificate]) => ({
    ...describe(source, certificate, nowMs),
    isServed: isServed(source),
  }));
  stdout.write(json ? `${JSON.stringify(shown, undefined, 2)}\n` : shown.map(toText).join('\n'));
  return 0;
}

function describe(
  source: string,
  certificate: X509Certificate,
  nowMs: number,
): Omit<Shown, 'isServed'> {
  return {
    source,
    subject: certificate.subject ?? '',
    issuer: certificate.issuer ?? '',
    sans: (certificate.subjectAltName ?? '').split(', ').filter(Boolean),
    fingerprint: certificate.fingerprint256,
    notBefore: new Date(certificate.validFrom).toISOString(),
    notAfter: new Date(certificate.validTo).toISOString(),
    daysLeft: daysLeft(certificate, nowMs, SPLICED_BUILD_DATE_MS) ?? null,
  };
}

function toText(shown: Shown): string {
  const { source, isServed, subject, issuer, sans, fingerprint, notAfter, daysLeft } = shown;
  const left = daysLeft === null ? 'the clock is not set' : `${daysLeft} days left`;
  const rows = [
    ['subject', subject],
    ['issuer', issuer],
    ['names', sans.join(', ')],
    ['valid until', `${notAfter} (${left})`],
    ['SHA-256', fingerprint],
  ];
  const lines = rows.map(([name, value]) => `  ${name?.padEnd(12)} ${value}`);
  const note = isServed || source === 'authority' ? '' : ' (kept, not served)';
  return `${source}${note}\n${lines.join('\n')}\n`;
}

/** Says everything that is wrong with a pair of files, and serves nothing. */
export async function certificateCheck(
  options: InstalledOptions & { nowMs?: number },
  streams: Streams,
): Promise<number> {
  const { nowMs = Date.now(), ...files } = options;
  const { findings } = await checkInstalled(files, nowMs, SPLICED_BUILD_DATE_MS);
  return tell(files.certificate, findings, streams);
}

export interface StoredCommand extends StateDirCommand {
  enrolment: unknown;
  /** Of what is stored without a key. */
  tokenKey?: TokenKey | undefined;
}

/** The same for what was uploaded or enrolled. Undefined: nothing was. */
export async function certificateCheckStored(
  { stateDir, enter = () => {}, enrolment, tokenKey }: StoredCommand,
  streams: Streams,
): Promise<number | undefined> {
  enter();
  const codes: number[] = [];
  for (const [source, directory] of servedStores({ stateDir, installed: [], enrolment })) {
    if (source === 'device') continue;
    const stored = readOrExplain(() => new GenerationStore(directory).read());
    if (stored === undefined) continue;
    const { document: chain, privateKey } = stored;
    const dates = { nowMs: Date.now(), buildDateMs: SPLICED_BUILD_DATE_MS };
    const reference = privateKey === '' ? (tokenKey?.reference ?? '') : '';
    const matchKey = isKeyReference(reference)
      ? (certificates: string[]) => matchTokenKey(reference, certificates, true)
      : undefined;
    const { findings } = await checkCertificate({ chain, privateKey, matchKey, ...dates });
    codes.push(tell(`the ${source} certificate`, findings, streams));
  }
  return codes.length === 0 ? undefined : Math.max(...codes);
}

function tell(what: string, findings: Finding[], { stdout, stderr }: Streams): number {
  for (const { kind, text } of findings) {
    stderr.write(`${kind === 'warning' ? 'warning' : 'problem'}: ${text}\n`);
  }
  if (findings.some(({ kind }) => kind !== 'warning')) return exitFailure;
  stdout.write(`ok: ${what} can be served\n`);
  return 0;
}

/** Asks the service for a new device certificate, and for a new one from the enrolment. */
export async function certificateRenew(
  { stateDir, shownAs = stateDir, enter = () => {} }: StateDirCommand,
  { stdout, stderr }: Streams,
): Promise<number> {
  enter();
  const directories = { device: deviceDirOf(stateDir), enrolment: enrolmentDirOf(stateDir) };
  const asked = Object.entries(directories)
    .filter(([, directory]) => readOrExplain(() => leaveWish(directory)))
    .map(([name]) => name);
  if (asked.length === 0) {
    stderr.write(`There is nothing to renew in ${shownAs} yet; the first start makes it.\n`);
    return exitFailure;
  }
  stdout.write(
    `Asked for: ${asked.join(', ')}. The service renews within 5 minutes, or at once after: ` +
      'systemctl reload spliced\n',
  );
  return 0;
}

/** The system's refusal in one clear line. */
function readOrExplain<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new StartError(reasonOf(error));
  }
}
