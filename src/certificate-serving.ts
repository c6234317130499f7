// SPDX-License-Identifier: Apache-2.0
// Connects the rooms of the certificates and of plain HTTP (which ACME needs) with what the daemon
// has: the configuration, the engine, the log, the status document and a reload. Called by daemon.ts,
// which decides the order.

import { ChallengeResponses } from './certificates/challenges.js';
import { minuteMs } from './certificates/clock.js';
import { CertificateManager, type CertificateOptions } from './certificates/manager.js';
import type { Configuration, LoadedConfiguration } from './config/configuration.js';
import type { CertificatePair, Engine } from './engine/native.js';
import type { Log } from './log.js';
import type { PlainHttp } from './plain-http/responder.js';
import type { Participant } from './reload.js';

export interface CertificateParts {
  loaded: LoadedConfiguration;
  log: Log;
}

// The days that are left change by themselves.
const statusIntervalMs = 10 * minuteMs;

// Of each list there; the engine takes 4 KiB for one, and 8 KiB with those of the watchdog.
const statusBytesMax = 2_500;

const optionsOf = (configuration: Configuration, stateDir: string): CertificateOptions => {
  const { installed, enrolment } = configuration;
  return { stateDir, installed, enrolment };
};

export class CertificateServing {
  readonly #manager: CertificateManager;
  readonly #log: Log;
  readonly #configuration: Configuration;
  #files: string[];
  readonly #challenges = new ChallengeResponses();
  #plainHttp: PlainHttp | undefined;
  #engine: Engine | undefined;
  #onTrust: ((isTrusted: boolean) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Does nothing yet; `start()` does. */
  constructor({ loaded: { configuration, files }, log }: CertificateParts) {
    this.#log = log;
    this.#configuration = configuration;
    this.#files = files;
    const hasPlainHttp = configuration.httpListeners.length > 0;
    this.#manager = new CertificateManager(optionsOf(configuration, configuration.stateDir), {
      onChange: (pairs) => {
        this.#engine?.replaceCertificates(pairs);
        this.#onTrust?.(this.isTrusted());
      },
      onReport: ({ severity, ...fields }) => {
        log[severity](fields);
        this.#show();
      },
      ...(hasPlainHttp ? { challenges: this.#challenges } : {}),
    });
  }

  /** Loads what there is, and makes the device's own when it is needed. Throws StartError. */
  async start(): Promise<void> {
    // First: an ACME server may ask there as soon as the manager has started.
    await this.#startPlainHttp();
    await this.#manager.start();
    this.#show();
    this.#timer = setInterval(() => this.#show(), statusIntervalMs);
    this.#timer.unref();
  }

  /** What an engine is to serve, the default first. */
  current(): CertificatePair[] {
    return this.#manager.current();
  }

  /**
   * From now on the engine gets every change, and plain HTTP leads to its first listener; `onTrust`
   * is told when it may have become or ceased to be trusted. Returns what ends that.
   */
  serveBy(engine: Engine, onTrust: (isTrusted: boolean) => void): () => void {
    this.#engine = engine;
    this.#onTrust = onTrust;
    this.#show();
    return () => {
      this.#engine = undefined;
    };
  }

  /** Of the one that clients without a name get. */
  fingerprint(): string {
    return this.#manager.status()[0]?.fingerprint ?? '';
  }

  /** Whether every certificate that is served comes from somewhere else than this device. */
  isTrusted(): boolean {
    return this.#manager
      .status()
      .every(({ source, isSelfSigned }) => source !== 'device' && !isSelfSigned);
  }

  /** Of the one that ends first; undefined while the clock is not set. */
  daysLeft(): number | undefined {
    const days = this.#manager.status().flatMap(({ daysLeft }) => daysLeft ?? []);
    return days.length === 0 ? undefined : Math.min(...days);
  }

  /** Another state directory waits for a restart; all else that the certificates need is live. */
  participant(): Participant {
    return {
      prepare: async ({ configuration, files }) => {
        const { stateDir } = this.#configuration;
        const prepared = await this.#manager.prepare(optionsOf(configuration, stateDir));
        return {
          commit: () => {
            prepared.commit();
            this.#files = files;
            this.#show();
            // Behind the commit's own clean-up: takes an operator's wish for a renewal.
            setImmediate(() => void this.#manager.reload());
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
    await this.#manager.close();
  }

  async #startPlainHttp(): Promise<void> {
    const { httpListeners: addresses } = this.#configuration;
    if (addresses.length === 0) return;
    const { PlainHttp } = await import('./plain-http/responder.js');
    const plainHttp = new PlainHttp({
      addresses,
      challenge: (path) => this.#challenges.answer(path),
      httpsPort: () => this.#engine?.listeners()[0]?.port,
    });
    await plainHttp.start();
    this.#plainHttp = plainHttp;
    this.#log.info({ event: 'plain_http', listeners: plainHttp.listeners() });
  }

  #show(): void {
    const served = this.#manager.status().map((one) => {
      const { source, subject, sans: names, notAfter, daysLeft, lastError } = one;
      return { source, subject, names, notAfter, daysLeft, lastError };
    });
    this.#engine?.annotate('certificates', statusText([...served, ...this.#manager.waiting()]));
    this.#engine?.annotate('configuration', statusText(this.#files));
  }
}

/** As much of the list as the status takes; a last entry says how many more there are. */
export function statusText(entries: readonly unknown[]): string {
  const texts = entries.map((entry) => JSON.stringify(entry));
  const lengthOf = (some: string[]): number => Buffer.byteLength(some.join(','));
  const all = texts.length;
  while (lengthOf(texts) > statusBytesMax) texts.pop();
  const more = texts.length < all ? [`{"more":${all - texts.length}}`] : [];
  return `[${[...texts, ...more].join(',')}]`;
}
