// SPDX-License-Identifier: Apache-2.0
// `swupdate-progress`, which tells what SWUpdate's daemon does, whoever began it: it sleeps in the
// daemon's socket, connects again by itself, and does not end. What it prints is cut into the three
// things that matter here. Used by swupdate.ts.

import { reasonOf } from '../../base/start-error.js';
import { runProgram } from '../program.js';

export type Result = 'SUCCESS' | 'FAILURE';

export interface ProgressEvents {
  /** The daemon has begun, or is within a step, so far in all. */
  onStep(percent: number): void;
  onResult(result: Result): void;
  /** There is no such program; or it has ended, and is started again. */
  onEnd(reason: string): void;
}

/** What it writes itself of a result stays in its buffer; the output of a command does not. */
const command = ['swupdate-progress', '-e', 'echo result'];
const resultLine = /^result (SUCCESS|FAILURE)$/;
/** Such as "[ ====  ] 1 of 2 40% (rootfs.img), dwl 0% of 0 bytes". */
const stepLine = /\] *(\d+) of (\d+) +(\d+)%/;
const retryMsDefault = 60_000;

export class SwupdateProgress {
  readonly #events: ProgressEvents;
  readonly #retryMs: number;
  readonly #ended = new AbortController();
  #startedMs: number | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(events: ProgressEvents, retryMs = retryMsDefault) {
    this.#events = events;
    this.#retryMs = retryMs;
  }

  /** When it was started last; undefined: it does not run. */
  get startedMs(): number | undefined {
    return this.#startedMs;
  }

  /** Idempotent while it runs. */
  start(): void {
    if (this.#startedMs !== undefined || this.#ended.signal.aborted) return;
    this.#startedMs = performance.now();
    void this.#run();
  }

  /** Idempotent. */
  close(): void {
    this.#ended.abort();
    clearTimeout(this.#retry);
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    let reason = 'swupdate-progress has ended';
    clearTimeout(this.#retry);
    try {
      await runProgram(command, { onLine: (line) => this.#take(line), signal });
      this.#retry = setTimeout(() => this.start(), this.#retryMs).unref();
    } catch (error) {
      reason = reasonOf(error);
    }
    this.#startedMs = undefined;
    if (!signal.aborted) this.#events.onEnd(reason);
  }

  #take(line: string): void {
    const result = resultLine.exec(line)?.[1];
    if (result !== undefined) this.#events.onResult(result as Result);
    const [, step, steps, percent] = stepLine.exec(line)?.map(Number) ?? [];
    if (step === undefined || steps === undefined || percent === undefined) return;
    const all = steps < 1 ? 0 : ((step - 1) * 100 + percent) / steps;
    this.#events.onStep(Math.min(Math.max(Math.round(all), 0), 100));
  }
}
