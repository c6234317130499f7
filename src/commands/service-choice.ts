// SPDX-License-Identifier: Apache-2.0
// Which service a command addresses when the user has not named one. In this order:
//   1. the state directory that --state-dir, SPLICED_STATE_DIR or a named configuration file gives,
//      and no other;
//   2. of the following services one that runs, else one that has run, else the first: that of the
//      checkout which this program is part of and which is the current directory; the installed
//      service; the one whose directory /etc/spliced/spliced.toml names;
//   3. else ./state, which "spliced serve" would use here.
// So the current directory does not matter on a device that has the service. Used by serving.ts and
// by the commands that look at files.

import { existsSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import {
  type CommandOptions,
  ConfigurationError,
  type LoadedConfiguration,
  type LoadSources,
  loadConfiguration,
} from '../config/configuration.js';
import { configVariable } from '../config/files.js';
import { isRunning, type RunState } from '../daemon/run-record.js';
import {
  type InstalledService,
  installedService,
  serviceStateDir,
  useCredentials,
} from './installed-service.js';
import { recordIn, ServiceDirectory } from './service-directory.js';

export interface Candidate {
  stateDir: string;
  /** For words: "the installed service". */
  name: string;
  /** Named by the operator: nothing has to be said about it. */
  isNamed: boolean;
  /** How its configuration is read. */
  sources: LoadSources;
}

const stateVariable = 'SPLICED_STATE_DIR';

/** The directory of the checkout that this program is part of; undefined: it is a package's. */
function ownCheckout(): string | undefined {
  const program = process.argv[1];
  if (program === undefined) return undefined;
  try {
    const directory = dirname(dirname(realpathSync(program)));
    return existsSync(join(directory, 'scripts/start.mjs')) ? directory : undefined;
  } catch {
    return undefined;
  }
}

interface Configured {
  stateDir: string;
  /** Who gave it: the operator, the device's own file, or nobody. */
  from: 'name' | 'file' | 'none';
}

/** The state directory of the files, variables and options. Throws ConfigurationError. */
function configured({ config, 'state-dir': stateDir }: CommandOptions): Configured {
  const given: CommandOptions = {};
  if (config !== undefined) given.config = config;
  if (stateDir !== undefined) given['state-dir'] = stateDir;
  const isFileNamed = config !== undefined || process.env[configVariable] !== undefined;
  try {
    const { configuration, settings } = loadConfiguration(given);
    const kind = settings.get('state_dir')?.origin.kind ?? 'default';
    const isNamed = kind === 'option' || kind === 'environment' || (kind === 'file' && isFileNamed);
    const from = isNamed ? 'name' : kind === 'file' ? 'file' : 'none';
    return { stateDir: configuration.stateDir, from };
  } catch (error) {
    if (!(error instanceof ConfigurationError) || isFileNamed) throw error;
    // A mistake in the device's own configuration must not keep anybody from the service that runs.
    const named = stateDir ?? process.env[stateVariable];
    const from = named === undefined ? 'none' : 'name';
    return { stateDir: resolve(String(named ?? 'state')), from };
  }
}

/** Where the installed service keeps its state: its variable, its file, else what our unit says. */
function stateOfInstalled({ env: own, directory }: InstalledService) {
  const env = { ...own, ...process.env };
  let place = own[stateVariable];
  try {
    const { configuration, settings } = loadConfiguration({}, { env, directory });
    if (settings.get('state_dir')?.origin.kind === 'file') place ??= configuration.stateDir;
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error; // Told by load().
  }
  place ??= serviceStateDir;
  return { place, sources: { env: { ...env, [stateVariable]: place }, directory } };
}

/** At least one. Throws ConfigurationError. */
export function candidates(options: CommandOptions): Candidate[] {
  const { stateDir, from } = configured(options);
  const plain = { stateDir, isNamed: false, sources: {} };
  if (from === 'name') return [{ ...plain, name: 'the service', isNamed: true }];
  const installed = installedService();
  const found: Candidate[] = [];
  // One that has never served says nothing beside the service of the device.
  const isOwn = from === 'none' && ownCheckout() === process.cwd();
  if (isOwn && (installed === undefined || existsSync(stateDir))) {
    found.push({ ...plain, name: 'the service of this checkout' });
  }
  if (installed !== undefined) {
    const { place, sources } = stateOfInstalled(installed);
    found.push({ stateDir: place, name: 'the installed service', isNamed: false, sources });
  }
  if (from === 'file' && !found.some((other) => other.stateDir === stateDir)) {
    found.push({ ...plain, name: 'the service of the configuration' });
  }
  if (found.length === 0) found.push({ ...plain, name: 'the service of this directory' });
  return found;
}

function stateOf({ stateDir }: Candidate): RunState | undefined {
  let directory: ServiceDirectory | undefined;
  try {
    directory = ServiceDirectory.open(stateDir);
    return directory && recordIn(directory);
  } catch {
    return undefined; // Told by whoever goes there.
  } finally {
    directory?.close();
  }
}

export interface Choice extends Candidate {
  isRunning: boolean;
  /** Its configuration with the command's options. Throws ConfigurationError. */
  load(): LoadedConfiguration;
}

let isSaid = false;

/** One line on standard error, once in a process, so that standard output stays for programs. */
export function sayWhich({ name, stateDir, isNamed }: Candidate, runs: boolean): void {
  if (isNamed || isSaid) return;
  isSaid = true;
  const state = runs ? 'which runs' : 'which does not run';
  process.stderr.write(`spliced: about ${name}, ${state}; its state is in ${stateDir}\n`);
}

/** With everything that is wrong, not only with what names the service. */
function candidatesOrAll(options: CommandOptions): Candidate[] {
  try {
    return candidates(options);
  } catch (error) {
    if (error instanceof ConfigurationError) loadConfiguration(options);
    throw error;
  }
}

/**
 * The service whose files and configuration a command looks at, and says so; `isQuiet` where what was
 * given says enough. Throws ConfigurationError.
 */
export function chooseService(options: CommandOptions, isQuiet = false): Choice {
  const seen = candidatesOrAll(options).map((candidate) => ({
    candidate,
    state: stateOf(candidate),
  }));
  const chosen =
    seen.find(({ state }) => state !== undefined && isRunning(state)) ??
    seen.find(({ state }) => state !== undefined) ??
    (seen[0] as (typeof seen)[number]);
  const { candidate, state } = chosen;
  const runs = state !== undefined && isRunning(state);
  if (!isQuiet) sayWhich(candidate, runs);
  if (candidate.sources.directory !== undefined) useCredentials();
  return {
    ...candidate,
    isRunning: runs,
    load: () => loadConfiguration(options, candidate.sources),
  };
}
