// SPDX-License-Identifier: Apache-2.0
// What the device says of itself, as the API and the page show it. Types only.

export interface Storage {
  /** What is there: "system" or "data". */
  name: string;
  totalBytes: number;
  /** For who has no privilege. */
  freeBytes: number;
}

export interface SystemDocument {
  hostname: string;
  /** Of the board; null: it does not say. */
  model: string | null;
  /** By os-release(5). */
  firmware: { name: string | null; version: string | null; build: string | null };
  kernel: string;
  /** By the device's clock. */
  time: string;
  uptimeMs: number;
  processor: {
    cores: number;
    /** Since it was asked before; null: not known yet. */
    busyPercent: number | null;
    /** Tasks that run or wait to, over 1, 5 and 15 minutes. */
    load: number[];
  };
  memory: { totalBytes: number; availableBytes: number };
  storage: Storage[];
  /** By sensor, in degrees Celsius. */
  temperatures: { name: string; celsius: number }[];
}

export interface HistorySample {
  /** Its end. */
  time: string;
  /** Means over the sample; null: not known. */
  busyPercent: number | null;
  sentBytesPerS: number | null;
  receivedBytesPerS: number | null;
  /** At its end. */
  memoryUsedPercent: number;
  /** The warmest sensor. */
  celsius: number | null;
}

export interface HistoryDocument {
  periodMs: number;
  /** The oldest first. */
  samples: HistorySample[];
}
