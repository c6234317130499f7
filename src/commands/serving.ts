// SPDX-License-Identifier: Apache-2.0
// The running service that an operator's command means (service-choice.ts says which those may be).
// Used by the commands that talk to a running service.

import { reasonOf, StartError } from '../base/start-error.js';
import type { CommandOptions } from '../config/layers.js';
import { serviceRunDir } from '../daemon/run-directory.js';
import { isRunning, type RunState } from '../daemon/run-record.js';
import { serviceStateDir } from './installed-service.js';
import { type Candidate, candidates, sayWhich } from './service-choice.js';
import { recordIn, ServiceDirectory } from './service-directory.js';
import { configurationOptions } from './usage.js';

/** The options that say which service is meant. */
export function servingOptions(): ReturnType<typeof configurationOptions> {
  const { config, 'state-dir': stateDir } = configurationOptions();
  return { config, 'state-dir': stateDir } as ReturnType<typeof configurationOptions>;
}

export const servingHelp = `  --state-dir DIR     the state directory of the serving process
  --config FILE       configuration file that names it`;

export interface Serving {
  /** Still open, with the rights that the command had. */
  directory: ServiceDirectory;
  state: RunState;
}

/** Of all places; what cannot be looked at is told when nothing else is found. */
class Places {
  readonly paths: readonly string[];
  readonly #found: (Serving & { candidate: Candidate })[] = [];
  readonly #refusals: string[] = [];

  /** `alsoRun`: a service that cannot write its state is looked for where run-directory.ts puts it. */
  constructor(options: CommandOptions, alsoRun: boolean) {
    const all = candidates(options);
    const installed = all.find(({ stateDir }) => stateDir === serviceStateDir);
    if (alsoRun && installed !== undefined) all.push({ ...installed, stateDir: serviceRunDir });
    this.paths = all.map(({ stateDir }) => stateDir);
    for (const candidate of all) this.#look(candidate);
  }

  /** The first that is wanted; the others are closed. Throws StartError with the words for none. */
  take(none: string, ...wanted: ((state: RunState) => boolean)[]): Serving {
    const taken = wanted
      .map((isWanted) => this.#found.find(({ state }) => isWanted(state)))
      .find((serving) => serving !== undefined);
    for (const serving of this.#found) if (serving !== taken) serving.directory.close();
    if (taken === undefined) throw new StartError(this.#refusals[0] ?? none);
    sayWhich(taken.candidate, isRunning(taken.state));
    return taken;
  }

  #look(candidate: Candidate): void {
    let directory: ServiceDirectory | undefined;
    try {
      directory = ServiceDirectory.open(candidate.stateDir);
      const state = directory && recordIn(directory);
      if (directory !== undefined && state !== undefined)
        this.#found.push({ directory, state, candidate });
      else directory?.close();
    } catch (error) {
      directory?.close();
      this.#refusals.push(reasonOf(error));
    }
  }
}

/** The running service. Throws StartError when there is none. */
export function findServing(options: CommandOptions): Serving {
  const places = new Places(options, true);
  const where = places.paths.join(' nor ');
  const none = `nothing serves with the state directory ${where}; give its --state-dir`;
  return places.take(none, isRunning);
}

/**
 * The running service, for a command that asks it and needs nothing of root's: from here on it has
 * the rights of the service's user alone. Throws StartError when there is none.
 */
export function enterServing(options: CommandOptions): Serving {
  const serving = findServing(options);
  serving.directory.becomeOwner();
  return serving;
}

/** The service in the same directory, which may be another process by now. Throws StartError. */
export function servingIn(directory: ServiceDirectory): Serving {
  const state = recordIn(directory);
  if (state !== undefined && isRunning(state)) return { directory, state };
  throw new StartError(`nothing serves with the state directory ${directory.path}`);
}

/** The same as enterServing() for a service that may have ended: the directory of the running one, else of one before. */
export function enterStateDir(options: CommandOptions): ServiceDirectory {
  const places = new Places(options, false);
  const where = places.paths.join(' nor ');
  const none = `nothing has ever served with the state directory ${where}; start it first`;
  const { directory } = places.take(none, isRunning, () => true);
  directory.becomeOwner();
  return directory;
}
