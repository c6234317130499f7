// SPDX-License-Identifier: Apache-2.0
// A clock that goes only when the test says so, for what takes a Clock of supervision/watchdog.ts.

import type { Clock } from '../../../src/supervision/watchdog.js';

export class TestClock implements Clock {
  #nowMs = 1_000_000;
  #calls: { atMs: number; call: () => void }[] = [];

  readonly nowMs = (): number => this.#nowMs;

  readonly after = (ms: number, call: () => void): (() => void) => {
    const entry = { atMs: this.#nowMs + ms, call };
    this.#calls.push(entry);
    return () => {
      this.#calls = this.#calls.filter((other) => other !== entry);
    };
  };

  get waiting(): number {
    return this.#calls.length;
  }

  /** Goes on, and calls in order what is due; `isLate`: as after a blocked loop, all at the end. */
  async advance(ms: number, isLate = false): Promise<void> {
    const endMs = this.#nowMs + ms;
    if (isLate) this.#nowMs = endMs;
    for (;;) {
      const next = this.#calls
        .filter(({ atMs }) => atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#calls = this.#calls.filter((other) => other !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.call();
      // What the call has begun goes on in microtasks.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#nowMs = endMs;
  }
}
