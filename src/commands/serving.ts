// SPDX-License-Identifier: Apache-2.0
// Which service an operator's command means: the one whose state directory the configuration names,
// else the one of the unit, which an operator's shell has no variable for. Used by the commands that
// talk to a running service.

import { loadConfiguration } from '../config/configuration.js';
import type { CommandOptions } from '../config/layers.js';
import { isRunning, type RunState, readRunState } from '../run-record.js';
import { StartError } from '../start-error.js';
import { configurationOptions } from './usage.js';

/** Where the service of systemd/ keeps its state. */
export const serviceStateDir = '/var/lib/spliced';

/** The options that say which service is meant. */
export function servingOptions(): ReturnType<typeof configurationOptions> {
  const { config, 'state-dir': stateDir } = configurationOptions();
  return { config, 'state-dir': stateDir } as ReturnType<typeof configurationOptions>;
}

export const servingHelp = `  --state-dir DIR     the state directory of the serving process
  --config FILE       configuration file that names it`;

function placesOf({ config, 'state-dir': stateDir }: CommandOptions): string[] {
  const given: CommandOptions = {};
  if (config !== undefined) given.config = config;
  if (stateDir !== undefined) given['state-dir'] = stateDir;
  const { configuration } = loadConfiguration(given);
  const isNamed = stateDir !== undefined;
  return [...new Set([configuration.stateDir, ...(isNamed ? [] : [serviceStateDir])])];
}

export interface Serving {
  stateDir: string;
  state: RunState;
}

function findIn(places: readonly string[], isWanted: (state: RunState) => boolean) {
  for (const stateDir of places) {
    const state = readRunState(stateDir);
    if (state !== undefined && isWanted(state)) return { stateDir, state };
  }
  return undefined;
}

/** The running service. Throws StartError when there is none. */
export function findServing(options: CommandOptions): Serving {
  const places = placesOf(options);
  const found = findIn(places, isRunning);
  if (found !== undefined) return found;
  const where = places.join(' nor ');
  throw new StartError(`nothing serves with the state directory ${where}; give its --state-dir`);
}

/** The state directory of the running service, else of one that has served. Throws StartError. */
export function findStateDir(options: CommandOptions): string {
  const places = placesOf(options);
  const found = findIn(places, isRunning) ?? findIn(places, () => true);
  if (found !== undefined) return found.stateDir;
  const where = places.join(' nor ');
  throw new StartError(`nothing has ever served with the state directory ${where}; start it first`);
}
