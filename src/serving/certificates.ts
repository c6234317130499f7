// SPDX-License-Identifier: Apache-2.0
// Connects the rooms of the certificates and of plain HTTP (which ACME needs) with what the daemon
// has: the configuration, the engine, the log, the status document and a reload. Called by daemon.ts,
// which decides the order.

import { setTimeout as sleep } from 'node:timers/promises';
import { visibleJson } from '../base/visible.js';
import { ChallengeResponses } from '../certificates/challenges.js';
import { minuteMs } from '../certificates/clock.js';
import { CertificateManager, type CertificateOptions } from '../certificates/manager.js';
import type { Configuration, LoadedConfiguration } from '../config/configuration.js';
import type { CertificatePair, Service } from '../engine/native.js';
import type { Housekeeper } from '../files/housekeeping.js';
import type { Log } from '../log/log.js';
import type { PlainHttp } from '../plain-http/responder.js';
import type { ListenerPlan } from './listeners.js';
import type { Participant } from './reload.js';

export interface CertificateParts {
  loaded: LoadedConfiguration;
  /** Where plain HTTP is answered; nowhere, if it has no listeners. */
  http: ListenerPlan;
  /** The wall clock was set, or jumped: whoever else judges by dates is to look again. */
  onClockJump(): void;
  housekeeping: Housekeeper;
  log: Log;
}

// The days that are left change by themselves.
const statusIntervalMs = 10 * minuteMs;

// Less than what plain HTTP gives a whole request (plain-http/responder.ts).
const servedWithinMs = 3_000;

// Of each list there; the engine takes 4 KiB for one, and 8 KiB with those of the watchdog.
const statusBytesMax = 2_500;

const optionsOf = (configuration: Configuration, stateDir: string): CertificateOptions => {
  const { installed, enrolment, tokenKey, authorityKey } = configuration;
  return { stateDir, installed, enrolment, tokenKey, authorityKey };
};

export class CertificateServing {
  /** For the API, which gives operators what the manager can do. */
  readonly manager: CertificateManager;
  readonly #log: Log;
  readonly #configuration: Configuration;
  readonly #http: ListenerPlan;
  #files: string[];
  readonly #challenges = new ChallengeResponses();
  #plainHttp: PlainHttp | undefined;
  #service: Service | undefined;
  // Whoever came to plain HTTP while we started: told when there is an engine.
  readonly #served: Promise<void>;
  #onServed = (): void => {};
  #onTrust: ((isTrusted: boolean) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Does nothing yet; `start()` does. */
  constructor(parts: CertificateParts) {
    const { http, onClockJump, housekeeping, log } = parts;
    const { configuration, files } = parts.loaded;
    this.#log = log;
    this.#configuration = configuration;
    this.#files = files;
    this.#http = http;
    this.#served = new Promise((resolve) => {
      this.#onServed = resolve;
    });
    const hasPlainHttp = http.listeners.length > 0;
    this.manager = new CertificateManager(optionsOf(configuration, configuration.stateDir), {
      onChange: (pairs) => {
        this.#service?.replaceCertificates(pairs);
        this.#onTrust?.(this.isTrusted());
      },
      onReport: ({ severity, ...fields }) => {
        log[severity](fields);
        this.#show();
      },
      onClockJump,
      housekeeping,
      ...(hasPlainHttp ? { challenges: this.#challenges } : {}),
    });
  }

  /** Loads what there is, and makes the device's own when it is needed. Throws StartError. */
  async start(): Promise<void> {
    // First: an ACME server may ask there as soon as the manager has started.
    await this.#startPlainHttp();
    await this.manager.start();
    this.#show();
    this.#timer = setInterval(() => this.#show(), statusIntervalMs);
    this.#timer.unref();
  }

  /** What an engine is to serve, the default first. */
  current(): CertificatePair[] {
    return this.manager.current();
  }

  /**
   * From now on the engine gets every change, and plain HTTP leads to its first listener; `onTrust`
   * is told when it may have become or ceased to be trusted. Returns what ends that.
   */
  serveBy(service: Service, onTrust: (isTrusted: boolean) => void): () => void {
    this.#service = service;
    this.#onServed();
    this.#onTrust = onTrust;
    this.#show();
    return () => {
      this.#service = undefined;
    };
  }

  /** Of all that are served: which of them a client without a name gets is its keys' choice. */
  fingerprints(): string[] {
    return this.manager.status().map(({ fingerprint }) => fingerprint);
  }

  /** Whether every certificate that is served comes from somewhere else than this device. */
  isTrusted(): boolean {
    return this.manager
      .status()
      .every(({ source, isSelfSigned }) => source !== 'device' && !isSelfSigned);
  }

  /** Of the one that ends first; undefined while the clock is not set. */
  daysLeft(): number | undefined {
    const days = this.manager.status().flatMap(({ daysLeft }) => daysLeft ?? []);
    return days.length === 0 ? undefined : Math.min(...days);
  }

  /** One of them is about to end, or has ended. */
  endsSoon(): boolean {
    return this.manager.status().some(({ warning }) => warning !== null);
  }

  /** Another state directory waits for a restart; all else that the certificates need is live. */
  participant(): Participant {
    return {
      prepare: async ({ configuration, files }) => {
        const { stateDir } = this.#configuration;
        const prepared = await this.manager.prepare(optionsOf(configuration, stateDir));
        return {
          commit: () => {
            prepared.commit();
            this.#files = files;
            this.#show();
            // Behind the commit's own clean-up: takes an operator's wish for a renewal.
            setImmediate(() => void this.manager.reload());
          },
          rollBack: () => {
            prepared.rollBack();
            this.#show();
          },
        };
      },
    };
  }

  /** Sends nobody on any more: the service behind stops. Idempotent. */
  async closePlainHttp(): Promise<void> {
    await this.#plainHttp?.close();
  }

  /** Ends listeners, watches, timers and background work. Idempotent. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.closePlainHttp();
    await this.manager.close();
  }

  async #startPlainHttp(): Promise<void> {
    const { listeners: places } = this.#http;
    if (places.length === 0) return;
    const { PlainHttp } = await import('../plain-http/responder.js');
    const plainHttp = new PlainHttp({
      places,
      challenge: (path) => this.#challenges.answer(path),
      httpsPort: () => this.#httpsPort(),
    });
    await plainHttp.start();
    this.#plainHttp = plainHttp;
    const bound = plainHttp.listeners();
    this.#http.store(bound);
    const listeners = bound.map(({ address, port }) => ({ address, port }));
    this.#log.info({ event: 'plain_http', listeners });
  }

  /** Clients that waited in the queue during a restart get their answer when the engine is there. */
  async #httpsPort(): Promise<number | undefined> {
    if (this.#service === undefined) {
      await Promise.race([this.#served, sleep(servedWithinMs, undefined, { ref: false })]);
    }
    return this.#service?.listeners()[0]?.port;
  }

  #show(): void {
    const served = this.manager.status().map((one) => {
      const { source, subject, sans: names, notAfter, daysLeft, warning, lastError } = one;
      return { source, subject, names, notAfter, daysLeft, warning, lastError };
    });
    this.#service?.annotate('certificates', statusText([...served, ...this.manager.waiting()]));
    this.#service?.annotate('configuration', statusText(this.#files));
  }
}

/** As much of the list as the status takes; a last entry says how many more there are. */
export function statusText(entries: readonly unknown[], bytesMax = statusBytesMax): string {
  const texts = entries.map((entry) => visibleJson(entry));
  const lengthOf = (some: string[]): number => Buffer.byteLength(some.join(','));
  const all = texts.length;
  while (lengthOf(texts) > bytesMax) texts.pop();
  const more = texts.length < all ? [`{"more":${all - texts.length}}`] : [];
  return `[${[...texts, ...more].join(',')}]`;
}
