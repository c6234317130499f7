// SPDX-License-Identifier: Apache-2.0
// A day of figures, in memory alone: nothing is written to flash for them. Filled by system.ts.

import type { HistoryDocument, HistorySample } from './document.js';

/** A day in pieces of five minutes: 288 samples of six numbers, some tens of KiB at most. */
export const historyBounds = { periodMs: 300_000, samplesMax: 288 } as const;

/** Counters of the service; they begin anew with it, as the history does. */
export interface Transferred {
  sentBytes: number;
  receivedBytes: number;
}

export class History {
  readonly #samples: HistorySample[] = [];
  #before: { transferred: Transferred; atMs: number } | undefined;

  /** `atMs` by a clock that never goes back. */
  add(
    sample: Omit<HistorySample, 'sentBytesPerS' | 'receivedBytesPerS'>,
    transferred: Transferred,
    atMs: number,
  ): void {
    const before = this.#before;
    this.#before = { transferred, atMs };
    const perS = (name: keyof Transferred): number | null => {
      if (before === undefined || atMs <= before.atMs) return null;
      const bytes = transferred[name] - before.transferred[name];
      return Math.max(Math.round((bytes * 1000) / (atMs - before.atMs)), 0);
    };
    const sentBytesPerS = perS('sentBytes');
    this.#samples.push({ ...sample, sentBytesPerS, receivedBytesPerS: perS('receivedBytes') });
    if (this.#samples.length > historyBounds.samplesMax) this.#samples.shift();
  }

  get document(): HistoryDocument {
    return { periodMs: historyBounds.periodMs, samples: this.#samples };
  }
}
