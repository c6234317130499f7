// SPDX-License-Identifier: Apache-2.0
// The device's own certificate, kept as one generation: a directory with certificate and key, and
// a symbolic link `current` that is renamed into place last. A power cut leaves the old pair or
// the new one, never half of each. Called by daemon.ts at start and then from time to time.

import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fchmodSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { reasonOf, StartError } from '../start-error.js';
import { issueCertificate } from './issue.js';
import { type DeviceNames, deviceNames } from './names.js';

export interface DeviceCertificate {
  chain: string;
  privateKey: string;
  fingerprint: string;
  notAfterMs: number;
  /** Why a new pair was made; undefined when the stored one is still good. */
  renewedBecause: string | undefined;
}

export interface DeviceOptions {
  stateDir: string;
  nowMs?: number;
  buildDateMs?: number;
  names?: DeviceNames;
}

const dayMs = 24 * 3_600_000;
const renewBeforeMs = 30 * dayMs;
const clockSkewMs = dayMs;
const certificateName = 'certificate.pem';
const keyName = 'private-key.pem';
const generationPrefix = 'generation-';

function fsyncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function writeSecret(path: string, text: string): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    fchmodSync(fd, 0o600); // Whatever the umask is.
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Puts a generation on disk, in an order that a power cut cannot spoil. */
function store(directory: string, certificate: string, privateKey: string): void {
  const name = `${generationPrefix}${randomBytes(6).toString('hex')}`;
  const generation = join(directory, name);
  mkdirSync(generation, { mode: 0o700 });
  writeSecret(join(generation, keyName), privateKey);
  writeSecret(join(generation, certificateName), certificate);
  fsyncDirectory(generation);
  fsyncDirectory(directory);
  const link = join(directory, `${name}.link`);
  symlinkSync(name, link);
  renameSync(link, join(directory, 'current'));
  fsyncDirectory(directory);
  for (const entry of readdirSync(directory)) {
    if (entry.startsWith(generationPrefix) && entry !== name) {
      rmSync(join(directory, entry), { recursive: true, force: true });
    }
  }
}

/** The stored pair. Throws when there is none, or none that can be used. */
function load(directory: string): DeviceCertificate & { certificate: X509Certificate } {
  const generation = realpathSync(join(directory, 'current')); // Both files of one generation.
  const chain = readFileSync(join(generation, certificateName), 'utf8');
  const keyPath = join(generation, keyName);
  const privateKey = readFileSync(keyPath, 'utf8');
  if ((statSync(keyPath).mode & 0o077) !== 0) chmodSync(keyPath, 0o600);
  const certificate = new X509Certificate(chain);
  if (!certificate.checkPrivateKey(createPrivateKey(privateKey))) {
    throw new Error('the stored key does not match');
  }
  return {
    chain,
    privateKey,
    certificate,
    fingerprint: certificate.fingerprint256,
    notAfterMs: Date.parse(certificate.validTo),
    renewedBecause: undefined,
  };
}

/** Why a stored certificate must be replaced, or undefined while it is good. */
function reasonToRenew(
  certificate: X509Certificate,
  names: DeviceNames,
  nowMs: number,
  buildDateMs: number,
): string | undefined {
  const notAfterMs = Date.parse(certificate.validTo);
  const notBeforeMs = Date.parse(certificate.validFrom);
  // A clock before the build date has not been set yet and can say nothing about "not before".
  const isClockSet = nowMs >= buildDateMs;
  const referenceMs = Math.max(nowMs, buildDateMs);
  if (notAfterMs - referenceMs <= renewBeforeMs) return 'the certificate ends within 30 days';
  if (isClockSet && notBeforeMs > nowMs + clockSkewMs)
    return 'the certificate begins in the future';
  // More names than today's are fine: an address that comes later, when the network is up, was
  // perhaps there before, and a new certificate for every boot would wear users' trust out.
  const missing = [
    ...names.dns.filter((name) => certificate.checkHost(name) === undefined),
    ...names.ip.filter((address) => certificate.checkIP(address) === undefined),
  ];
  if (missing.length > 0) return `the certificate does not name ${missing.join(', ')}`;
  return undefined;
}

function prepareDirectory(stateDir: string): string {
  const directory = join(stateDir, 'certificates');
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (!lstatSync(directory).isDirectory()) throw new Error(`${directory} is not a directory`);
  } catch (error) {
    throw new StartError(`--state-dir: cannot be used: ${reasonOf(error)}`);
  }
  return directory;
}

/**
 * The certificate to serve: the stored one while it is good, else a new one. Throws StartError
 * when the state directory cannot be written.
 */
export async function ensureDeviceCertificate(options: DeviceOptions): Promise<DeviceCertificate> {
  const { stateDir, nowMs = Date.now(), buildDateMs = SPLICED_BUILD_DATE_MS } = options;
  const names = options.names ?? deviceNames();
  const directory = prepareDirectory(stateDir);
  let reason: string | undefined;
  try {
    const { certificate, ...stored } = load(directory);
    reason = reasonToRenew(certificate, names, nowMs, buildDateMs);
    if (reason === undefined) return stored;
  } catch (error) {
    const isFirst = (error as NodeJS.ErrnoException).code === 'ENOENT';
    reason = isFirst ? 'there was none' : `the stored one cannot be used: ${reasonOf(error)}`;
  }
  const issued = await issueCertificate(names, Math.max(nowMs, buildDateMs));
  try {
    store(directory, issued.certificate, issued.privateKey);
  } catch (error) {
    throw new StartError(`--state-dir: cannot store a certificate: ${reasonOf(error)}`);
  }
  const { certificate: _, ...stored } = load(directory);
  return { ...stored, renewedBecause: reason };
}
