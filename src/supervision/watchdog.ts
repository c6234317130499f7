// SPDX-License-Identifier: Apache-2.0
// The watchdog attests instead of ticking: systemd hears WATCHDOG=1 only while the service has
// proof that it works. Made by health.ts; what it sends goes through the injected `notify`.
//
// With W for WatchdogSec, every bound is a share of W, so that the operator sets all with one value:
//   W/4  between attestations: systemd wants one each W, so two may be late or missing.
//   W/2  for a turn of the event loop, or of an engine's loop that was asked for one: a turn under full
//        load takes some seconds at most (256 handshakes of 10 ms), W is 30 s or more in the shipped
//        unit. Asked is only who has not turned since the last look: the canary, which comes as often,
//        makes the others turn, and who is idle is not woken for nothing.
//   W    for the age of the last right canary, each of which may itself take W/2.
//   W/2  for a stuck ledger, beyond the 10 s after which native/conn/stuck.cpp calls it stuck.
// So a service that is slow by less than its bounds is never killed, and one that hangs is killed
// within 2 W of its last sign of life (W for the oldest proof, W for systemd's patience).

export interface WatchedEngine {
  ping(): void;
  pulse(): { heartbeat: number; ledgersStuck: number; hasEnded: boolean };
}

export interface Clock {
  /** Milliseconds that never go back. */
  nowMs(): number;
  /** Calls once, later; the answer cancels. */
  after(ms: number, call: () => void): () => void;
}

/** Two timers of W/4 may add up to a little less than W/2: libuv counts in whole milliseconds. */
const timerSlackMs = 5;

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
};

/** What the proof can lack. */
export type Missing = 'event_loop' | 'engine' | 'canary' | 'ledger';

export interface WatchdogParts {
  /** WatchdogSec, in milliseconds. */
  periodMs: number;
  engines: WatchedEngine[];
  notify(message: string): void;
  onWithheld(missing: Missing[]): void;
  onResumed(withheldMs: number): void;
  clock?: Clock;
}

export interface WatchdogStatus {
  periodMs: number;
  attested: number;
  withheld: number;
  missing: Missing[];
  loopLagMs: number;
  loopLagMsMax: number;
}

/**
 * The watchdog's period by sd_watchdog_enabled(3), in milliseconds; undefined: it is not for us.
 * Takes both variables out of the environment, so that no child believes it is for it.
 */
export function takeWatchdogPeriod(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  const { WATCHDOG_USEC: usec, WATCHDOG_PID: owner } = env;
  delete env.WATCHDOG_USEC;
  delete env.WATCHDOG_PID;
  if (usec === undefined || !/^\d+$/.test(usec) || Number(usec) === 0) return undefined;
  if (owner !== undefined && owner !== String(pid)) return undefined;
  return Number(usec) / 1_000;
}

interface Beat {
  engine: WatchedEngine;
  heartbeat: number;
  /** Since when it owes the turn that it was asked for. */
  askedAtMs: number | undefined;
}

export class Watchdog {
  readonly #parts: WatchdogParts;
  readonly #clock: Clock;
  readonly #beats: Beat[];
  #canaryAtMs: number;
  #stuckSinceMs: number | undefined;
  #dueMs = 0;
  #cancel: () => void = () => {};
  #isStopping = false;
  #missing: Missing[] = [];
  #withheldSinceMs = 0;
  #attested = 0;
  #withheld = 0;
  #lagMs = 0;
  #lagMsMax = 0;

  /** To be made when the service is ready: until then it has W, as for everything. */
  constructor(parts: WatchdogParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
    const nowMs = this.#clock.nowMs();
    this.#canaryAtMs = nowMs;
    this.#beats = parts.engines.map((engine) => {
      const { heartbeat } = engine.pulse();
      return { engine, heartbeat, askedAtMs: undefined };
    });
  }

  start(): void {
    this.#schedule(this.#parts.periodMs / 4);
  }

  stop(): void {
    this.#cancel();
  }

  /** The last responses are being finished: no new request is answered, so none is asked for. */
  beginStop(): void {
    this.#isStopping = true;
  }

  /** A right answer has come; one that could not be asked for counts as well. */
  canaryIsRight(): void {
    this.#canaryAtMs = this.#clock.nowMs();
  }

  status(): WatchdogStatus {
    return {
      periodMs: this.#parts.periodMs,
      attested: this.#attested,
      withheld: this.#withheld,
      missing: this.#missing,
      loopLagMs: Math.round(this.#lagMs),
      loopLagMsMax: Math.round(this.#lagMsMax),
    };
  }

  #schedule(ms: number): void {
    this.#dueMs = this.#clock.nowMs() + ms;
    this.#cancel = this.#clock.after(ms, () => this.#attest());
  }

  #attest(): void {
    const nowMs = this.#clock.nowMs();
    this.#lagMs = Math.max(0, nowMs - this.#dueMs);
    this.#lagMsMax = Math.max(this.#lagMsMax, this.#lagMs);
    this.#look(nowMs);
    const missing = this.#findMissing(nowMs);
    if (missing.length === 0) {
      this.#attested += 1;
      this.#parts.notify('WATCHDOG=1');
    } else {
      this.#withheld += 1;
    }
    this.#tell(missing, nowMs);
    // A loop that was held up gets a chance to show that it turns again.
    const share = missing.includes('event_loop') ? 16 : 4;
    this.#schedule(this.#parts.periodMs / share);
  }

  /** Reads the engines' figures, and asks those that have not turned for a turn. */
  #look(nowMs: number): void {
    let stuck = 0;
    for (const beat of this.#beats) {
      const { heartbeat, ledgersStuck, hasEnded } = beat.engine.pulse();
      stuck += ledgersStuck;
      if (hasEnded || heartbeat !== beat.heartbeat) {
        beat.askedAtMs = undefined;
      } else {
        beat.askedAtMs ??= nowMs;
        beat.engine.ping();
      }
      beat.heartbeat = heartbeat;
    }
    if (stuck === 0) this.#stuckSinceMs = undefined;
    else this.#stuckSinceMs ??= nowMs;
  }

  #findMissing(nowMs: number): Missing[] {
    const { periodMs } = this.#parts;
    const half = periodMs / 2 - timerSlackMs;
    const missing: Missing[] = [];
    if (this.#lagMs > half) missing.push('event_loop');
    const hangs = ({ askedAtMs = nowMs }: Beat): boolean => nowMs - askedAtMs >= half;
    if (this.#beats.some(hangs)) missing.push('engine');
    if (this.#isStopping) return missing;
    if (nowMs - this.#canaryAtMs > periodMs) missing.push('canary');
    if (this.#stuckSinceMs !== undefined && nowMs - this.#stuckSinceMs >= half) {
      missing.push('ledger');
    }
    return missing;
  }

  /** Once when it begins, and once when it is over. */
  #tell(missing: Missing[], nowMs: number): void {
    const before = this.#missing;
    this.#missing = missing;
    if (before.length === 0 && missing.length > 0) {
      this.#withheldSinceMs = nowMs;
      this.#parts.onWithheld(missing);
    } else if (before.length > 0 && missing.length === 0) {
      this.#parts.onResumed(Math.round(nowMs - this.#withheldSinceMs));
    }
  }
}
