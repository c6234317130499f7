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

function stopped(engine: Engine, events: (type: EngineEvent['type']) => Promise<void>) {
  return new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, stopTimeoutMs + stopGraceMs);
    void events('stopped').then(() => {
      clearTimeout(timer);
      resolve();
    });
    engine.stop(stopTimeoutMs);
  });
}

async function startEngine(
  module: NativeModule,
  root: string,
  pair: CertificatePair,
): Promise<RunningEngine> {
  const engine = new module.Engine(engineOptions(root, pair));
  const seen = new Set<EngineEvent['type']>();
  const waiting: { type: EngineEvent['type']; resolve: () => void }[] = [];
  const until = (type: EngineEvent['type']): Promise<void> =>
    new Promise((resolve) => {
      if (seen.has(type)) resolve();
      else waiting.push({ type, resolve });
    });
  engine.start((batch) => {
    for (const { type } of batch) {
      seen.add(type);
      for (const waiter of waiting) if (waiter.type === type) waiter.resolve();
    }
  });
  await Promise.race([until('started'), until('failed')]);
  return {
    port: engine.listeners()[0]?.port ?? 0,
    stop: async () => {
      await stopped(engine, until);
      const figures = figuresOf(engine);
      engine.close();
      return figures;
    },
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
