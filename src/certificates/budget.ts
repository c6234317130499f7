// SPDX-License-Identifier: Apache-2.0
// A bound on how often something may be done that wears the flash: a few times at once, then one
// for each interval, by the monotonic clock. Used by device-source.ts.

import type { Clock } from './clock.js';

export class Budget {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #intervalMs: number;
  #left: number;
  #refilledMs: number;

  /** `most` at once, then one more after each `intervalMs`. */
  constructor(clock: Clock, most: number, intervalMs: number) {
    this.#clock = clock;
    this.#most = most;
    this.#intervalMs = intervalMs;
    this.#left = most;
    this.#refilledMs = clock.monotonicMs();
  }

  /** True when it may be done now; that one is then spent. */
  take(): boolean {
    const passed = Math.floor((this.#clock.monotonicMs() - this.#refilledMs) / this.#intervalMs);
    this.#refilledMs += passed * this.#intervalMs;
    this.#left = Math.min(this.#most, this.#left + passed);
    if (this.#left === 0) return false;
    this.#left -= 1;
    return true;
  }
}
