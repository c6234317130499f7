// SPDX-License-Identifier: Apache-2.0
// An engine's life as the daemon sees it: its events as promises, its figures for the log, and the
// stop with its deadlines. Called by daemon.ts.

import type { Log } from '../log.js';
import type { Engine, EngineEvent, EngineStats } from './native.js';

type StoppedEvent = Extract<EngineEvent, { type: 'stopped' }>;

// The engine keeps its own deadline; this much later it is taken for dead.
const stopGraceMs = 5_000;

/** Resolves when the signal is aborted, at once if it already is. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function after(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  });
}

/** The engine's events as promises, each settled once. */
export class EngineEvents {
  readonly started: Promise<void>;
  readonly stopped: Promise<StoppedEvent>;
  readonly failed: Promise<string>;
  readonly #handlers: { [Type in EngineEvent['type']]: (event: EngineEvent) => void };

  constructor(log: Log) {
    let onStarted = (): void => {};
    let onStopped = (_: StoppedEvent): void => {};
    let onFailed = (_: string): void => {};
    this.started = new Promise((resolve) => {
      onStarted = resolve;
    });
    this.stopped = new Promise((resolve) => {
      onStopped = resolve;
    });
    this.failed = new Promise((resolve) => {
      onFailed = resolve;
    });
    this.#handlers = {
      started: (event) => {
        log.info({ event: 'started', ...omitType(event) });
        onStarted();
      },
      stopped: (event) => onStopped(event as StoppedEvent),
      failed: (event) => onFailed((event as { reason: string }).reason),
    };
  }

  take(events: EngineEvent[]): void {
    for (const event of events) this.#handlers[event.type](event);
  }
}

function omitType<T extends { type: string }>({ type: _, ...rest }: T): Omit<T, 'type'> {
  return rest;
}

export const statsOf = (engine: Engine): EngineStats => JSON.parse(engine.stats()) as EngineStats;

/** The figures of the whole run, for the last line of the log. */
export function figures(engine: Engine): Record<string, unknown> {
  const stats = statsOf(engine);
  return {
    uptimeMs: stats.uptimeMs,
    connections: stats.connections.accepted,
    shed: stats.connections.shed,
    requests: stats.requests.total,
    bytesSent: stats.bytes.plaintextSent,
    bytesSpliced: stats.bytes.spliced,
    pendingBytesMax: stats.pending.bytesMax,
    abortedIn: stats.drains.abortedIn,
    contradictions: stats.pending.contradictions,
    cipherFailures: stats.offload.cipherFailures,
  };
}

/** Stops gracefully, and at once when told so. Undefined: the engine did not answer in time. */
export async function stopEngine(
  engine: Engine,
  events: EngineEvents,
  timeoutMs: number,
  stopNow: AbortSignal,
): Promise<StoppedEvent | undefined> {
  const finished = new AbortController();
  engine.stop(timeoutMs);
  const shorten = aborted(stopNow).then(() => {
    if (finished.signal.aborted) return new Promise<void>(() => {});
    engine.stop(0);
    return after(stopGraceMs, finished.signal);
  });
  const overdue = Promise.race([after(timeoutMs + stopGraceMs, finished.signal), shorten]);
  const outcome = await Promise.race([events.stopped, overdue.then(() => undefined)]);
  finished.abort();
  return outcome;
}
