// SPDX-License-Identifier: Apache-2.0
// The composition root: the only file that knows every room. It starts them in order (certificate,
// engine, supervisor), waits for a stop or a failure, and stops them in reverse. Called by cli.ts,
// which owns signals and exit codes.

import { ensureDeviceCertificate } from './certificates/device.js';
import { readCertificateFiles } from './certificates/files.js';
import { formatListenAddress } from './config/address.js';
import type { Configuration } from './config/configuration.js';
import {
  type CertificatePair,
  type Engine,
  type EngineEvent,
  type EngineStats,
  engineErrorCodes,
  loadNative,
} from './engine/native.js';
import type { Log } from './log.js';
import { reasonOf, StartError } from './start-error.js';
import { createSupervisor } from './supervision/systemd.js';

export interface DaemonSignals {
  /** Finish active responses, then end. */
  stop: AbortSignal;
  /** End at once; `stop` has been aborted before. */
  stopNow: AbortSignal;
}

type StoppedEvent = Extract<EngineEvent, { type: 'stopped' }>;

const renewalCheckMs = 12 * 3_600_000;
// The engine keeps its own deadline; this much later it is taken for dead.
const stopGraceMs = 5_000;

/** Resolves when the signal is aborted, at once if it already is. */
function aborted(signal: AbortSignal): Promise<void> {
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

async function chooseCertificate(configuration: Configuration, log: Log): Promise<CertificatePair> {
  if (configuration.files !== undefined) {
    const { chain, privateKey, notAfterMs, fingerprint } = readCertificateFiles(
      configuration.files,
    );
    const notAfter = new Date(notAfterMs).toISOString();
    if (notAfterMs < Date.now()) log.warn({ event: 'certificate_expired', notAfter });
    log.info({ event: 'certificate', source: 'files', fingerprint, notAfter });
    return { chain, privateKey };
  }
  const device = await ensureDeviceCertificate({ stateDir: configuration.stateDir });
  const { chain, privateKey, fingerprint, notAfterMs, renewedBecause } = device;
  const notAfter = new Date(notAfterMs).toISOString();
  log.info({ event: 'certificate', source: 'device', fingerprint, notAfter, renewedBecause });
  return { chain, privateKey };
}

/** Looks twice a day whether the device's own certificate wants renewal; the answer stops that. */
function keepCertificateFresh(configuration: Configuration, engine: Engine, log: Log): () => void {
  if (configuration.files !== undefined) return () => {};
  const renew = async (): Promise<void> => {
    try {
      const device = await ensureDeviceCertificate({ stateDir: configuration.stateDir });
      if (device.renewedBecause === undefined) return;
      const { chain, privateKey, fingerprint, renewedBecause } = device;
      engine.replaceCertificates([{ chain, privateKey }]);
      log.info({ event: 'certificate_renewed', fingerprint, renewedBecause });
    } catch (error) {
      log.error({ event: 'certificate_not_renewed', reason: reasonOf(error) });
    }
  };
  const timer = setInterval(() => void renew(), renewalCheckMs);
  return () => clearInterval(timer);
}

function createEngine(configuration: Configuration, certificate: CertificatePair): Engine {
  const { Engine } = loadNative();
  const {
    logLevel: _level,
    stateDir: _dir,
    files: _files,
    stopTimeoutMs: _ms,
    ...rest
  } = configuration;
  try {
    return new Engine({ ...rest, certificates: [certificate] });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!(engineErrorCodes as readonly string[]).includes(code)) throw error;
    throw new StartError(reasonOf(error));
  }
}

/** The engine's events as promises, each settled once. */
class EngineEvents {
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

function figures(engine: Engine): Record<string, unknown> {
  const stats = JSON.parse(engine.stats()) as EngineStats;
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
  };
}

/** Stops gracefully, and at once when told so. Undefined: the engine did not answer in time. */
async function stopEngine(
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

/** Serves until told to stop. True when every response that was begun was also delivered. */
export async function runDaemon(
  configuration: Configuration,
  log: Log,
  signals: DaemonSignals,
): Promise<boolean> {
  const certificate = await chooseCertificate(configuration, log);
  if (signals.stop.aborted) return true;
  const engine = createEngine(configuration, certificate);
  const events = new EngineEvents(log);
  const supervisor = createSupervisor(process.env, (error) =>
    log.warn({ event: 'notify_failed', reason: reasonOf(error) }),
  );
  let stopRenewal = (): void => {};
  try {
    engine.start((batch) => events.take(batch));
    const refusal = await Promise.race([events.started, events.failed]);
    if (refusal !== undefined) throw new StartError(`the engine does not start: ${refusal}`);
    stopRenewal = keepCertificateFresh(configuration, engine, log);
    const listeners = engine.listeners();
    const urls = listeners.map((listener) => `https://${formatListenAddress(listener)}/`);
    log.info({
      event: 'ready',
      version: SPLICED_VERSION,
      listeners,
      urls,
      root: configuration.root,
    });
    await supervisor.ready(`Serving ${configuration.root} at ${urls.join(' ')}`);
    const failure = await Promise.race([
      aborted(signals.stop).then(() => undefined),
      events.failed,
    ]);
    if (failure !== undefined) {
      log.fatal({ event: 'failed', reason: failure, ...figures(engine) });
      return false;
    }
    log.info({ event: 'stopping', timeoutMs: configuration.stopTimeoutMs });
    await supervisor.status('Finishing active responses');
    const outcome = await stopEngine(engine, events, configuration.stopTimeoutMs, signals.stopNow);
    const counts = figures(engine);
    if (outcome === undefined) {
      log.error({ event: 'stopped', reason: 'the engine did not stop in time', ...counts });
      return false;
    }
    log.info({ event: 'stopped', ...omitType(outcome), ...counts });
    return outcome.aborted === 0;
  } finally {
    stopRenewal();
    engine.close();
  }
}
