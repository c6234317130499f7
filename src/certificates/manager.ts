// SPDX-License-Identifier: Apache-2.0
// Owns every source of certificates and says what is to be served now: installed pairs first, then
// an uploaded one, then the enrolled one, then the device's own. Looks again every few seconds, when a file changes, when
// the clock jumps and when it is asked to; warns before an end. daemon.ts starts it, hands
// `current()` to the engine, and replaces them on `onChange`.

import { isDeepStrictEqual } from 'node:util';
import { reasonOf, StartError } from '../base/start-error.js';
import { isSystemError } from '../files/durable.js';
import { type Housekeeper, noHousekeeping } from '../files/housekeeping.js';
import type { TokenKey } from '../tls/token-key.js';
import { type Clock, ClockWatch, isClockSet, minuteMs, secondMs, systemClock } from './clock.js';
import { DeviceSource } from './device-source.js';
import type { EnrolmentOptions } from './enrolment.js';
import { ExpiryWarnings } from './expiry.js';
import { type InstalledOptions, InstalledSource } from './installed.js';
import type { DeviceNames } from './names.js';
import { type InstalledPair, unreachablePairs } from './overlap.js';
import type {
  CertificatePair,
  ChallengeResponder,
  Occasion,
  Report,
  Runtime,
  Served,
  Source,
} from './source.js';
import { type CertificateStatus, statusOf } from './status.js';
import { type Installation, UploadedSource } from './uploaded.js';
import { leaveWish } from './wish.js';

export interface CertificateOptions {
  stateDir: string;
  /** The first is the default; clients choose the others by name (SNI). */
  installed: InstalledOptions[];
  enrolment?: EnrolmentOptions | undefined;
  /** The key of what the device gets by itself; undefined: keys are files. */
  tokenKey?: TokenKey | undefined;
  /** The key of the device's authority, likewise. */
  authorityKey?: TokenKey | undefined;
}

export interface ManagerHooks {
  /**
   * What to serve has changed. Must take it completely or throw and keep what it has; a pair that
   * is refused is reported.
   */
  onChange(pairs: CertificatePair[], reason: string): void;
  /** For the log. */
  onReport(report: Report): void;
  /** The wall clock jumped by so much: whoever else judges by dates wants a new look. */
  onClockJump?(jumpMs: number): void;
  /** What answers ACME's challenges on port 80; needed for ACME alone. */
  challenges?: ChallengeResponder;
  /** What is written and tidied beside the serving; without it nothing is tried again. */
  housekeeping?: Housekeeper;
  clock?: Clock;
  buildDateMs?: number;
  names?: () => DeviceNames;
}

export interface Prepared {
  pairs: CertificatePair[];
  /** Serves the new sources. Throws what onChange throws; then nothing changed. */
  commit(): void;
  /** Takes a commit back, at once after it: the old sources are ended soon. */
  rollBack(): void;
}

export const tickMs = 15 * secondMs;
const slowLookMs = 5 * minuteMs;

interface SourceSet {
  options: CertificateOptions;
  sources: Source[];
}

export class CertificateManager {
  readonly #hooks: ManagerHooks;
  readonly #runtime: Runtime;
  readonly #clockWatch: ClockWatch;
  readonly #expiry: ExpiryWarnings;
  #set: SourceSet;
  #announced: string[] = []; // The chains that onChange took last.
  #slowLookAtMs = 0;
  #cancelTick: (() => void) | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isClosed = false;

  /** Does nothing yet; `start()` does. */
  constructor(options: CertificateOptions, hooks: ManagerHooks) {
    this.#hooks = hooks;
    const { clock = systemClock, buildDateMs = SPLICED_BUILD_DATE_MS } = hooks;
    this.#runtime = {
      clock,
      buildDateMs,
      challenges: hooks.challenges,
      housekeeping: hooks.housekeeping ?? noHousekeeping,
      report: (report) => hooks.onReport(report),
      changed: (reason) => this.#announce(reason),
    };
    this.#clockWatch = new ClockWatch(clock);
    this.#expiry = new ExpiryWarnings(this.#runtime);
    this.#set = { options, sources: [] };
  }

  /**
   * Loads every source. One that cannot be loaded is reported, and looked at again, as long as another
   * has something to serve; else throws StartError with everything that is wrong, in one line.
   */
  async start(): Promise<void> {
    this.#set = await this.#load(this.#set.options);
    this.#announced = this.#chains();
    for (const { source, certificate } of this.#served()) {
      const { fingerprint256: fingerprint, validTo } = certificate;
      const notAfter = new Date(validTo).toISOString();
      this.#runtime.report({
        severity: 'info',
        event: 'certificate',
        source,
        fingerprint,
        notAfter,
      });
    }
    this.#expiry.look(this.#served());
    this.#slowLookAtMs = this.#runtime.clock.monotonicMs() + slowLookMs;
    this.#planTick();
    await this.#look('tick'); // Begins the watches.
  }

  /** What is to be served, the default first. Never empty after `start()`. */
  current(): CertificatePair[] {
    return pairsOf(this.#served());
  }

  /** For the status document. */
  status(): CertificateStatus[] {
    return this.#set.sources.flatMap((source) => statusOf(source, this.#runtime));
  }

  /** Sources that have nothing to serve although they should, with their last error. */
  waiting(): { source: string; lastError: string | null }[] {
    return this.#set.sources
      .filter(({ lastError, name }) => lastError !== undefined || name === 'enrolment')
      .filter((source) => source.served().length === 0)
      .map(({ name, lastError }) => ({ source: name, lastError: lastError ?? null }));
  }

  /** Checks, stores and serves a pair that was uploaded; a bad one changes nothing. */
  install(pair: CertificatePair): Promise<Installation> {
    return this.#uploaded().install(pair);
  }

  /** Forgets the uploaded pair. */
  uninstall(): Promise<void> {
    return this.#uploaded().remove();
  }

  /**
   * Has renewed what the device renews by itself; answers with the names of those sources. The
   * device's own is done when this settles, an enrolment goes on.
   */
  async renew(): Promise<string[]> {
    const asked = this.#set.sources.filter(
      ({ wishDirectory }) => wishDirectory !== undefined && leaveWish(wishDirectory),
    );
    if (asked.length > 0) await this.#look('reload');
    return asked.map(({ name }) => name);
  }

  /** Looks at everything again, for an operator who replaced a file or set the clock. */
  reload(): Promise<void> {
    return this.#look('reload');
  }

  /**
   * The first half of a reload with other options: loads and checks everything that they name,
   * and touches nothing that runs; what is never committed leaves nothing behind. Throws
   * StartError with everything that is wrong.
   */
  async prepare(options: CertificateOptions): Promise<Prepared> {
    const before = this.#set;
    const next = await this.#load(options, before);
    const use = (set: SourceSet, reason: string): void => {
      const former = this.#set;
      this.#set = set;
      try {
        this.#handOver(reason);
      } catch (error) {
        this.#set = former;
        throw error;
      }
    };
    return {
      pairs: pairsOf(next.sources.flatMap((source) => source.served())),
      commit: () => {
        use(next, 'the configuration was reloaded');
        setImmediate(() => {
          const unused = this.#set === next ? before : next;
          for (const source of unused.sources) {
            if (!this.#set.sources.includes(source)) source.close();
          }
          if (!this.#isClosed) void this.#look('tick');
        });
      },
      rollBack: () => use(before, 'the reload failed'),
    };
  }

  /** Ends every watch, timer and background work. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTick?.();
    for (const source of this.#set.sources) source.close();
    await this.#looking;
  }

  #uploaded(): UploadedSource {
    const found = this.#set.sources.find((source) => source instanceof UploadedSource);
    if (found === undefined) throw new Error('start() was not called');
    return found;
  }

  #served(): Served[] {
    return this.#set.sources.flatMap((source) => source.served());
  }

  /** Whole, since an authority's certificate may be renewed under one that stays. */
  #chains(): string[] {
    return this.#served().map(({ chain }) => chain);
  }

  /** Starts the sources that the options name; those that run already, unchanged, are taken over. */
  async #load(options: CertificateOptions, running?: SourceSet): Promise<SourceSet> {
    const { stateDir, installed, enrolment, tokenKey, authorityKey } = options;
    const isKept = running?.options.stateDir === stateDir;
    const isSameKey = isDeepStrictEqual(tokenKey, running?.options.tokenKey);
    const find = (name: string): Source | undefined =>
      isKept ? running.sources.find((source) => source.name === name) : undefined;
    const files = installed.map((pair) => new InstalledSource(pair, this.#runtime));
    const sources: Source[] = [...files];
    sources.push(find('uploaded') ?? new UploadedSource(stateDir, this.#runtime));
    const isSameEnrolment = isDeepStrictEqual(enrolment, running?.options.enrolment);
    if (enrolment !== undefined) {
      const { EnrolmentSource } = await import('./enrolment.js');
      const kept = isSameEnrolment && isSameKey ? find('enrolment') : undefined;
      sources.push(kept ?? new EnrolmentSource(stateDir, enrolment, this.#runtime, { tokenKey }));
    }
    // Its own certificate is what a device serves until an enrolment has brought one, and for the
    // names that only it covers. An operator who installs certificates wants those alone.
    if (installed.length === 0) {
      const { names } = this.#hooks;
      const device = () => new DeviceSource(stateDir, this.#runtime, names, tokenKey, authorityKey);
      const isSameAuthority = isDeepStrictEqual(authorityKey, running?.options.authorityKey);
      sources.push((isSameKey && isSameAuthority ? find('device') : undefined) ?? device());
    }
    const fresh = sources.filter((source) => !running?.sources.includes(source));
    const outcomes = await Promise.allSettled(fresh.map((source) => source.start()));
    const failures = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    const unreachable =
      failures.length === 0 ? unreachablePairs(files.flatMap(installedPairs)) : [];
    failures.push(...unreachable.map((line) => new StartError(line)));
    const isUnexpected = (one: unknown): boolean =>
      !(one instanceof StartError || isSystemError(one));
    const unexpected = failures.find(isUnexpected);
    // A reload has something better to go on with: what runs. A pair that no client could ever get is
    // a mistake of the configuration, which nothing mends later.
    const isLater = running === undefined && unreachable.length === 0;
    const canServe = isLater && sources.some((one) => one.served().length > 0);
    if (failures.length === 0 || (unexpected === undefined && canServe)) {
      for (const reason of failures.map(reasonOf)) {
        this.#runtime.report({ severity: 'error', event: 'certificate_source_failed', reason });
      }
      return { options, sources };
    }
    for (const source of fresh) source.close();
    throw unexpected ?? new StartError(failures.map(reasonOf).join('; '));
  }

  /** Gives the owner what is served now, if that is not what it has. Throws its refusal. */
  #handOver(reason: string): void {
    const chains = this.#chains();
    if (this.#isClosed || isDeepStrictEqual(chains, this.#announced)) return;
    this.#hooks.onChange(this.current(), reason);
    this.#announced = chains;
    const fingerprints = this.#served().map(({ certificate }) => certificate.fingerprint256);
    this.#runtime.report({ severity: 'info', event: 'certificate_changed', reason, fingerprints });
  }

  #announce(reason: string): void {
    try {
      this.#handOver(reason);
    } catch (error) {
      const refusal = reasonOf(error);
      this.#runtime.report({ severity: 'error', event: 'certificate_refused', reason: refusal });
    }
  }

  #planTick(): void {
    this.#cancelTick = this.#runtime.clock.after(tickMs, () => {
      void this.#tick().finally(() => {
        if (!this.#isClosed) this.#planTick();
      });
    });
  }

  async #tick(): Promise<void> {
    const { clock, buildDateMs } = this.#runtime;
    const jumpMs = this.#clockWatch.takeJumpMs();
    if (jumpMs !== 0) {
      const now = new Date(clock.nowMs()).toISOString();
      const isSet = isClockSet(clock.nowMs(), buildDateMs);
      const jumpSeconds = Math.round(jumpMs / secondMs);
      this.#runtime.report({ severity: 'warn', event: 'clock_jumped', jumpSeconds, now, isSet });
      this.#hooks.onClockJump?.(jumpMs);
    }
    const isSlow = clock.monotonicMs() >= this.#slowLookAtMs;
    if (isSlow) this.#slowLookAtMs = clock.monotonicMs() + slowLookMs;
    await this.#look(jumpMs !== 0 ? 'clock' : isSlow ? 'slow' : 'tick');
    // A pair that the owner refused before is offered again, now and then.
    if (isSlow) this.#announce('the last change was refused');
  }

  /** One round at a time. */
  #look(occasion: Occasion): Promise<void> {
    this.#looking = this.#looking.then(async () => {
      for (const source of this.#set.sources) {
        if (!this.#isClosed) await source.look(occasion);
      }
      if (!this.#isClosed) this.#expiry.look(this.#served());
    });
    return this.#looking;
  }
}

const installedPairs = (source: InstalledSource): InstalledPair[] =>
  source.served().map(({ certificate }) => ({ options: source.options, certificate }));

/** Pairs of one name are served together when the operator installed both; else the first alone. */
function pairsOf(served: readonly Served[]): CertificatePair[] {
  return served.map(({ chain, privateKey, isInstalled = false }) => ({
    chain,
    privateKey,
    standsAlone: !isInstalled,
  }));
}
