// SPDX-License-Identifier: Apache-2.0
// Time on a device that may not have a clock: wall clock, monotonic clock and timers behind one
// interface that tests replace; what "now" means before the clock was set; and a watch that notices
// when the wall clock jumps. Used by every file here that compares dates.

export interface Clock {
  /** Milliseconds since 1970, as the device believes. */
  nowMs(): number;
  /** Milliseconds since some start; never set, never back. */
  monotonicMs(): number;
  /** Calls `run` once after `delayMs`; the answer cancels it. Does not keep the process alive. */
  after(delayMs: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

export const secondMs = 1_000;
export const minuteMs = 60 * secondMs;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

/** A clock before the build of this program has not been set yet: it can judge no date. */
export function isClockSet(nowMs: number, buildDateMs: number): boolean {
  return nowMs >= buildDateMs;
}

/** The best guess of the date: never before the build. New certificates begin here. */
export function referenceMs(nowMs: number, buildDateMs: number): number {
  return Math.max(nowMs, buildDateMs);
}

const jumpThresholdMs = 2 * minuteMs;

/** Compares how far the two clocks went; time sync slews far less than the threshold. */
export class ClockWatch {
  readonly #clock: Clock;
  #offsetMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offsetMs = this.#readOffsetMs();
  }

  /** How far the wall clock jumped since the last call (negative: back); 0 when it did not. */
  takeJumpMs(): number {
    const offsetMs = this.#readOffsetMs();
    const jumpMs = offsetMs - this.#offsetMs;
    this.#offsetMs = offsetMs; // Slow drift is followed, so that it never adds up to a jump.
    return Math.abs(jumpMs) >= jumpThresholdMs ? jumpMs : 0;
  }

  #readOffsetMs(): number {
    return this.#clock.nowMs() - this.#clock.monotonicMs();
  }
}
