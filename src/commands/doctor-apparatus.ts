// SPDX-License-Identifier: Apache-2.0
// The parts of the product that the truncation experiment drives: a certificate of its own that is
// never stored, an engine on a free port of 127.0.0.1, and the addon's slow clients. Called by
// doctor.ts, for --reproduce alone.

import { issueCertificate } from '../certificates/issue.js';
import {
  type Apparatus,
  conditions,
  type EngineFigures,
  type RunningEngine,
  stopTimeoutMs,
} from '../doctor/experiment.js';
import type {
  CertificatePair,
  Engine,
  EngineEvent,
  EngineOptions,
  NativeModule,
} from '../engine/native.js';

// The engine keeps its deadline; this much later it is taken for dead.
const stopGraceMs = 1_000;

function engineOptions(root: string, pair: CertificatePair): EngineOptions {
  return {
    root,
    listeners: [{ address: '127.0.0.1', port: 0 }],
    certificates: [pair],
    tlsOffload: 'auto',
    ring: 'auto',
    connectionsMax: 2 * conditions.parallel,
    pendingWindowBytes: 256 * 1024,
    handshakeTimeoutMs: 10_000,
    headTimeoutMs: 10_000,
    idleTimeoutMs: 10_000,
    stallTimeoutMs: 10_000,
    drainTimeoutMs: 10_000,
    lingerTimeoutMs: 1_000,
  };
}

interface Stats {
  offload: { promoted: Record<string, number> };
  pending: { bytesMax: number };
  drains: { aborted: number };
}

function figuresOf(engine: Engine): EngineFigures {
  const stats = JSON.parse(engine.stats()) as Stats;
  const promoted = Object.values(stats.offload.promoted).reduce((sum, count) => sum + count, 0);
  return {
    promoted,
    aborted: stats.drains.aborted,
    pendingBytesMax: stats.pending.bytesMax,
  };
}

type EventOf<T extends EngineEvent['type']> = Extract<EngineEvent, { type: T }>;

/** The engine's events as promises; one that came before it is asked for is kept. */
class Events {
  readonly #seen: EngineEvent[] = [];
  readonly #waiting: ((event: EngineEvent) => void)[] = [];

  take(batch: EngineEvent[]): void {
    this.#seen.push(...batch);
    for (const event of batch) for (const waiter of this.#waiting) waiter(event);
  }

  until<T extends EngineEvent['type']>(type: T): Promise<EventOf<T>> {
    return new Promise((resolve) => {
      const waiter = (event: EngineEvent) => {
        if (event.type === type) resolve(event as EventOf<T>);
      };
      this.#seen.forEach(waiter);
      this.#waiting.push(waiter);
    });
  }
}

async function stop(engine: Engine, events: Events): Promise<EngineFigures> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, stopTimeoutMs + stopGraceMs);
  });
  engine.stop(stopTimeoutMs);
  await Promise.race([events.until('stopped'), events.until('failed'), overdue]);
  clearTimeout(timer);
  const figures = figuresOf(engine);
  engine.close();
  return figures;
}

async function startEngine(
  module: NativeModule,
  root: string,
  pair: CertificatePair,
): Promise<RunningEngine> {
  const engine = new module.Engine(engineOptions(root, pair));
  const events = new Events();
  engine.start((batch) => events.take(batch));
  const first = await Promise.race([events.until('started'), events.until('failed')]);
  if (first.type === 'failed') {
    engine.close();
    throw new Error(`the engine does not start: ${first.reason}`);
  }
  return {
    port: engine.listeners()[0]?.port ?? 0,
    stop: () => stop(engine, events),
  };
}

export async function newApparatus(module: NativeModule): Promise<Apparatus> {
  const names = { commonName: 'localhost', dns: ['localhost'], ip: ['127.0.0.1'] };
  const issued = await issueCertificate(names, Date.now());
  const pair: CertificatePair = { chain: issued.certificate, privateKey: issued.privateKey };
  return {
    slowClients: (port, file, timeoutMs) =>
      module.reproduceTruncation({ ...conditions, port, file, certificates: [pair], timeoutMs }),
    startEngine: (root) => startEngine(module, root, pair),
  };
}
