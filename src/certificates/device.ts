// SPDX-License-Identifier: Apache-2.0
// The device's own certificate: made at the first boot, signed by the device's authority, renewed
// at two thirds of its life and when the device has a name that it does not cover. Stored as one
// generation (store.ts); a key in a token is not stored, and stays the same. Called by device-source.ts while the daemon runs, and by the command line.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, lstatSync, realpathSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf, StartError } from '../base/start-error.js';
import { isSystemError, makeDirectory } from '../files/durable.js';
import { type Housekeeper, noHousekeeping } from '../files/housekeeping.js';
import { readOrdinaryText } from '../files/ordinary-file.js';
import { isKeyReference, type TokenKey } from '../tls/token-key.js';
import {
  type AuthorityOptions,
  ensureAuthority,
  isAuthorityOutsideToken,
  readAuthorityCertificate,
} from './authority.js';
import { dayMs, isClockSet, referenceMs } from './clock.js';
import { type DeviceNames, deviceNames } from './names.js';
import { keyOfStored, type OpenKey, openOwnKey } from './own-key.js';
import { GenerationStore } from './store.js';

export interface DeviceCertificate {
  /** PEM: the certificate alone. A client that trusts the authority needs nothing else. */
  chain: string;
  /** PEM, or the reference to the key. */
  privateKey: string;
  fingerprint: string;
  notAfterMs: number;
  /** Why a new pair was made; undefined when the stored one is still good. */
  renewedBecause: string | undefined;
  /** A new pair is due and could not be made: why. The stored one is as good as it gets then. */
  notRenewed: string | undefined;
}

export interface DeviceOptions {
  stateDir: string;
  nowMs?: number;
  buildDateMs?: number;
  names?: DeviceNames;
  /** Renew whatever the stored one is like, for this reason. */
  force?: string;
  housekeeping?: Housekeeper;
  /** Where the key is; undefined: in a file, a new one for each certificate. */
  tokenKey?: TokenKey | undefined;
  /** The same of the authority's; undefined: in a file. */
  authorityKey?: TokenKey | undefined;
}

const clockSkewMs = dayMs;
const renewAtLifeShare = 2 / 3;
// Addresses that the last certificate named and that the device has no longer, at most. They are
// kept so that an address that comes and goes does not make a certificate each time.
const formerAddressesMax = 16;

export const certificatesDirOf = (stateDir: string): string => join(stateDir, 'certificates');

export const deviceDirOf = (stateDir: string): string =>
  join(certificatesDirOf(stateDir), 'device');

export const deviceStore = (stateDir: string): GenerationStore =>
  new GenerationStore(deviceDirOf(stateDir));

/** When a certificate of this life is to be renewed. */
export function renewalDateMs(notBeforeMs: number, notAfterMs: number): number {
  return notBeforeMs + (notAfterMs - notBeforeMs) * renewAtLifeShare;
}

/** Names of the device that the certificate does not cover. */
export function missingNames(certificate: X509Certificate, names: DeviceNames): string[] {
  return [
    ...names.dns.filter((name) => certificate.checkHost(name) === undefined),
    ...names.ip.filter((address) => certificate.checkIP(address) === undefined),
  ];
}

/** Why the dates of a certificate ask for a new one, or undefined while they are good. */
export function dateReason(
  certificate: X509Certificate,
  nowMs: number,
  buildDateMs: number,
): string | undefined {
  const notBeforeMs = Date.parse(certificate.validFrom);
  const notAfterMs = Date.parse(certificate.validTo);
  // A clock that has not been set yet can say nothing.
  if (!isClockSet(nowMs, buildDateMs)) return undefined;
  if (notAfterMs <= nowMs) return 'the certificate has ended';
  if (renewalDateMs(notBeforeMs, notAfterMs) <= nowMs) return 'two thirds of its life are over';
  if (notBeforeMs > nowMs + clockSkewMs) return 'the certificate begins in the future';
  return undefined;
}

/** A power cut may have come between a new authority and the certificate that it was made for. */
function authorityReason(
  directory: string,
  certificate: X509Certificate,
  authorityKey: TokenKey | undefined,
): string | undefined {
  if (authorityKey !== undefined && isAuthorityOutsideToken(directory)) {
    return "the authority's key is to be in the token";
  }
  if (certificate.issuer === certificate.subject) return undefined; // Version 0.1: self-signed.
  let authority: string | undefined;
  try {
    authority = readAuthorityCertificate(directory);
  } catch (error) {
    // Users trust it: one that may be read again tomorrow is not replaced today.
    if (isSystemError(error)) return undefined;
  } // Damaged: as if there were none, a new one is made.
  if (authority === undefined) return 'the authority that signed it is lost';
  const isIssuer = certificate.checkIssued(new X509Certificate(authority));
  return isIssuer ? undefined : 'the authority is a new one';
}

interface Pair {
  chain: string;
  privateKey: string;
  certificate: X509Certificate;
  /** Why the newest stored pair could not be used, when this is the one before it. */
  damage: string | undefined;
}

/** Without a private key in PEM it is the one in the token. */
function toPair(chain: string, pem: string, key?: OpenKey, damage?: string): Pair {
  const certificate = new X509Certificate(chain);
  if (pem === '') return { chain, privateKey: keyOfStored(chain, key), certificate, damage };
  const privateKey = pem;
  if (!certificate.checkPrivateKey(createPrivateKey(privateKey))) {
    throw new Error('the stored key does not match');
  }
  return { chain, privateKey, certificate, damage };
}

async function prepareDirectory(stateDir: string): Promise<void> {
  const directory = certificatesDirOf(stateDir);
  try {
    await makeDirectory(directory);
    if (!lstatSync(directory).isDirectory()) throw new Error(`${directory} is not a directory`);
  } catch (error) {
    throw new StartError(`--state-dir: cannot be used: ${reasonOf(error)}`);
  }
}

/** The pair as version 0.1 stored it, read once so that users' exceptions for it stay good. */
function readFormerLayout(directory: string): Pair | undefined {
  const current = join(directory, 'current');
  if (!existsSync(current)) return undefined;
  const generation = realpathSync(current);
  const text = (name: string): string => readOrdinaryText(join(generation, name));
  return toPair(text('certificate.pem'), text('private-key.pem'));
}

async function removeFormerLayout(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!/^(current|generation-[0-9a-f]{12}(\.link)?)$/.test(name)) continue;
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

/** What is stored; a pair of the former layout is taken over first. Throws when it cannot be used. */
async function load(
  stateDir: string,
  housekeeping: Housekeeper,
  key: OpenKey | undefined,
): Promise<Pair | undefined> {
  const directory = certificatesDirOf(stateDir);
  const store = deviceStore(stateDir);
  await housekeeping.keep("tidying the device certificate's store", () => store.clean());
  const stored = store.read();
  if (stored !== undefined) {
    const removing = 'removing the certificate of version 0.1';
    await housekeeping.keep(removing, () => removeFormerLayout(directory));
    return toPair(stored.document, stored.privateKey, key, stored.fallbackBecause);
  }
  const former = readFormerLayout(directory);
  if (former === undefined) return undefined;
  await housekeeping.keep('taking the certificate of version 0.1 over', async () => {
    const { privateKey, chain: document } = former;
    // By a later attempt there may be a newer one.
    if (store.read() === undefined) await store.write({ privateKey, document, notes: {} });
    await removeFormerLayout(directory);
  });
  return former;
}

/** Today's names, and addresses that the last certificate has, unless it is being retired anyway. */
function namesToIssue(names: DeviceNames, last: X509Certificate | undefined): DeviceNames {
  const listed = (last?.subjectAltName ?? '').split(', ');
  const former = listed
    .filter((entry) => entry.startsWith('IP Address:'))
    .map((entry) => entry.slice('IP Address:'.length))
    .filter((address) => !names.ip.some((own) => isSameAddress(own, address)));
  return { ...names, ip: [...names.ip, ...former.slice(0, formerAddressesMax)] };
}

/** OpenSSL prints IPv6 addresses in full; compare through its URL form, which is the shortest. */
function isSameAddress(one: string, other: string): boolean {
  if (!one.includes(':') || !other.includes(':')) return one === other;
  return new URL(`http://[${one}]/`).host === new URL(`http://[${other}]/`).host;
}

/** Throws the system's error. */
async function issueAndStore(
  stateDir: string,
  names: DeviceNames,
  fromMs: { leaf: number; authority: number },
  options: AuthorityOptions & { key: OpenKey | undefined },
): Promise<Pair> {
  const { key } = options;
  const directory = certificatesDirOf(stateDir);
  const authority = await ensureAuthority(directory, names, fromMs.authority, options);
  const { issueCertificate } = await import('./issue.js');
  const made = await issueCertificate(names, fromMs.leaf, authority, key?.publicKey);
  const { certificate, privateKey } = made;
  await deviceStore(stateDir).write({ privateKey, document: certificate, notes: {} });
  return toPair(certificate, privateKey, key);
}

const toTokenReason = 'its key is to be in the token';

interface Judged {
  pair: Pair | undefined;
  /** Why a new one is due; undefined: it is not. */
  reason: string | undefined;
  /** The certificate whose addresses the new one carries on. */
  last?: X509Certificate;
}

/** What is stored, and whether it is to be replaced. */
async function judge(
  options: DeviceOptions,
  names: DeviceNames,
  key: OpenKey | undefined,
): Promise<Judged> {
  const { stateDir, force, nowMs = Date.now(), buildDateMs = SPLICED_BUILD_DATE_MS } = options;
  let pair: Pair | undefined;
  try {
    pair = await load(stateDir, options.housekeeping ?? noHousekeeping, key);
  } catch (error) {
    return { pair, reason: `the stored one cannot be used: ${reasonOf(error)}` };
  }
  if (pair === undefined) return { pair, reason: 'there was none' };
  const { certificate, damage } = pair;
  const reason =
    force ??
    (damage === undefined ? undefined : `the stored one is damaged: ${damage}`) ??
    (key === undefined || isKeyReference(pair.privateKey) ? undefined : toTokenReason) ??
    authorityReason(certificatesDirOf(stateDir), certificate, options.authorityKey) ??
    dateReason(certificate, nowMs, buildDateMs);
  if (reason !== undefined) return { pair, reason };
  const missing = missingNames(certificate, names);
  if (missing.length === 0) return { pair, reason };
  // A renewal for a date starts the list of addresses anew; one for a name carries it on.
  return { pair, reason: `the certificate does not name ${missing.join(', ')}`, last: certificate };
}

/**
 * The certificate to serve: the stored one while it is good, else a new one; where a new one cannot
 * be made or stored, still the stored one. Throws StartError when there is none at all.
 */
export async function ensureDeviceCertificate(options: DeviceOptions): Promise<DeviceCertificate> {
  const { stateDir, force, housekeeping = noHousekeeping } = options;
  const { nowMs = Date.now(), buildDateMs = SPLICED_BUILD_DATE_MS } = options;
  const names = options.names ?? deviceNames();
  await prepareDirectory(stateDir);
  const answer = await openOwnKey(options.tokenKey);
  const fault = 'fault' in answer ? answer.fault : undefined;
  const key = 'key' in answer ? answer.key : undefined;
  let { pair, reason, last } = await judge(options, names, key);
  let notRenewed = fault;
  if (fault !== undefined) {
    // One whose key was a file before is as good as it gets then.
    if (pair === undefined) throw new StartError(`tls.private_key: ${fault}`);
    reason = undefined;
  } else if (reason !== undefined) {
    const fromMs = {
      leaf: referenceMs(nowMs, buildDateMs),
      authority: buildDateMs, // Before any true date.
    };
    const replacesUnread = pair === undefined || force !== undefined;
    try {
      const wanted = namesToIssue(names, last);
      const { authorityKey } = options;
      const how = { housekeeping, replacesUnread, key, authorityKey };
      pair = await issueAndStore(stateDir, wanted, fromMs, how);
    } catch (error) {
      const isOfToken = error instanceof StartError;
      const words = `${isOfToken ? '' : 'cannot store a certificate: '}${reasonOf(error)}`;
      const setting = isOfToken ? '' : '--state-dir: ';
      if (pair === undefined) throw new StartError(`${setting}${words} (${reason})`);
      notRenewed = `${words} (${reason})`;
      reason = undefined;
    }
  }
  const { chain, privateKey, certificate } = pair as Pair;
  return {
    chain,
    privateKey,
    fingerprint: certificate.fingerprint256,
    notAfterMs: Date.parse(certificate.validTo),
    renewedBecause: reason,
    notRenewed,
  };
}
