// SPDX-License-Identifier: Apache-2.0
// The certificate files that a service with a given configuration serves, in its order (manager.ts), and its other
// keys: for commands that check them without asking the service. Only this file knows them.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TokenKey } from '../tls/token-key.js';
import { certificatesDirOf, deviceDirOf } from './device.js';
import type { EnrolmentOptions } from './enrolment-options.js';
import { type InstalledOptions, pathOf } from './installed.js';

export interface ServedFiles {
  /** As the status calls it: installed, uploaded, enrolment, device. */
  source: string;
  certificate: string;
  /** A path, or a reference. */
  privateKey: string;
}

export interface ServedBy {
  stateDir: string;
  installed: readonly InstalledOptions[];
  /** Undefined: there is none. */
  enrolment: unknown;
  /** The key of what is stored without one. */
  tokenKey?: TokenKey | undefined;
}

interface Keyed extends Pick<ServedBy, 'stateDir' | 'installed'> {
  enrolment: EnrolmentOptions | undefined;
  /** Undefined: in a file. */
  authorityKey: TokenKey | undefined;
}

/** A private key that no client sees, but that vouches for the device. */
export interface OtherKey {
  /** "authority": the device's own; "account": at an ACME server; "client": of who enrols by EST. */
  use: 'authority' | 'account' | 'client';
  /** The setting that could name a token. */
  setting: string;
  /** A path, or a reference. */
  privateKey: string;
}

/** Directories of generations (store.ts) by their source, in the order in which they are served. */
export const storesOf = (stateDir: string): Record<string, string> => ({
  uploaded: join(certificatesDirOf(stateDir), 'uploaded'),
  enrolment: join(certificatesDirOf(stateDir), 'enrolment/issued'),
  device: deviceDirOf(stateDir),
});

/** Which of the stores are served. The device's own also before it is made. */
export function servedStores({ stateDir, installed, enrolment }: ServedBy): [string, string][] {
  const isServed = (source: string, directory: string): boolean => {
    if (source === 'device') return installed.length === 0;
    if (source === 'enrolment' && enrolment === undefined) return false;
    return existsSync(join(directory, 'current'));
  };
  return Object.entries(storesOf(stateDir)).filter(([source, place]) => isServed(source, place));
}

/** Throws when a credential is named that cannot be. */
export function servedFiles(by: ServedBy): ServedFiles[] {
  const installed = by.installed.map(({ certificate, privateKey }) => ({
    source: 'installed',
    certificate: pathOf(certificate),
    privateKey: pathOf(privateKey),
  }));
  const stored = servedStores(by).map(([source, directory]) => {
    const file = join(directory, 'current/key.pem');
    const privateKey = existsSync(file) ? file : (by.tokenKey?.reference ?? file);
    return { source, certificate: join(directory, 'current/chain.pem'), privateKey };
  });
  return [...installed, ...stored];
}

/** Of a service that uses them; the files are there after the first start. */
export function otherKeys({ stateDir, installed, enrolment, authorityKey }: Keyed): OtherKey[] {
  const keys: OtherKey[] = [];
  if (installed.length === 0) {
    const file = join(certificatesDirOf(stateDir), 'authority/current/key.pem');
    const privateKey = authorityKey?.reference ?? file;
    keys.push({ use: 'authority', setting: 'tls.authority_key', privateKey });
  }
  if (enrolment?.protocol === 'acme') {
    const file = join(certificatesDirOf(stateDir), 'enrolment/acme-account/current/key.pem');
    const privateKey = enrolment.accountKey?.reference ?? file;
    keys.push({ use: 'account', setting: 'enrolment.account_key', privateKey });
  }
  if (enrolment?.protocol === 'est' && enrolment.clientPrivateKeyFile !== undefined) {
    const privateKey = pathOf(enrolment.clientPrivateKeyFile);
    keys.push({ use: 'client', setting: 'enrolment.client_private_key_file', privateKey });
  }
  return keys;
}
