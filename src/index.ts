// SPDX-License-Identifier: Apache-2.0
// The package as a library: the engine in front of a Node program's own handlers. The composition root
// of a program that is not the daemon, as daemon.ts is of the one that is. types/index.d.ts is what it
// promises.

import { EventEmitter } from 'node:events';
import { isIPv6 } from 'node:net';
import type {
  AddressInfo,
  createServer as CreateServer,
  Outcome,
  Server,
  ServerOptions,
} from '../types/index.js';
import { readClientCertificates } from './client-certificates.js';
import { type Configuration, loadText } from './config/configuration.js';
import { engineCount } from './engine/count.js';
import { Failover } from './engine/failover.js';
import { EngineEvents, stopEngine } from './engine/lifecycle.js';
import { type CertificatePair, type Engine, loadNative } from './engine/native.js';
import { Backend } from './library/backend.js';
import { tomlOf } from './library/settings.js';
import type { Log } from './log.js';
import { catchAll, SiteServing, siteOf } from './site.js';

export const version = SPLICED_VERSION;

const hangMs = 5_000;
const silent = { info: () => {}, warn: () => {}, error: () => {} };

const pairOf = ({ cert, key }: Pick<ServerOptions, 'cert' | 'key'>): CertificatePair => ({
  chain: String(cert),
  privateKey: String(key),
});

class LibraryServer extends EventEmitter implements Server {
  readonly #options: ServerOptions;
  readonly #configuration: Configuration;
  readonly #backend: Backend;
  readonly #log: Log;
  #engine: Engine | undefined;
  #failover: Failover | undefined;
  #events: EngineEvents | undefined;
  #endSite: () => void = () => {};
  #address: AddressInfo | null = null;
  #isAsked = false;
  #began: Promise<void> = Promise.resolve();
  #closing: Promise<Outcome> | undefined;

  constructor(options: ServerOptions, handler?: Parameters<typeof CreateServer>[1]) {
    super();
    this.#options = options;
    this.#configuration = loadText(tomlOf(options), 'createServer()').configuration;
    this.#log = (options.log ?? silent) as Log;
    this.#backend = new Backend(handler);
  }

  get http(): Server['http'] {
    return this.#backend.server;
  }

  listen(port = 0, host?: string | (() => void), onListening?: () => void): this {
    if (this.#isAsked) throw new Error('listen() was called before: a server listens once');
    this.#isAsked = true;
    const [address, listener] =
      typeof host === 'function' ? [undefined, host] : [host, onListening];
    if (listener !== undefined) this.once('listening', listener);
    this.#began = this.#begin(port, address ?? '::').catch((error: unknown) => {
      this.#release();
      if (this.#closing === undefined) this.emit('error', error);
    });
    return this;
  }

  address(): AddressInfo | null {
    return this.#address;
  }

  close(onClosed?: (outcome: Outcome) => void): Promise<Outcome> {
    this.#closing ??= this.#end();
    if (onClosed !== undefined) void this.#closing.then(onClosed);
    return this.#closing;
  }

  setSecureContext(pair: Pick<ServerOptions, 'cert' | 'key'>): void {
    if (this.#engine === undefined) throw new Error('the server does not listen');
    this.#engine.replaceCertificates([pairOf(pair)]);
  }

  status(): Record<string, unknown> {
    if (this.#engine === undefined) throw new Error('the server does not listen');
    return JSON.parse(this.#engine.stats());
  }

  /** What no other route takes is the handler's, if anybody listens for requests. */
  #configurationNow(): Configuration {
    const { routes } = this.#configuration;
    if (!this.#backend.isUsed) return this.#configuration;
    const upstream = `unix:${this.#backend.socketPath}`;
    return { ...this.#configuration, routes: [...routes, catchAll(upstream)] };
  }

  async #begin(port: number, address: string): Promise<void> {
    await this.#backend.listen();
    const configuration = this.#configurationNow();
    const root = this.#options.root === undefined ? this.#backend.emptyRoot : configuration.root;
    const site = { configuration: { ...configuration, root }, isTrusted: false };
    const native = loadNative();
    const options = {
      ...configuration,
      engines: engineCount(configuration.engines),
      root,
      site: siteOf(site),
      listeners: [{ address, port }],
      certificates: [pairOf(this.#options)],
      clientCertificates: readClientCertificates(configuration.clientCertificates)?.settings,
    };
    const engine = new native.Engine(options);
    this.#engine = engine;
    const { tlsOffload } = configuration;
    const failover = new Failover({ engine, tlsOffload, hangMs, log: this.#log });
    this.#failover = failover;
    const events = new EngineEvents(this.#log, (event) => failover.released(event));
    this.#events = events;
    engine.start((batch) => events.take(batch));
    const refusal = await Promise.race([events.started, events.failed]);
    if (refusal !== undefined) throw new Error(`the engine does not start: ${refusal}`);
    failover.start();
    void events.failed.then((reason) => this.emit('error', new Error(reason)));
    this.#endSite = new SiteServing({ engine, site, log: this.#log }).start();
    const [bound] = engine.listeners();
    if (bound === undefined) throw new Error('the engine listens nowhere');
    const family = isIPv6(bound.address) ? 'IPv6' : 'IPv4';
    this.#address = { address: bound.address, family, port: bound.port };
    this.emit('listening');
  }

  async #end(): Promise<Outcome> {
    await this.#began;
    let outcome: Outcome = { drained: 0, aborted: 0, durationMs: 0 };
    if (this.#engine !== undefined && this.#events !== undefined) {
      const never = new AbortController().signal;
      const { stopTimeoutMs } = this.#configuration;
      const stopped = await stopEngine(this.#engine, this.#events, stopTimeoutMs, never);
      if (stopped !== undefined) {
        const { drained, aborted, durationMs } = stopped;
        outcome = { drained, aborted, durationMs };
      }
    }
    this.#release();
    await this.#backend.close();
    this.emit('close', outcome);
    return outcome;
  }

  #release(): void {
    this.#endSite();
    this.#failover?.close();
    this.#engine?.close();
    this.#engine = undefined;
    this.#address = null;
  }
}

export const createServer: typeof CreateServer = (options, handler) =>
  new LibraryServer(options, handler);
