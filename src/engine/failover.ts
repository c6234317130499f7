// SPDX-License-Identifier: Apache-2.0
// The engine as the daemon sees it, and another one in its place when its thread hangs in the kernel.
//
// With an asynchronous cipher a send waits for it uninterruptibly, and holds the socket's lock
// (net/tls/tls_sw.c: tls_encrypt_async_wait; docs/ENGINE-FAULTS.md). A CAAM that does not complete so
// takes the engine's thread, no signal and no shutdown() from elsewhere gets it back, and not even the
// process can end before the cipher goes on. What can be done: a second engine on the same listening
// sockets, with its connections in user space. The first keeps those that it has; if its thread comes
// back, it delivers them and ends. One is replaced at a time: while it hangs, nothing is given to the
// kernel's cipher, so its successor cannot hang likewise.

import type { Log } from '../log.js';
import type {
  CertificatePair,
  ClientCertificates,
  ConnectionRecord,
  Engine,
  EngineEvent,
  EngineOptions,
  NativeModule,
  Pulse,
  RefusedClient,
  SiteOptions,
  Upload,
} from './native.js';

type StoppedEvent = Extract<EngineEvent, { type: 'stopped' }>;

export interface FailoverParts {
  native: Pick<NativeModule, 'Engine'>;
  options: EngineOptions;
  /** The thread stood still for so long, and in the kernel, when the engine is replaced. */
  hangMs: number;
  log: Log;
  nowMs?: () => number;
}

interface Replaced {
  engine: Engine;
  sinceMs: number;
  connections: number;
}

// A stop that is over by its deadline ends a little later than that.
const stopMarginMs = 1_000;
const looksPerHang = 5;
const releaseMsMax = 1_000;

const connectionsOf = (engine: Engine): number => JSON.parse(engine.stats()).connections.open;

export class FailoverEngine implements Engine {
  readonly #parts: FailoverParts;
  readonly #nowMs: () => number;
  #current: Engine;
  #replaced: Replaced | undefined;
  #replacements = 0;
  // What a successor must be told too.
  #certificates: CertificatePair[];
  #clients: ClientCertificates | undefined;
  #site: SiteOptions | undefined;
  #canary: Uint8Array | undefined;
  #offload: { mode: 'auto' | 'off'; reason: string } = { mode: 'auto', reason: '' };
  #isLogging = false;
  #uploads: Upload[] = [];
  readonly #annotations = new Map<string, string>();
  #onEvents: (events: EngineEvent[]) => void = () => {};
  #onReplaced: (reason: string) => void = () => {};
  #lookTimer: NodeJS.Timeout | undefined;
  #heartbeat = -1;
  #advancedAtMs = 0;
  #looksInKernel = 0;
  #stopTimer: NodeJS.Timeout | undefined;
  #isStopping = false;
  readonly #stopped = new Map<Engine, StoppedEvent>();

  /** Throws what the native constructor throws. */
  constructor(parts: FailoverParts) {
    this.#parts = parts;
    this.#nowMs = parts.nowMs ?? (() => performance.now());
    this.#certificates = parts.options.certificates;
    this.#clients = parts.options.clientCertificates;
    this.#site = parts.options.site;
    this.#current = new parts.native.Engine(parts.options);
  }

  start(onEvents: (events: EngineEvent[]) => void): void {
    this.#onEvents = onEvents;
    const engine = this.#current;
    engine.start((events) => this.#take(engine, events));
    this.#advancedAtMs = this.#nowMs();
    if (this.#parts.options.tlsOffload === 'off') return;
    this.#lookTimer = setInterval(() => this.look(), this.#parts.hangMs / looksPerHang).unref();
  }

  /** Why the first engine was replaced, to whoever asks; at once if it has happened. */
  onReplaced(listener: (reason: string) => void): void {
    this.#onReplaced = listener;
    if (this.#replacements > 0) listener(this.#offload.reason);
  }

  /** The timer's work: does the thread turn, and if not, where does it stand? */
  look(): void {
    const { heartbeat } = this.#current.pulse();
    const nowMs = this.#nowMs();
    if (heartbeat !== this.#heartbeat) this.#advancedAtMs = nowMs;
    this.#heartbeat = heartbeat;
    const hungMs = nowMs - this.#advancedAtMs;
    if (hungMs < this.#parts.hangMs) this.#looksInKernel = 0;
    else if (this.#current.threadState() === 'D') this.#looksInKernel += 1;
    else this.#looksInKernel = 0;
    this.#current.ping();
    // Twice: a page that comes from a slow disk is a wait in the kernel too.
    if (this.#looksInKernel < 2 || this.#replaced !== undefined || this.#isStopping) return;
    const { driver } = JSON.parse(this.#current.stats()).offload;
    if (driver?.async === true) this.#replace(driver.name, hungMs);
  }

  listeners = () => this.#current.listeners();
  shareListeners = () => this.#current.shareListeners();
  threadState = () => this.#current.threadState();
  stats = () => this.#current.stats();
  ping = () => this.#current.ping();
  expectCanary = (port: number, inKernel: boolean) => this.#current.expectCanary(port, inKernel);

  pulse(): Pulse {
    return { ...this.#current.pulse(), enginesHanging: this.#replaced === undefined ? 0 : 1 };
  }

  replaceCertificates(certificates: CertificatePair[]): void {
    this.#current.replaceCertificates(certificates);
    this.#certificates = certificates;
  }

  replaceSite(site: SiteOptions): void {
    this.#current.replaceSite(site);
    this.#site = site;
  }

  replaceClientCertificates(clients: ClientCertificates | undefined): void {
    this.#current.replaceClientCertificates(clients);
    this.#clients = clients;
  }

  setOffload(mode: 'auto' | 'off', reason: string): void {
    this.#offload = { mode, reason };
    this.#current.setOffload(mode, reason);
  }

  setCanary(body: Uint8Array): void {
    this.#current.setCanary(body);
    this.#canary = body;
  }

  setUploads(uploads: Upload[]): void {
    this.#current.setUploads(uploads);
    this.#uploads = uploads;
  }

  annotate(name: string, json: string): void {
    this.#current.annotate(name, json);
    this.#annotations.set(name, json);
  }

  logConnections(on: boolean): void {
    this.#isLogging = on;
    this.#current.logConnections(on);
  }

  takeConnections(): { records: ConnectionRecord[]; lost: number } {
    return this.#current.takeConnections();
  }

  takeRefusals(): { refused: RefusedClient[]; lost: number } {
    return this.#current.takeRefusals();
  }

  stop(timeoutMs: number): void {
    this.#isStopping = true;
    for (const engine of this.#engines()) engine.stop(timeoutMs);
    clearTimeout(this.#stopTimer);
    this.#stopTimer = setTimeout(() => this.#endStop(true), timeoutMs + stopMarginMs).unref();
  }

  close(waitMs?: number, retireListeners = false): boolean {
    clearInterval(this.#lookTimer);
    clearTimeout(this.#stopTimer);
    let isJoined = true;
    for (const engine of this.#engines()) {
      const hangs = this.#isStopping && !this.#stopped.has(engine);
      isJoined = engine.close(hangs ? 0 : waitMs, retireListeners) && isJoined;
    }
    return isJoined;
  }

  #engines(): Engine[] {
    return this.#replaced === undefined ? [this.#current] : [this.#current, this.#replaced.engine];
  }

  #replace(driver: string, hungMs: number): void {
    const { log, native, options } = this.#parts;
    const engine = this.#current;
    const listeners = engine.shareListeners();
    const connections = connectionsOf(engine);
    const reason = `${driver} does not complete: the engine's thread waits for it in the kernel`;
    const certificates = this.#certificates;
    const own = { listeners, certificates, clientCertificates: this.#clients, site: this.#site };
    const next = new native.Engine({ ...options, ...own });
    this.#offload = { mode: 'off', reason };
    next.setOffload('off', reason);
    if (this.#canary !== undefined) next.setCanary(this.#canary);
    next.logConnections(this.#isLogging);
    next.setUploads(this.#uploads);
    for (const [name, json] of this.#annotations) next.annotate(name, json);
    next.start((events) => this.#take(next, events));
    this.#current = next;
    this.#replaced = { engine, sinceMs: this.#nowMs() - hungMs, connections };
    this.#replacements += 1;
    this.#advancedAtMs = this.#nowMs();
    this.#looksInKernel = 0;
    engine.stop(options.drainTimeoutMs); // Read when the thread comes back.
    log.error({ event: 'engine_replaced', reason, hungMs: Math.round(hungMs), connections });
    this.#show();
    this.#onReplaced(reason);
  }

  #take(engine: Engine, events: EngineEvent[]): void {
    for (const event of events) {
      if (event.type === 'stopped') this.#onStopped(engine, event);
      else if (engine === this.#current && this.#replacements === 0) this.#onEvents([event]);
      else if (event.type === 'failed' && engine === this.#current) this.#onEvents([event]);
    }
  }

  #onStopped(engine: Engine, event: StoppedEvent): void {
    this.#stopped.set(engine, event);
    if (this.#isStopping) this.#endStop(false);
    else if (engine === this.#replaced?.engine) this.#release(this.#replaced, event);
  }

  /** The thread came back, and every connection of its engine has ended. */
  #release({ engine, sinceMs }: Replaced, { drained, aborted }: StoppedEvent): void {
    engine.close(releaseMsMax);
    this.#replaced = undefined;
    this.#stopped.delete(engine);
    const hungMs = Math.round(this.#nowMs() - sinceMs);
    this.#parts.log.warn({ event: 'engine_released', hungMs, drained, aborted });
    this.#show();
  }

  /** One event for all, when the last has stopped; at the deadline, without what hangs. */
  #endStop(isDue: boolean): void {
    const engines = this.#engines();
    const left = engines.filter((engine) => !this.#stopped.has(engine));
    if (left.length > 0 && !(isDue && left.every((engine) => engine.threadState() === 'D'))) return;
    clearTimeout(this.#stopTimer);
    const total: StoppedEvent = { type: 'stopped', drained: 0, aborted: 0, durationMs: 0 };
    for (const engine of engines) {
      const { drained, aborted, durationMs } = this.#stopped.get(engine) ?? {
        drained: 0,
        aborted: connectionsOf(engine),
        durationMs: 0,
      };
      total.drained += drained;
      total.aborted += aborted;
      total.durationMs = Math.max(total.durationMs, durationMs);
    }
    this.#onEvents([total]);
  }

  #show(): void {
    const hanging = this.#replaced === undefined ? 0 : 1;
    const connections = this.#replaced?.connections ?? 0;
    this.annotate(
      'engines',
      JSON.stringify({ replaced: this.#replacements, hanging, connectionsHanging: connections }),
    );
  }
}
