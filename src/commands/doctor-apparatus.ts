// SPDX-License-Identifier: Apache-2.0
// The parts of the product that the truncation experiment and the benchmark drive: a certificate of
// their own that is never stored, engines on free ports of 127.0.0.1, and the addon's clients. Called
// by doctor.ts, for --reproduce and --benchmark alone.

import { issueCertificate } from '../certificates/issue.js';
import { type BenchmarkApparatus, benchmarkConditions, workloads } from '../doctor/benchmark.js';
import {
  type Apparatus,
  conditions,
  type RunningService,
  type ServiceFigures,
  stopTimeoutMs,
} from '../doctor/experiment.js';
import type {
  CertificatePair,
  NativeModule,
  Service,
  ServiceEvent,
  ServiceOptions,
} from '../engine/native.js';

// Connections of the round before may still be closing.
const mostConnections = 4 * Math.max(conditions.parallel, benchmarkConditions.connections);

// The engine keeps its deadline; this much later it is taken for dead.
const stopGraceMs = 1_000;

function serviceOptions(
  root: string,
  pair: CertificatePair,
  tlsOffload: ServiceOptions['tlsOffload'],
): ServiceOptions {
  return {
    root,
    listeners: [{ address: '127.0.0.1', port: 0 }],
    certificates: [pair],
    tlsOffload,
    ring: 'auto',
    engines: 1,
    connectionsMax: mostConnections,
    connectionsPerAddressMax: mostConnections,
    handshakesMax: mostConnections,
    requestsPerConnectionMax: 10_000,
    headBytesMax: 8192,
    targetBytesMax: 4096,
    headerFieldsMax: 64,
    upstreamHeadBytesMax: 32_768,
    discardedBodyBytesMax: 65_536,
    sendRateMinBytesPerS: 0,
    pendingWindowBytes: 256 * 1024,
    handshakeTimeoutMs: 10_000,
    headTimeoutMs: 10_000,
    requestTimeoutMs: 10_000,
    idleTimeoutMs: 10_000,
    stallTimeoutMs: 10_000,
    drainTimeoutMs: 10_000,
    lingerTimeoutMs: 1_000,
  };
}

interface Stats {
  offload: {
    promoted: Record<string, number>;
    driver: { name: string; async: boolean } | null;
  };
  pending: { bytesMax: number };
  drains: { aborted: number };
}

const statsOf = (service: Service): Stats => JSON.parse(service.stats()) as Stats;
const promotedOf = ({ offload }: Stats): number =>
  Object.values(offload.promoted).reduce((sum, count) => sum + count, 0);

function figuresOf(service: Service): ServiceFigures {
  const stats = statsOf(service);
  return {
    promoted: promotedOf(stats),
    aborted: stats.drains.aborted,
    pendingBytesMax: stats.pending.bytesMax,
  };
}

type EventOf<T extends ServiceEvent['type']> = Extract<ServiceEvent, { type: T }>;

/** The engine's events as promises; one that came before it is asked for is kept. */
class Events {
  readonly #seen: ServiceEvent[] = [];
  readonly #waiting: ((event: ServiceEvent) => void)[] = [];

  take(batch: ServiceEvent[]): void {
    this.#seen.push(...batch);
    for (const event of batch) for (const waiter of this.#waiting) waiter(event);
  }

  until<T extends ServiceEvent['type']>(type: T): Promise<EventOf<T>> {
    return new Promise((resolve) => {
      const waiter = (event: ServiceEvent) => {
        if (event.type === type) resolve(event as EventOf<T>);
      };
      this.#seen.forEach(waiter);
      this.#waiting.push(waiter);
    });
  }
}

async function stop(service: Service, events: Events): Promise<ServiceFigures> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, stopTimeoutMs + stopGraceMs);
  });
  service.stop(stopTimeoutMs);
  await Promise.race([events.until('stopped'), events.until('failed'), overdue]);
  clearTimeout(timer);
  const figures = figuresOf(service);
  service.close();
  return figures;
}

interface Started extends RunningService {
  service: Service;
}

async function startService(
  module: NativeModule,
  root: string,
  pair: CertificatePair,
  tlsOffload: ServiceOptions['tlsOffload'] = 'auto',
): Promise<Started> {
  const service = new module.Service(serviceOptions(root, pair, tlsOffload));
  const events = new Events();
  service.start((batch) => events.take(batch));
  const first = await Promise.race([events.until('started'), events.until('failed')]);
  if (first.type === 'failed') {
    service.close();
    throw new Error(`the engine does not start: ${first.reason}`);
  }
  return {
    service,
    port: service.listeners()[0]?.port ?? 0,
    stop: () => stop(service, events),
  };
}

async function newPair(): Promise<CertificatePair> {
  const names = { commonName: 'localhost', dns: ['localhost'], ip: ['127.0.0.1'] };
  const issued = await issueCertificate(names, Date.now());
  return { chain: issued.certificate, privateKey: issued.privateKey };
}

export async function newApparatus(module: NativeModule): Promise<Apparatus> {
  const pair = await newPair();
  return {
    slowClients: (port, file, timeoutMs) =>
      module.reproduceTruncation({ ...conditions, port, file, certificates: [pair], timeoutMs }),
    startService: (root) => startService(module, root, pair),
  };
}

export async function newBenchmarkApparatus(module: NativeModule): Promise<BenchmarkApparatus> {
  const pair = await newPair();
  const { connections, durationMs } = benchmarkConditions;
  return {
    measure: (port, workload) =>
      module.measureLoad({ port, ...workloads[workload], connections, durationMs }),
    startService: async (root, side) => {
      const started = await startService(module, root, pair, side === 'kernel' ? 'auto' : 'off');
      const offload = () => {
        const stats = statsOf(started.service);
        return { promoted: promotedOf(stats), driver: stats.offload.driver };
      };
      return { ...started, offload };
    },
  };
}
