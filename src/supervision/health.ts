// SPDX-License-Identifier: Apache-2.0
// The service looks after itself: runs the canary, lets the accelerator and the watchdog judge by
// what it brings back, and tells the operator in the log, the status page and in words for systemd.
// Made by daemon.ts when the service is ready.

import { visibleJson } from '../base/visible.js';
import type { Log } from '../log/log.js';
import { Accelerator } from './accelerator.js';
import { Canary, type CanaryResult, type CanaryRun, type CanaryService } from './canary.js';
import { type Clock, systemClock, Watchdog, type WatchedEngine } from './watchdog.js';

/** The part of the engine that is needed here; engine/native.ts has the promises. */
export interface HealthService extends CanaryService {
  stats(): string;
  ping(index: number): void;
  pulse(): {
    ledgersStuck: number;
    enginesHanging: number;
    canariesOffloaded: number;
    /** By index. */
    engines: { heartbeat: number; ledgersStuck: number; hasEnded: boolean }[];
  };
  setOffload(mode: 'auto' | 'off', reason: string): void;
  annotate(name: string, json: string): void;
}

export interface HealthParts {
  service: HealthService;
  /** takeWatchdogPeriod(); undefined: systemd does not wait for us. */
  watchdogMs: number | undefined;
  /** To the service manager; never throws. */
  notify(message: string): void;
  /** What STATUS= is to say beside the rest; empty: nothing is wrong. */
  onTroubles(words: string): void;
  log: Log;
  clock?: Clock;
  /** For tests: what runs in place of a real request. */
  canary?: { run(run: CanaryRun): Promise<CanaryResult>; close(why?: string): void };
}

// Without a watchdog, and at most with one: a canary costs a handshake, some milliseconds of a
// small board's processor.
const canaryPeriodMsMax = 60_000;
const canaryTimeoutMsMax = 30_000;
// After one that failed, or while it is open whose fault it was.
const soonMsMax = 5_000;

// The status page leaves in one piece: native/base/limits.hpp.
const reasonCharactersMax = 240;
const shortened = (reason: string): string => reason.slice(0, reasonCharactersMax);

/** Nobody could use what a canary finds: no watchdog waits, and the kernel encrypts nothing. */
export function isHealthWatched(watchdogMs: number | undefined, statsJson: string): boolean {
  const { offload } = JSON.parse(statsJson);
  return watchdogMs !== undefined || (offload.mode === 'auto' && offload.kernel === 'available');
}

/** Private keys in tokens that do not sign now. */
const failingKeys = (statsJson: string): { key: string; reason: string }[] =>
  JSON.parse(statsJson).tls?.signatures?.failing ?? [];

/** Each engine with its own heartbeat. */
const watchedEngines = (service: HealthService): WatchedEngine[] =>
  service.pulse().engines.map((first, index) => ({
    ping: () => service.ping(index),
    pulse: () => service.pulse().engines[index] ?? first,
  }));

export class Health {
  readonly #parts: HealthParts;
  readonly #clock: Clock;
  readonly #canary: NonNullable<HealthParts['canary']>;
  readonly #accelerator: Accelerator;
  readonly #watchdog: Watchdog | undefined;
  readonly #figures = { ok: 0, failed: 0, lastMs: 0, lastCipher: '', lastError: '' };
  #cancel: () => void = () => {};
  #isClosed = false;
  #fault: string | undefined;
  #words = '';

  /** Throws when there is no memory for the canary's body. */
  constructor(parts: HealthParts) {
    const { service, log, clock = systemClock, canary = new Canary(service) } = parts;
    this.#parts = parts;
    this.#clock = clock;
    this.#canary = canary;
    this.#accelerator = new Accelerator({
      setOffload: (mode, reason) => service.setOffload(mode, shortened(reason)),
      nowMs: clock.nowMs,
      onSuspended: (reason, retryMs) =>
        log.error({ event: 'accelerator_suspended', reason, retryMs }),
      onResumed: (suspendedMs) => log.warn({ event: 'accelerator_resumed', suspendedMs }),
    });
    this.#watchdog = this.#makeWatchdog();
  }

  start(): void {
    this.#watchdog?.start();
    this.#show();
    this.#later(this.#periodMs());
  }

  /** Another engine serves, in user space: the canary that is under way will not come back. */
  engineWasReplaced(reason: string): void {
    this.#accelerator.suspendFor(reason);
    this.#show();
    this.#canary.close('its engine was replaced');
  }

  /** The service stops: no canary any more, and the watchdog asks only that the loops turn. */
  beginStop(): void {
    this.#isClosed = true;
    this.#cancel();
    this.#canary.close();
    this.#watchdog?.beginStop();
  }

  /** Nothing is attested any more. */
  close(): void {
    this.beginStop();
    this.#watchdog?.stop();
  }

  #makeWatchdog(): Watchdog | undefined {
    const { service, watchdogMs: periodMs, notify, log } = this.#parts;
    if (periodMs === undefined) return undefined;
    return new Watchdog({
      periodMs,
      engines: watchedEngines(service),
      notify,
      clock: this.#clock,
      onWithheld: (missing) => {
        log.error({ event: 'watchdog_withheld', missing, canary: this.#figures.lastError });
        this.#show();
      },
      onResumed: (withheldMs) => {
        log.warn({ event: 'watchdog_resumed', withheldMs });
        this.#show();
      },
    });
  }

  #periodMs(): number {
    return Math.min((this.#parts.watchdogMs ?? Number.POSITIVE_INFINITY) / 4, canaryPeriodMsMax);
  }

  #later(ms: number): void {
    this.#cancel = this.#clock.after(ms, () => void this.#round());
  }

  async #round(): Promise<void> {
    const half = (this.#parts.watchdogMs ?? Number.POSITIVE_INFINITY) / 2;
    const inKernel = this.#accelerator.nextInKernel();
    let result: CanaryResult;
    try {
      result = await this.#canary.run({ inKernel, timeoutMs: Math.min(half, canaryTimeoutMsMax) });
    } catch (error) {
      const reason = `the canary could not be sent: ${(error as Error).message}`;
      result = { fault: 'no_service', reason, cipher: 'user_space', durationMs: 0 };
    }
    if (this.#isClosed) return;
    this.#blameToken(result);
    const { ledgersStuck, enginesHanging } = this.#parts.service.pulse();
    this.#accelerator.observeStuck(ledgersStuck + enginesHanging);
    this.#accelerator.take(result, inKernel);
    // What is no address of this host at present is nothing that a restart would mend.
    const isRight =
      result.fault === undefined ||
      result.fault === 'unreachable' ||
      result.fault === 'no_signature';
    if (isRight) this.#watchdog?.canaryIsRight();
    this.#count(result);
    this.#show();
    const isPatient = isRight && !this.#accelerator.isInDoubt;
    this.#later(isPatient ? this.#periodMs() : Math.min(this.#periodMs() / 4, soonMsMax));
  }

  #blameToken(result: CanaryResult): void {
    if (result.fault !== 'no_service') return;
    const [first] = failingKeys(this.#parts.service.stats());
    if (first === undefined) return;
    result.fault = 'no_signature';
    result.reason = `the key ${first.key} does not sign: ${first.reason}`;
  }

  #count({ fault, reason = '', cipher, durationMs }: CanaryResult): void {
    const figures = this.#figures;
    figures.lastMs = durationMs;
    figures.lastCipher = cipher;
    if (fault === undefined) figures.ok += 1;
    else figures.failed += 1;
    if (fault !== undefined) figures.lastError = shortened(`${fault}: ${reason}`);
    // Once a kind: a fault that stays is in the status.
    if (fault !== undefined && fault !== this.#fault) {
      this.#parts.log.warn({ event: 'canary_failed', fault, reason, cipher });
    }
    this.#fault = fault;
  }

  #show(): void {
    const { service, onTroubles } = this.#parts;
    const accelerator = this.#accelerator.status();
    const watchdog = this.#watchdog?.status();
    service.annotate('canary', visibleJson(this.#figures));
    const reason = shortened(accelerator.reason);
    service.annotate('accelerator', visibleJson({ ...accelerator, reason }));
    if (watchdog) service.annotate('watchdog', visibleJson(watchdog));
    const words = [
      ...(accelerator.suspended ? [`kernel TLS is suspended: ${reason}`] : []),
      ...failingKeys(service.stats()).map(({ key }) => `the key ${key} does not sign`),
      ...(watchdog?.missing.length ? [`watchdog withheld: ${watchdog.missing.join(', ')}`] : []),
    ].join('; ');
    if (words !== this.#words) onTroubles(words);
    this.#words = words;
  }
}
