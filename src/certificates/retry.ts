// SPDX-License-Identifier: Apache-2.0
// When an enrolment is tried again: pauses that double up to a bound, with jitter, so that a
// thousand devices do not come back at once. The count survives a restart in a small file whose
// loss only means an earlier attempt. Used by enrolment.ts.

import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeDirectory } from '../files/durable.js';
import type { Housekeeper } from '../files/housekeeping.js';
import { readOrdinaryText } from '../files/ordinary-file.js';
import { replaceFile } from '../files/replace-file.js';
import { type Clock, hourMs, isClockSet, minuteMs } from './clock.js';

const pauseMsMin = minuteMs;
const pauseMsMax = 12 * hourMs;

/** The pause after so many failures in a row: between half of it and all of it, by `random` in [0, 1). */
export function pauseMs(failures: number, random: number): number {
  const wholeMs = Math.min(pauseMsMin * 2 ** Math.min(failures - 1, 20), pauseMsMax);
  return wholeMs * (0.5 + random / 2);
}

interface Saved {
  failures: number;
  /** By the wall clock, for another process; 0: it was not set. */
  nextMs: number;
}

export interface RetryParts {
  clock: Clock;
  buildDateMs: number;
  housekeeping: Housekeeper;
}

export class Retry {
  readonly #path: string;
  readonly #housekeeping: Housekeeper;
  readonly #clock: Clock;
  readonly #buildDateMs: number;
  readonly #random: () => number;
  #failures = 0;
  #nextMonotonicMs = 0;

  /**
   * Reads what an earlier process left; a file that is no good counts as none. Of one that cannot be
   * written `housekeeping` is told: the pauses hold all the same, in this process.
   */
  constructor(
    path: string,
    { clock, buildDateMs, housekeeping }: RetryParts,
    random: () => number = Math.random,
  ) {
    this.#path = path;
    this.#housekeeping = housekeeping;
    this.#clock = clock;
    this.#buildDateMs = buildDateMs;
    this.#random = random;
    const saved = readSaved(path);
    if (saved === undefined) return;
    this.#failures = saved.failures;
    // The wall clock may have changed meanwhile: never wait longer than a pause can be.
    const canTell = saved.nextMs > 0 && isClockSet(clock.nowMs(), buildDateMs);
    const leftMs = canTell ? saved.nextMs - clock.nowMs() : pauseMs(this.#failures, random());
    this.#nextMonotonicMs = clock.monotonicMs() + Math.min(Math.max(leftMs, 0), pauseMsMax);
  }

  isDue(): boolean {
    return this.#clock.monotonicMs() >= this.#nextMonotonicMs;
  }

  /** Try at the next occasion; the count of failures stays. */
  hurry(): void {
    this.#nextMonotonicMs = 0;
  }

  async failed(): Promise<void> {
    this.#failures += 1;
    await this.#wait(pauseMs(this.#failures, this.#random()));
  }

  /** The authority asked us to come back later. */
  async postponed(delayMs: number): Promise<void> {
    await this.#wait(delayMs);
  }

  async succeeded(): Promise<void> {
    this.#failures = 0;
    this.#nextMonotonicMs = 0;
    await this.#keep(() => rm(this.#path, { force: true }));
  }

  async #wait(delayMs: number): Promise<void> {
    this.#nextMonotonicMs = this.#clock.monotonicMs() + delayMs;
    const nowMs = this.#clock.nowMs();
    const nextMs = isClockSet(nowMs, this.#buildDateMs) ? nowMs + delayMs : 0;
    const saved: Saved = { failures: this.#failures, nextMs };
    await this.#keep(async () => {
      await makeDirectory(dirname(this.#path));
      await replaceFile(this.#path, JSON.stringify(saved));
    });
  }

  async #keep(work: () => Promise<void>): Promise<void> {
    await this.#housekeeping.keep('storing the date of the next enrolment', work);
  }
}

function readSaved(path: string): Saved | undefined {
  try {
    const { failures, nextMs } = JSON.parse(readOrdinaryText(path)) as Saved;
    const isGood = Number.isSafeInteger(failures) && failures >= 0 && Number.isFinite(nextMs);
    return isGood ? { failures, nextMs } : undefined;
  } catch {
    return undefined;
  }
}
