// SPDX-License-Identifier: Apache-2.0
// Writing, tidying and reading the service's own files (the state directory with its records, stores
// and sockets). A task that fails is logged, shown in the status, and tried again after pauses that
// double up to a bound. No such failure may stop the service: it serves with the files that it has. Made by daemon.ts; every room that writes gets it as a Housekeeper.

import { reasonOf } from '../base/start-error.js';
import type { Log } from '../log/log.js';

export interface Trouble {
  /** What could not be done, in a few words: "writing service.json". */
  what: string;
  /** The system's words, with the errno and the path. */
  reason: string;
}

/** What a room may do. None of it throws. */
export interface Housekeeper {
  /**
   * Does the work now (a synchronous part before this returns), and after a failure again and again
   * until it succeeds or other work of the same name takes its place. Resolves with the outcome of
   * the first attempt.
   */
  keep(what: string, work: () => unknown): Promise<boolean>;
  /** Says that something failed which its owner tries again by itself. */
  failed(what: string, error: unknown): void;
  /** It has been done, or is not wanted any more. */
  settled(what: string): void;
}

/** Names are the program's own and few; the bound holds should one ever be made of data. */
const troublesMax = 32;
const pauseMsMin = 5_000;
const pauseMsMax = 600_000;

/** The pause after so many failures in a row. */
export const pauseMsAfter = (failures: number): number =>
  Math.min(pauseMsMin * 2 ** Math.min(failures - 1, 20), pauseMsMax);

export interface HousekeepingParts {
  log: Pick<Log, 'warn' | 'info'>;
  /** Timers of the system, or as tests have them. The answer cancels. */
  clock: { after(delayMs: number, run: () => void): () => void };
}

interface Task {
  reason: string;
  failures: number;
  /** Undefined: its owner tries again. */
  cancel: (() => void) | undefined;
}

export class Housekeeping implements Housekeeper {
  readonly #parts: HousekeepingParts;
  readonly #tasks = new Map<string, Task>();
  /** Which work of a name is the last one. */
  readonly #turns = new Map<string, number>();
  #onChange: ((troubles: readonly Trouble[]) => void) | undefined;
  #isClosed = false;

  constructor(parts: HousekeepingParts) {
    this.#parts = parts;
  }

  troubles(): Trouble[] {
    return [...this.#tasks].map(([what, { reason }]) => ({ what, reason }));
  }

  /** Calls `onChange` now and after each change. The answer ends that. */
  watch(onChange: (troubles: readonly Trouble[]) => void): () => void {
    this.#onChange = onChange;
    onChange(this.troubles());
    return () => {
      this.#onChange = undefined;
    };
  }

  keep(what: string, work: () => unknown): Promise<boolean> {
    const turn = (this.#turns.get(what) ?? 0) + 1;
    this.#turns.set(what, turn);
    this.#tasks.get(what)?.cancel?.();
    return this.#attempt(what, work, turn);
  }

  failed(what: string, error: unknown): void {
    this.#note(what, error);
  }

  settled(what: string): void {
    const task = this.#tasks.get(what);
    if (task === undefined) return;
    task.cancel?.();
    this.#tasks.delete(what);
    this.#parts.log.info({ event: 'housekeeping_done', what });
    this.#onChange?.(this.troubles());
  }

  /** Nothing is tried any more. Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const { cancel } of this.#tasks.values()) cancel?.();
  }

  async #attempt(what: string, work: () => unknown, turn: number): Promise<boolean> {
    let failure: { error: unknown } | undefined;
    try {
      const outcome = work();
      if (outcome instanceof Promise) await outcome;
    } catch (error) {
      failure = { error };
    }
    const isLast = this.#turns.get(what) === turn;
    if (!isLast) return failure === undefined;
    if (failure === undefined) {
      this.settled(what);
      return true;
    }
    const task = this.#note(what, failure.error);
    if (task === undefined || this.#isClosed) return false;
    task.cancel = this.#parts.clock.after(pauseMsAfter(task.failures), () => {
      if (this.#turns.get(what) === turn) void this.#attempt(what, work, turn);
    });
    return false;
  }

  #note(what: string, error: unknown): Task | undefined {
    const reason = reasonOf(error);
    const before = this.#tasks.get(what);
    before?.cancel?.();
    if (before === undefined && this.#tasks.size >= troublesMax) return undefined;
    const task: Task = { reason, failures: (before?.failures ?? 0) + 1, cancel: undefined };
    this.#tasks.set(what, task);
    if (before?.reason === reason) return task; // Said already.
    const advice = 'the service goes on without it and tries it again';
    this.#parts.log.warn({ event: 'housekeeping_failed', what, reason, advice });
    this.#onChange?.(this.troubles());
    return task;
  }
}

/** For commands and tests: what fails is neither told nor tried again. */
export const noHousekeeping: Housekeeper = {
  keep: async (_what, work) => {
    try {
      await work();
      return true;
    } catch {
      return false;
    }
  },
  failed: () => {},
  settled: () => {},
};
