// SPDX-License-Identifier: Apache-2.0
// Time that passes only when a test says so: a wall clock that can be set, a monotonic clock, and
// timers that run in order. Used by the tests beside it.

import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../../src/certificates/clock.js';

const patienceMs = 20_000; // For work of a timer that really touches files.

export class FakeClock implements Clock {
  wallMs: number;
  #monotonicMs = 1_000;
  #timers: { atMs: number; run: () => void }[] = [];

  constructor(wallMs: number) {
    this.wallMs = wallMs;
  }

  nowMs(): number {
    return this.wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#monotonicMs + delayMs, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  get timerCount(): number {
    return this.#timers.length;
  }

  /**
   * Lets time pass on both clocks. After each timer waits until there is a timer again: what runs
   * for ever plans its next round when it has done its work.
   */
  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    for (;;) {
      this.#timers.sort((a, b) => a.atMs - b.atMs);
      const [next] = this.#timers;
      if (next === undefined || next.atMs > endMs) break;
      this.#timers.shift();
      this.#pass(next.atMs - this.#monotonicMs);
      next.run();
      await until(() => this.#timers.length > 0, 'no timer is planned any more');
    }
    this.#pass(endMs - this.#monotonicMs);
  }

  #pass(ms: number): void {
    this.wallMs += Math.max(0, ms);
    this.#monotonicMs += Math.max(0, ms);
  }
}

/** Waits for something that really happens, in another thread or process. */
export async function until(isTrue: () => boolean, otherwise: string): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!isTrue()) {
    if (performance.now() > endMs) throw new Error(otherwise);
    await setImmediate();
  }
}
