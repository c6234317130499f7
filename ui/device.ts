// SPDX-License-Identifier: Apache-2.0
// Asks the device for its status each second, and through all that may happen to it: it is slow, its
// service is restarted, it boots. Backs off while there is no answer.

import { Refusal, read, Unreachable } from './api.js';
import type { Status } from './documents.js';
import { afterMs, whenVisible } from './wait.js';

export interface DeviceEvents {
  onStatus: (status: Status) => void;
  /** No answer for `lostMs`, and why; the next try is in `retryMs`. */
  onLost: (lostMs: number, retryMs: number, reason: Refusal | Unreachable) => void;
  /** It answers again; `isRestarted`: it is another process than before. */
  onBack: (isRestarted: boolean) => void;
  /** The status needs a credential. The answer says when to ask again. */
  onRefused: (refusal: Refusal) => Promise<void>;
}

const periodMs = 1_000;
const retryMsMin = 1_000;
const retryMsMax = 8_000;

export class Device {
  readonly #events: DeviceEvents;
  #uptimeMs = 0;
  #lostAtMs: number | undefined;
  #retryMs = retryMsMin;
  /** Somebody waits for the device: also a tab that nobody sees asks. */
  isAwaited = false;

  constructor(events: DeviceEvents) {
    this.#events = events;
  }

  /** What is known of it is old. */
  get isLost(): boolean {
    return this.#lostAtMs !== undefined;
  }

  /** As long as the page is there. */
  async watch(): Promise<never> {
    for (;;) {
      if (!this.isAwaited) await whenVisible();
      await afterMs(await this.#askOnce());
    }
  }

  /** The answer is how long to wait. */
  async #askOnce(): Promise<number> {
    try {
      this.#take(await read<Status>('status'));
      return periodMs;
    } catch (error) {
      if (error instanceof Refusal && error.status === 401) {
        this.#answered(false);
        await this.#events.onRefused(error);
        return 0;
      }
      if (error instanceof Refusal || error instanceof Unreachable) return this.#lost(error);
      throw error;
    }
  }

  #lost(reason: Refusal | Unreachable): number {
    const now = performance.now();
    this.#lostAtMs ??= now;
    const waitMs = this.#retryMs;
    this.#retryMs = Math.min(waitMs * 2, retryMsMax);
    this.#events.onLost(now - this.#lostAtMs, waitMs, reason);
    return waitMs;
  }

  #take(status: Status): void {
    const isRestarted = status.uptimeMs < this.#uptimeMs;
    this.#uptimeMs = status.uptimeMs;
    this.#answered(isRestarted);
    this.#events.onStatus(status);
  }

  #answered(isRestarted: boolean): void {
    const wasLost = this.isLost;
    this.#lostAtMs = undefined;
    this.#retryMs = retryMsMin;
    if (wasLost || isRestarted) this.#events.onBack(isRestarted);
  }
}
