// SPDX-License-Identifier: Apache-2.0
// Whether the kernel's cipher (on i.MX the CAAM engine) is to be trusted with new connections. What
// the canary brings back decides: wrong bytes or a bad MAC suspend it at once; no completion only
// when a canary in user space came back in between, because a service that is merely busy or hung
// answers neither. Suspended, it is tried again with canaries alone, each time later. Pure decisions
// over an injected clock; health.ts carries them out.

import type { CanaryResult } from './canary.js';

export interface AcceleratorParts {
  /** The engine's; engine/native.ts. */
  setOffload(mode: 'auto' | 'off', reason: string): void;
  onSuspended(reason: string, retryMs: number): void;
  onResumed(suspendedMs: number): void;
  /** Milliseconds that never go back. */
  nowMs(): number;
}

/** The first trial after a suspension; each that fails doubles the wait. */
export const retryMsMin = 60_000;
export const retryMsMax = 3_600_000;

interface Suspension {
  reason: string;
  sinceMs: number;
  retryAtMs: number;
}

export interface AcceleratorStatus {
  suspended: boolean;
  reason: string;
  /** How often in the life of the process. */
  suspensions: number;
  retryInMs: number;
}

export class Accelerator {
  readonly #parts: AcceleratorParts;
  #suspension: Suspension | undefined;
  #suspensions = 0;
  #retryMs = retryMsMin;
  #resumedAtMs: number | undefined;
  #isStuck = false;
  // After a canary that did not come back from the kernel: the next one is the control, in user
  // space; after that the kernel has its second chance.
  #doubt: 'none' | 'control' | 'second_chance' = 'none';

  constructor(parts: AcceleratorParts) {
    this.#parts = parts;
  }

  /** Whether the next canary shall try the kernel. */
  nextInKernel(): boolean {
    if (this.#suspension === undefined) return this.#doubt !== 'control';
    return !this.#isStuck && this.#parts.nowMs() >= this.#suspension.retryAtMs;
  }

  /** True: the next canary is to follow soon, the question is open. */
  get isInDoubt(): boolean {
    return this.#doubt !== 'none';
  }

  /** Ledgers that have waited for the cipher alone, too long: that is proof without a canary. */
  observeStuck(ledgers: number): void {
    this.#isStuck = ledgers > 0;
    if (!this.#isStuck || this.#suspension !== undefined) return;
    this.#suspend(`${ledgers} connections wait for the cipher alone`);
  }

  /** Known from elsewhere: the engine was replaced. */
  suspendFor(reason: string): void {
    if (this.#suspension === undefined) this.#suspend(reason);
  }

  take(result: CanaryResult, wasInKernel: boolean): void {
    if (this.#suspension === undefined) this.#judge(result);
    else if (wasInKernel) this.#takeTrial(result);
  }

  status(): AcceleratorStatus {
    const { reason = '', retryAtMs } = this.#suspension ?? {};
    const retryInMs = Math.max(0, Math.round((retryAtMs ?? 0) - this.#parts.nowMs()));
    const suspended = this.#suspension !== undefined;
    return { suspended, reason, suspensions: this.#suspensions, retryInMs };
  }

  /** Where the kernel did not encrypt, nothing is known of it. */
  #judge({ fault, cipher, reason = '' }: CanaryResult): void {
    if (cipher === 'user_space') {
      const isControl = this.#doubt === 'control';
      if (isControl) this.#doubt = fault === undefined ? 'second_chance' : 'none';
    } else if (fault === 'wrong_bytes' || fault === 'bad_record') {
      this.#suspend(reason);
    } else if (fault !== 'no_completion') {
      this.#doubt = 'none';
    } else if (this.#doubt === 'second_chance') {
      this.#suspend(`${reason}; in user space the same request was answered`);
    } else {
      this.#doubt = 'control';
    }
  }

  #takeTrial({ fault, cipher }: CanaryResult): void {
    if (cipher === 'kernel' && fault === undefined) this.#resume();
    // It may have failed before the kernel had it: then the trial is still to come.
    else this.#postpone(cipher === 'kernel' ? this.#retryMs * 2 : this.#retryMs);
  }

  #suspend(reason: string): void {
    const nowMs = this.#parts.nowMs();
    // One that is wrong again soon after it was right is not trusted sooner than before.
    const wasLong = this.#resumedAtMs === undefined || nowMs - this.#resumedAtMs > retryMsMax;
    this.#retryMs = wasLong ? retryMsMin : Math.min(this.#retryMs * 2, retryMsMax);
    this.#suspension = { reason, sinceMs: nowMs, retryAtMs: nowMs + this.#retryMs };
    this.#suspensions += 1;
    this.#doubt = 'none';
    this.#parts.setOffload('off', reason);
    this.#parts.onSuspended(reason, this.#retryMs);
  }

  #postpone(retryMs: number): void {
    this.#retryMs = Math.min(retryMs, retryMsMax);
    if (this.#suspension) this.#suspension.retryAtMs = this.#parts.nowMs() + this.#retryMs;
  }

  #resume(): void {
    const nowMs = this.#parts.nowMs();
    const suspendedMs = nowMs - (this.#suspension?.sinceMs ?? nowMs);
    this.#suspension = undefined;
    this.#resumedAtMs = nowMs;
    this.#parts.setOffload('auto', '');
    this.#parts.onResumed(suspendedMs);
  }
}
