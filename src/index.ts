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
import { StartError } from './base/start-error.js';
import { type Configuration, loadText } from './config/configuration.js';
import { engineCount } from './engine/count.js';
import { Failover } from './engine/failover.js';
import { ServiceEvents, stopService } from './engine/lifecycle.js';
import { type CertificatePair, loadNative, type Service } from './engine/native.js';
import { Backend } from './library/backend.js';
import { type Credentials, pairOf } from './library/credentials.js';
import {
  addressesOf,
  alreadyListening,
  asListenError,
  isWithoutFamily,
  type ListenWish,
  notRunning,
  readListen,
} from './library/listen.js';
import { tomlOf } from './library/settings.js';
import { IncidentReporter } from './log/incidents.js';
import type { Log } from './log/log.js';
import { readClientCertificates } from './serving/client-certificates.js';
import { catchAll, type SiteParts, SiteServing, siteOf } from './serving/site.js';

export const version = SPLICED_VERSION;
export { withEngineFiles } from './library/engine-file.js';

const hangMs = 5_000;
const silent = { info: () => {}, warn: () => {}, error: () => {} };

/** Throws a TypeError whose message names every mistake. */
function configurationOf(options: ServerOptions): Configuration {
  try {
    return loadText(tomlOf(options), 'createServer()').configuration;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    const code = 'ERR_INVALID_ARG_VALUE';
    throw Object.assign(new TypeError(error.lines().join('\n')), { code });
  }
}

class LibraryServer extends EventEmitter implements Server {
  readonly #options: ServerOptions;
  readonly #configuration: Configuration;
  readonly #backend: Backend;
  readonly #log: Log;
  #pair: CertificatePair;
  #service: Service | undefined;
  #failover: Failover | undefined;
  #events: ServiceEvents | undefined;
  #endSite: () => void = () => {};
  #incidents: IncidentReporter | undefined;
  #address: AddressInfo | null = null;
  #isAsked = false;
  #began: Promise<void> = Promise.resolve();
  #closing: Promise<Outcome> | undefined;

  constructor(options: ServerOptions, handler?: Parameters<typeof CreateServer>[1]) {
    super();
    this.#options = options;
    this.#configuration = configurationOf(options);
    this.#pair = pairOf(options, 'createServer()');
    this.#log = (options.log ?? silent) as Log;
    this.#backend = new Backend(handler);
  }

  get http(): Server['http'] {
    return this.#backend.server;
  }

  listen(...args: unknown[]): this {
    if (this.#isAsked) throw alreadyListening();
    if (this.#closing !== undefined) throw notRunning();
    const wish = readListen(args);
    this.#isAsked = true;
    if (wish.onListening !== undefined) this.once('listening', wish.onListening);
    this.#began = this.#begin(wish).catch((error: unknown) => {
      if (this.#closing === undefined) this.#fail(error);
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

  setSecureContext(given: Credentials): void {
    const pair = pairOf(given, 'setSecureContext()');
    this.#service?.replaceCertificates([pair]);
    this.#pair = pair;
  }

  status(): Record<string, unknown> {
    if (this.#service === undefined) throw notRunning();
    return JSON.parse(this.#service.stats());
  }

  /** What no other route takes is the handler's, if anybody listens for requests. */
  #configurationNow(): Configuration {
    const { routes } = this.#configuration;
    if (!this.#backend.isUsed) return this.#configuration;
    const upstream = `unix:${this.#backend.socketPath}`;
    return { ...this.#configuration, routes: [...routes, catchAll(upstream, routes)] };
  }

  /** With the address that could be had. */
  async #createEngine(site: SiteParts, { port, host }: ListenWish): Promise<Service> {
    const addresses = await addressesOf(host);
    const { Service } = loadNative();
    const { configuration } = site;
    const options = {
      ...configuration,
      engines: engineCount(configuration.engines),
      site: siteOf(site),
      certificates: [this.#pair],
      clientCertificates: readClientCertificates(configuration.clientCertificates)?.settings,
    };
    for (const [index, address] of addresses.entries()) {
      try {
        return new Service({ ...options, listeners: [{ address, port }] });
      } catch (error) {
        const isLast = index + 1 === addresses.length;
        if (isLast || !isWithoutFamily(error)) throw asListenError(error, address, port);
      }
    }
    throw new Error('there is no address to listen on');
  }

  async #begin(wish: ListenWish): Promise<void> {
    await this.#backend.listen();
    const configuration = this.#configurationNow();
    const root = this.#options.root === undefined ? this.#backend.emptyRoot : configuration.root;
    const site = { configuration: { ...configuration, root }, isTrusted: false };
    const service = await this.#createEngine(site, wish);
    this.#service = service;
    const { tlsOffload } = configuration;
    const failover = new Failover({ service, tlsOffload, hangMs, log: this.#log });
    this.#failover = failover;
    const events = new ServiceEvents(this.#log, (event) => failover.released(event));
    this.#events = events;
    service.start((batch) => events.take(batch));
    const refusal = await Promise.race([events.started, events.failed]);
    if (refusal !== undefined) throw new Error(`the engine does not start: ${refusal}`);
    failover.start();
    void events.failed.then((reason) => this.#fail(new Error(reason)));
    this.#incidents = new IncidentReporter(service, this.#log);
    this.#endSite = new SiteServing({ service, site, log: this.#log }).start();
    const [bound] = service.listeners();
    if (bound === undefined) throw new Error('the engine has no listener');
    const family = isIPv6(bound.address) ? 'IPv6' : 'IPv4';
    this.#address = { address: bound.address, family, port: bound.port };
    // Out of the promise: what a listener throws is the program's, not an `error` of ours.
    process.nextTick(() => {
      if (this.#closing === undefined) this.emit('listening');
    });
  }

  /** Nothing of ours keeps the process from here on. */
  #fail(error: unknown): void {
    if (this.#closing === undefined) {
      this.#release();
      void this.#backend.close();
    }
    process.nextTick(() => this.emit('error', error));
  }

  async #end(): Promise<Outcome> {
    await this.#began;
    let outcome: Outcome = { drained: 0, aborted: 0, durationMs: 0 };
    if (this.#service !== undefined && this.#events !== undefined) {
      const never = new AbortController().signal;
      const { stopTimeoutMs } = this.#configuration;
      const stopped = await stopService(this.#service, this.#events, stopTimeoutMs, never);
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
    this.#incidents?.close();
    this.#failover?.close();
    this.#service?.close();
    this.#service = undefined;
    this.#address = null;
  }
}

export const createServer: typeof CreateServer = (options = {} as ServerOptions, handler) =>
  new LibraryServer(options, handler);
