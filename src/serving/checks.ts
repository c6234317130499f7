// SPDX-License-Identifier: Apache-2.0
// What the configuration needs from the system, looked at without changing anything: a directory to
// serve, certificate files that fit, clients' CAs, a place for the
// state. Called by `config check` and before a
// reload; a start finds the same by doing it.

import { accessSync, constants, existsSync, opendirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { reasonOf, StartError } from '../base/start-error.js';
import { checkEnrolmentFiles } from '../certificates/enrolment-options.js';
import { checkInstalled, type InstalledOptions, refusalOf } from '../certificates/installed.js';
import { type InstalledPair, unreachablePairs } from '../certificates/overlap.js';
import { formatListenAddress } from '../config/address.js';
import { findingOf, type LoadedConfiguration } from '../config/configuration.js';
import type { Problem } from '../config/layers.js';
import { secureDirectory } from '../files/state-directory.js';
import { readClientCertificates } from './client-certificates.js';
import { unknownGroups } from './tls-groups.js';

function requireDirectory(path: string, mode: number): void {
  if (!statSync(path).isDirectory()) throw new Error(`${path} is not a directory`);
  accessSync(path, mode);
}

function checkRoot(root: string): void {
  try {
    requireDirectory(root, constants.R_OK | constants.X_OK);
    opendirSync(root).closeSync();
  } catch (error) {
    throw new StartError(`--root: cannot be served: ${reasonOf(error)}`);
  }
}

/** The directory, or what is there of the way to it: the start makes the rest. */
function checkStateDir(stateDir: string): void {
  let existing = stateDir;
  while (!existsSync(existing) && existing !== dirname(existing)) existing = dirname(existing);
  try {
    requireDirectory(existing, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new StartError(`--state-dir: cannot be used: ${reasonOf(error)}`);
  }
}

/** `config check` is for the service, whose user root is not. */
function checkStateSafe(stateDir: string): void {
  const own = process.geteuid?.() ?? 0;
  const user = own === 0 ? statSync(stateDir, { throwIfNoEntry: false })?.uid : own;
  try {
    if (user !== undefined) secureDirectory(stateDir, { mend: false, user });
  } catch (error) {
    throw new StartError(`--state-dir: is not safe: ${reasonOf(error)}`);
  }
}

async function checkPair(options: InstalledOptions): Promise<InstalledPair> {
  const checked = await checkInstalled(options, Date.now(), SPLICED_BUILD_DATE_MS);
  if (checked.pair === undefined) throw new StartError(refusalOf(options, checked));
  return { options, certificate: checked.pair.certificates[0] };
}

/** Why this device cannot listen there, whoever has the port; undefined when it can. */
function addressTrouble(address: string): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (error) => resolve(reasonOf(error)));
    server.listen({ host: address, port: 0, exclusive: true }, () => {
      server.close(() => resolve(undefined));
    });
  });
}

/**
 * Findings about addresses that this device does not have. Not for a reload, which binds nothing: an
 * interface that is down must not keep certificates from being renewed.
 */
export async function checkPlaces(loaded: LoadedConfiguration): Promise<Problem[]> {
  const { listeners, httpListeners } = loaded.configuration;
  const lines: string[] = [];
  for (const [setting, places] of Object.entries({
    listen: listeners,
    listen_http: httpListeners,
  })) {
    for (const place of places) {
      const trouble = await addressTrouble(place.address);
      if (trouble === undefined) continue;
      lines.push(`${setting}: cannot listen on ${formatListenAddress(place)}: ${trouble}`);
    }
  }
  return lines.map((line) => findingOf(line, loaded));
}

/**
 * Findings about the program that installs updates. Not for a reload either: an update can wait,
 * certificates cannot.
 */
export function checkUpdateProgram(loaded: LoadedConfiguration): Problem[] {
  const { adapter, command } = loaded.configuration.update;
  const [program] = command;
  if (adapter !== 'command' || program === undefined) return [];
  const trouble = programTrouble(program);
  if (trouble === undefined) return [];
  return [findingOf(`update.command: ${program}: ${trouble}`, loaded)];
}

function programTrouble(path: string): string | undefined {
  try {
    if (!statSync(path).isFile()) return 'it is no program';
    accessSync(path, constants.X_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such program';
    return code === 'EACCES' ? 'it may not be executed' : reasonOf(error);
  }
}

/** Every finding, with the setting's place. Empty: a start would get through. */
export async function checkSystem(loaded: LoadedConfiguration): Promise<Problem[]> {
  const { root, stateDir, installed, enrolment, clientCertificates } = loaded.configuration;
  const isStateNeeded = installed.length === 0 || enrolment !== undefined;
  const pairs: InstalledPair[] = [];
  const checks: (() => void | Promise<void>)[] = [
    () => checkRoot(root),
    () => (isStateNeeded ? checkStateDir(stateDir) : undefined),
    () => checkStateSafe(stateDir),
    ...installed.map((pair) => async () => {
      pairs.push(await checkPair(pair));
    }),
    () => void readClientCertificates(clientCertificates),
    () => void unknownGroups(loaded.configuration),
  ];
  const findings: string[] = [];
  for (const check of checks) {
    try {
      await check();
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      findings.push(...error.lines());
    }
  }
  findings.push(...unreachablePairs(pairs));
  if (enrolment !== undefined) findings.push(...checkEnrolmentFiles(enrolment));
  return findings.map((line) => findingOf(line, loaded));
}
