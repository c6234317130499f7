// SPDX-License-Identifier: Apache-2.0
// An engine's life as the daemon sees it: its events as promises, its figures for the log, and the
// stop with its deadlines. Called by daemon.ts.

import type { Log } from '../log/log.js';
import type { Service, ServiceEvent } from './native.js';

type StoppedEvent = Extract<ServiceEvent, { type: 'stopped' }>;
type ReleasedEvent = Extract<ServiceEvent, { type: 'released' }>;

// The engines keep the deadline themselves; this much later they are looked at, and this much later
// they are taken for dead.
const concludeAfterMs = 1_000;
const concludeEachMs = 500;
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
export class ServiceEvents {
  readonly started: Promise<void>;
  readonly stopped: Promise<StoppedEvent>;
  readonly failed: Promise<string>;
  readonly #handlers: { [Type in ServiceEvent['type']]: (event: ServiceEvent) => void };

  constructor(log: Log, onReleased: (event: ReleasedEvent) => void = () => {}) {
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
      released: (event) => onReleased(event as ReleasedEvent),
    };
  }

  take(events: ServiceEvent[]): void {
    for (const event of events) this.#handlers[event.type](event);
  }
}

function omitType<T extends { type: string }>({ type: _, ...rest }: T): Omit<T, 'type'> {
  return rest;
}

/** The part of /.spliced/status that the daemon reads: the log's last line, the words for systemd. */
export interface ServiceStats {
  uptimeMs: number;
  offload: {
    mode: string;
    kernel: string;
    driver?: { name: string; async: boolean };
    cipherFailures: { encrypt: number; decrypt: number };
  };
  connections: { accepted: number; shed: number; open: number };
  requests: { total: number };
  bytes: { plaintextSent: number; spliced: number };
  pending: { bytes: number; bytesMax: number; contradictions: number };
  drains: { abortedIn: Record<string, number> };
}

export const statsOf = (service: Service): ServiceStats =>
  JSON.parse(service.stats()) as ServiceStats;

/** The figures of the whole run, for the last line of the log. */
export function figures(service: Service): Record<string, unknown> {
  const stats = statsOf(service);
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

/** From the deadline on: an engine that waits in the kernel is waited for no longer. */
async function concludeAt(
  service: Service,
  timeoutMs: number,
  stopNow: AbortSignal,
  finished: AbortSignal,
): Promise<void> {
  await Promise.race([after(timeoutMs, finished), aborted(stopNow)]);
  if (!finished.aborted) await after(concludeAfterMs, finished);
  while (!finished.aborted) {
    service.concludeStop();
    await after(concludeEachMs, finished);
  }
}

/** Stops gracefully, and at once when told so. Undefined: the engine did not answer in time. */
export async function stopService(
  service: Service,
  events: ServiceEvents,
  timeoutMs: number,
  stopNow: AbortSignal,
): Promise<StoppedEvent | undefined> {
  const finished = new AbortController();
  service.stop(timeoutMs);
  const shorten = aborted(stopNow).then(() => {
    if (finished.signal.aborted) return new Promise<void>(() => {});
    service.stop(0);
    return after(stopGraceMs, finished.signal);
  });
  void concludeAt(service, timeoutMs, stopNow, finished.signal);
  const overdue = Promise.race([after(timeoutMs + stopGraceMs, finished.signal), shorten]);
  const outcome = await Promise.race([events.stopped, overdue.then(() => undefined)]);
  finished.abort();
  return outcome;
}
