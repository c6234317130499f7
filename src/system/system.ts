// SPDX-License-Identifier: Apache-2.0
// The device that the service runs on: who it is, how it does now, and over the last day. Its figures
// are read when somebody asks, and once in five minutes for the history. Made by serving/api.ts.

import { availableParallelism, hostname, loadavg, release, uptime } from 'node:os';
import type { HistoryDocument, SystemDocument } from './document.js';
import { History, historyBounds, type Transferred } from './history.js';
import {
  firmwareOf,
  memoryOf,
  modelOf,
  storageOf,
  type Ticks,
  temperaturesOf,
  ticksOf,
} from './probes.js';

export interface SystemParts {
  /** "/"; a test has a directory of its own. */
  root: string;
  /** Where the service keeps what it must not lose. */
  stateDir: string;
  transferred: () => Transferred;
}

/** Asked more often, the share of the processor is that of the time before: it would be noise. */
const busyMsMin = 500;

/** The share of the processor between two looks. */
class Busy {
  #before: { ticks: Ticks; atMs: number } | undefined;
  #percent: number | null = null;

  take(ticks: Ticks | undefined, atMs: number): number | null {
    const before = this.#before;
    if (ticks === undefined || (before !== undefined && atMs - before.atMs < busyMsMin)) {
      return this.#percent;
    }
    this.#before = { ticks, atMs };
    if (before === undefined || ticks.all <= before.ticks.all) return this.#percent;
    const share = (ticks.busy - before.ticks.busy) / (ticks.all - before.ticks.all);
    this.#percent = Math.round(Math.min(Math.max(share, 0), 1) * 1000) / 10;
    return this.#percent;
  }
}

export class System {
  readonly #parts: SystemParts;
  readonly #history = new History();
  readonly #asked = new Busy();
  readonly #recorded = new Busy();
  #timer: NodeJS.Timeout | undefined;

  /** Does nothing yet; `start()` does. */
  constructor(parts: SystemParts) {
    this.#parts = parts;
  }

  /** Begins the history. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.record();
    this.#timer = setInterval(() => this.record(), historyBounds.periodMs);
    this.#timer.unref();
  }

  /** Idempotent. */
  close(): void {
    clearInterval(this.#timer);
  }

  /** One sample of the history. */
  record(): void {
    const { root, transferred } = this.#parts;
    const nowMs = performance.now();
    const { totalBytes, availableBytes } = memoryOf(root);
    const used = totalBytes > 0 ? (100 * (totalBytes - availableBytes)) / totalBytes : 0;
    const celsius = temperaturesOf(root).map((one) => one.celsius);
    this.#history.add(
      {
        time: new Date().toISOString(),
        busyPercent: this.#recorded.take(ticksOf(root), nowMs),
        memoryUsedPercent: Math.round(used * 10) / 10,
        celsius: celsius.length > 0 ? Math.max(...celsius) : null,
      },
      transferred(),
      nowMs,
    );
  }

  history(): HistoryDocument {
    return this.#history.document;
  }

  async current(): Promise<SystemDocument> {
    const { root, stateDir } = this.#parts;
    const busyPercent = this.#asked.take(ticksOf(root), performance.now());
    return {
      hostname: hostname(),
      model: modelOf(root),
      firmware: firmwareOf(root),
      kernel: release(),
      time: new Date().toISOString(),
      uptimeMs: Math.round(uptime() * 1000),
      processor: { cores: availableParallelism(), busyPercent, load: loadavg() },
      memory: memoryOf(root),
      storage: await storageOf([
        { name: 'system', path: root },
        { name: 'data', path: stateDir },
      ]),
      temperatures: temperaturesOf(root),
    };
  }
}
