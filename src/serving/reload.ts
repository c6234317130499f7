// SPDX-License-Identifier: Apache-2.0
// Reload (SIGHUP) as a transaction: read and check everything, let every participant prepare, then
// commit; what fails on the way is rolled back and the service goes on as it was. Requests that come
// while one is under way become one more. Owned by daemon.ts, which names the participants.

import { reasonOf, StartError } from '../base/start-error.js';
import { ConfigurationError, type LoadedConfiguration } from '../config/configuration.js';
import type { Problem } from '../config/layers.js';
import type { Log } from '../log/log.js';
import type { Supervisor } from '../supervision/systemd.js';

export interface Prepared {
  /** Puts the new values into effect. Should it throw, those before it are rolled back. */
  commit(): void;
  /** Takes back what commit did. */
  rollBack(): void;
}

/** A room whose part of the configuration can change while it runs. */
export interface Participant {
  /** Reads and checks what it needs, and changes nothing yet. A refusal is a StartError. */
  prepare(next: LoadedConfiguration): Prepared | Promise<Prepared>;
}

export interface ReloadParts {
  /** What the process was started with. */
  running: LoadedConfiguration;
  load: () => LoadedConfiguration;
  /** Findings about the system that forbid the change. */
  check: (next: LoadedConfiguration) => Problem[] | Promise<Problem[]>;
  participants: Participant[];
  supervisor: Pick<Supervisor, 'reloading' | 'ready'>;
  /** The state of the service in words, after a reload that was refused with so many errors. */
  status: (refusedErrors: number) => string;
  log: Log;
}

/** What a reload did. With errors it changed nothing. */
export interface ReloadOutcome {
  errors: readonly Problem[];
  /** Keys that differ from before, by what became of them. */
  applied: string[];
  restartRequired: string[];
}

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Keys whose values differ, by what a reload does for them. */
export function changedKeys(
  running: LoadedConfiguration,
  next: LoadedConfiguration,
): { live: string[]; restart: string[] } {
  const changed = [...next.settings.values()].filter(
    ({ key, value }) => !isSame(value, running.settings.get(key)?.value),
  );
  return {
    live: changed.filter(({ setting }) => setting.isLive).map(({ key }) => key),
    restart: changed.filter(({ setting }) => !setting.isLive).map(({ key }) => key),
  };
}

/** What runs after a commit: new values where they are live, the old ones where a restart is due. */
function merge(running: LoadedConfiguration, next: LoadedConfiguration): LoadedConfiguration {
  const settings = new Map(next.settings);
  for (const [key, old] of running.settings) if (!old.setting.isLive) settings.set(key, old);
  return { ...next, settings };
}

function commitAll(prepared: Prepared[]): void {
  const done: Prepared[] = [];
  try {
    for (const part of prepared) {
      part.commit();
      done.unshift(part);
    }
  } catch (error) {
    for (const part of done) part.rollBack();
    throw error;
  }
}

function findingsOf(error: unknown): readonly Problem[] {
  if (error instanceof ConfigurationError) return error.findings;
  const lines = error instanceof StartError ? error.lines() : [reasonOf(error)];
  return lines.map((text) => ({ text }));
}

export class Reloader {
  readonly #parts: ReloadParts;
  #running: LoadedConfiguration;
  #waiting: readonly string[] = [];
  #active: Promise<ReloadOutcome | undefined> | undefined;
  #isAskedAgain = false;
  #isClosed = false;

  constructor(parts: ReloadParts) {
    this.#parts = parts;
    this.#running = parts.running;
  }

  /** What is in effect. */
  get running(): LoadedConfiguration {
    return this.#running;
  }

  /** Keys whose new value was read by a reload, and needs a restart. */
  get waiting(): readonly string[] {
    return this.#waiting;
  }

  /**
   * Settles when this request, or the one that stands for it, is over. Never rejects. Undefined: the
   * service stops, and nothing is changed any more.
   */
  request(): Promise<ReloadOutcome | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined);
    this.#isAskedAgain = true;
    this.#active ??= this.#work();
    return this.#active;
  }

  /** From now on nothing is changed any more: the service stops. */
  close(): void {
    this.#isClosed = true;
  }

  async #work(): Promise<ReloadOutcome | undefined> {
    const { supervisor, log, status } = this.#parts;
    let outcome: ReloadOutcome | undefined;
    while (this.#isAskedAgain && !this.#isClosed) {
      this.#isAskedAgain = false;
      await supervisor.reloading();
      try {
        outcome = await this.#reload();
      } catch (error) {
        // Whatever it is: the service goes on with what it has.
        const errors = findingsOf(error);
        log.error({ event: 'reload_failed', errors: errors.map(({ text }) => text) });
        outcome = { errors, applied: [], restartRequired: [] };
      }
      if (!this.#isClosed) await supervisor.ready(status(outcome?.errors.length ?? 0));
    }
    this.#active = undefined;
    return outcome;
  }

  async #reload(): Promise<ReloadOutcome | undefined> {
    const { load, check, participants, log } = this.#parts;
    const next = load();
    const findings = await check(next);
    if (findings.length > 0) throw new ConfigurationError(findings);
    const prepared = await Promise.all(participants.map((part) => part.prepare(next)));
    if (this.#isClosed) return undefined;
    commitAll(prepared);
    const { live, restart } = changedKeys(this.#running, next);
    this.#running = merge(this.#running, next);
    this.#waiting = restart;
    for (const warning of next.warnings) log.warn({ event: 'configuration_warning', warning });
    log.info({ event: 'reloaded', applied: live, restart_required: restart });
    return { errors: [], applied: live, restartRequired: restart };
  }
}
