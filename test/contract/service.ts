// SPDX-License-Identifier: Apache-2.0
// Starts the real addon for a test, and speaks to it with Node's own TLS client, which shares no
// code with the server's data plane.

import { appendFileSync, writeFileSync } from 'node:fs';
import { Agent, type RequestOptions, request } from 'node:https';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import type { Test } from 'tap';
import { issueCertificate } from '../../src/certificates/issue.js';
import {
  type CertificatePair,
  loadNative,
  type Service,
  type ServiceEvent,
  type ServiceOptions,
} from '../../src/engine/native.js';

export const names = { commonName: 'localhost', dns: ['localhost'], ip: ['127.0.0.1', '::1'] };

export async function newPair(): Promise<CertificatePair> {
  const { certificate, privateKey } = await issueCertificate(names, Date.now());
  return { chain: certificate, privateKey };
}

export function serviceOptions(root: string, pair: CertificatePair): ServiceOptions {
  return {
    root,
    listeners: [{ address: '127.0.0.1', port: 0 }],
    certificates: [pair],
    tlsOffload: process.env.SPLICED_TLS_OFFLOAD === 'off' ? 'off' : 'auto',
    ring: process.env.SPLICED_RING === 'epoll' ? 'epoll' : 'auto',
    connectionsMax: 64,
    connectionsPerAddressMax: 64,
    engines: Number(process.env.SPLICED_TEST_ENGINES ?? 1),
    handshakesMax: 64,
    requestsPerConnectionMax: 10_000,
    headBytesMax: 8192,
    targetBytesMax: 4096,
    headerFieldsMax: 64,
    upstreamHeadBytesMax: 32_768,
    discardedBodyBytesMax: 65_536,
    sendRateMinBytesPerS: 256,
    pendingWindowBytes: 262_144,
    handshakeTimeoutMs: 10_000,
    headTimeoutMs: 10_000,
    requestTimeoutMs: 15_000,
    idleTimeoutMs: 30_000,
    stallTimeoutMs: 10_000,
    drainTimeoutMs: 20_000,
    lingerTimeoutMs: 1_000,
  };
}

/** Resolves when the event comes; the test's own time-out ends a wait in vain. */
export class Events {
  readonly seen: ServiceEvent[] = [];
  readonly #waiting: { type: ServiceEvent['type']; resolve: (event: ServiceEvent) => void }[] = [];

  take(batch: ServiceEvent[]): void {
    this.seen.push(...batch);
    for (const event of batch) {
      for (const waiter of this.#waiting) if (waiter.type === event.type) waiter.resolve(event);
    }
  }

  wait<T extends ServiceEvent['type']>(type: T): Promise<Extract<ServiceEvent, { type: T }>> {
    const before = this.seen.find((event) => event.type === type);
    return new Promise((resolve) => {
      const answer = resolve as (event: ServiceEvent) => void;
      if (before) answer(before);
      else this.#waiting.push({ type, resolve: answer });
    });
  }
}

export interface Running {
  service: Service;
  events: Events;
  port: number;
  pair: CertificatePair;
  root: string;
}

/** A started engine on a free port, closed when the test ends. */
export async function startService(
  t: Test,
  files: Record<string, string | Buffer> = {},
  change: Partial<ServiceOptions> = {},
): Promise<Running> {
  const root = t.testdir();
  for (const [name, content] of Object.entries(files)) writeFileSync(join(root, name), content);
  const pair = await newPair();
  const { Service } = loadNative();
  const service = new Service({ ...serviceOptions(root, pair), ...change });
  t.teardown(() => {
    // For who runs these tests over kernel TLS, and wants to see that it was (test/guest).
    const figures = process.env.SPLICED_TEST_FIGURES;
    if (figures) appendFileSync(figures, `${service.stats()}\n`);
    service.close();
  });
  const events = new Events();
  service.start((batch) => events.take(batch));
  await events.wait('started');
  const port = service.listeners()[0]?.port ?? 0;
  return { service, events, port, pair, root };
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
  protocol: string | null;
  fingerprint: string;
}

// Node 20 hands a connection's certificate out once; a kept connection is asked again.
const fingerprints = new WeakMap<TLSSocket, string>();

function fingerprintOf(socket: TLSSocket): string {
  const known = fingerprints.get(socket) ?? socket.getPeerX509Certificate()?.fingerprint256 ?? '';
  fingerprints.set(socket, known);
  return known;
}

/** One request over the given agent, or over a connection of its own. The server is verified. */
export function get(running: Running, options: RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const agent = options.agent ?? new Agent({ keepAlive: false, maxCachedSessions: 0 });
    const common = { host: '127.0.0.1', port: running.port, ca: running.pair.chain };
    const outgoing = request({ ...common, path: '/', ...options, agent }, (response) => {
      const chunks: Buffer[] = [];
      const socket = response.socket as TLSSocket;
      const protocol = socket.getProtocol();
      const fingerprint = fingerprintOf(socket);
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: Buffer.concat(chunks), protocol, fingerprint });
      });
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** A verified TLS connection for tests that write their own bytes. */
export function connectRaw(running: Running): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: running.port, ca: running.pair.chain };
    const socket = connect(options, () => resolve(socket));
    socket.on('error', reject);
  });
}

/** All that comes until the server closes. */
export function readToEnd(socket: TLSSocket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('end', () => resolve(Buffer.concat(chunks)));
  });
}
