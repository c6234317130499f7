// SPDX-License-Identifier: Apache-2.0
// Connects the rooms of the certificates and of plain HTTP (which ACME needs) with what the daemon
// has: the configuration, the engine, the log, the status document and a reload. Called by daemon.ts,
// which decides the order.

import { ChallengeResponses } from './certificates/challenges.js';
import { minuteMs } from './certificates/clock.js';
import { CertificateManager, type CertificateOptions } from './certificates/manager.js';
import type { Configuration } from './config/configuration.js';
import type { DaemonStatus } from './daemon-status.js';
import type { CertificatePair, Engine } from './engine/native.js';
import type { Log } from './log.js';
import type { PlainHttp } from './plain-http/responder.js';
import type { Participant } from './reload.js';

export interface CertificateParts {
  configuration: Configuration;
  log: Log;
  status: DaemonStatus;
}

// The days that are left change by themselves.
const statusIntervalMs = 10 * minuteMs;

const optionsOf = (configuration: Configuration, stateDir: string): CertificateOptions => {
  const { installed, enrolment } = configuration;
  return { stateDir, installed, enrolment };
};

export class CertificateServing {
  readonly #manager: CertificateManager;
  readonly #status: DaemonStatus;
  readonly #log: Log;
  readonly #configuration: Configuration;
  readonly #challenges = new ChallengeResponses();
  #plainHttp: PlainHttp | undefined;
  #engine: Engine | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Does nothing yet; `start()` does. */
  constructor({ configuration, log, status }: CertificateParts) {
    this.#status = status;
    this.#log = log;
    this.#configuration = configuration;
    const hasPlainHttp = configuration.httpListeners.length > 0;
    this.#manager = new CertificateManager(optionsOf(configuration, configuration.stateDir), {
      onChange: (pairs) => this.#engine?.replaceCertificates(pairs),
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

  /** From now on the engine gets every change, and plain HTTP leads to its first listener. */
  serveBy(engine: Engine): void {
    this.#engine = engine;
  }

  /** Another state directory waits for a restart; all else that the certificates need is live. */
  participant(): Participant {
    return {
      prepare: async ({ configuration }) => {
        const { stateDir } = this.#configuration;
        const prepared = await this.#manager.prepare(optionsOf(configuration, stateDir));
        return {
          commit: () => {
            prepared.commit();
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
    const served = this.#manager.status().map(({ sans, ...one }) => {
      const { source, subject, notAfter, daysLeft, lastError } = one;
      return { source, subject, names: sans, notAfter, daysLeft, lastError };
    });
    this.#status.set('certificates', served);
    this.#status.set('certificatesWaiting', this.#manager.waiting());
  }
}
