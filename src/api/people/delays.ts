// SPDX-License-Identifier: Apache-2.0
// How long a name, or an address, waits after wrong passwords. The delay grows with each, to an end:
// nobody is locked out for good. From an address where somebody has signed in by this name before, the
// guesses of strangers do not count. Used by people.ts.

import { networkOf } from '../throttle.js';

export const delayBounds = {
  /** Wrong passwords that cost no delay. */
  freeMax: 3,
  firstMs: 1_000,
  nameMsMax: 60_000,
  addressMsMax: 300_000,
  /** After so long without a wrong one all is forgotten. */
  quietMs: 900_000,
  /** Of names and of addresses; beyond it the one with the fewest wrong ones is forgotten. */
  entriesMax: 512,
  /** Addresses from which somebody has signed in. */
  knownMax: 128,
} as const;

interface Count {
  failures: number;
  waitsUntilMs: number;
  quietAtMs: number;
}

class Table {
  readonly #counts = new Map<string, Count>();
  readonly #msMax: number;

  constructor(msMax: number) {
    this.#msMax = msMax;
  }

  get size(): number {
    return this.#counts.size;
  }

  waitMs(key: string, nowMs: number): number {
    return Math.max((this.#counts.get(key)?.waitsUntilMs ?? 0) - nowMs, 0);
  }

  failed(key: string, nowMs: number): void {
    const { freeMax, firstMs, quietMs, entriesMax } = delayBounds;
    const found = this.#counts.get(key);
    const failures = found === undefined || found.quietAtMs <= nowMs ? 1 : found.failures + 1;
    const beyond = failures - freeMax;
    const delayMs =
      beyond <= 0 ? 0 : Math.min(firstMs * 2 ** Math.min(beyond - 1, 20), this.#msMax);
    if (found === undefined && this.#counts.size >= entriesMax) this.#forgetLeast(nowMs);
    const waitsUntilMs = nowMs + delayMs;
    this.#counts.set(key, { failures, waitsUntilMs, quietAtMs: waitsUntilMs + quietMs });
  }

  /** The last one was none. */
  forgive(key: string): void {
    const found = this.#counts.get(key);
    if (found === undefined) return;
    if (found.failures <= 1) this.#counts.delete(key);
    else this.#counts.set(key, { ...found, failures: found.failures - 1, waitsUntilMs: 0 });
  }

  clear(key: string): void {
    this.#counts.delete(key);
  }

  #forgetLeast(nowMs: number): void {
    let least: [key: string, failures: number] | undefined;
    for (const [key, { failures, quietAtMs }] of this.#counts) {
      const weight = quietAtMs <= nowMs ? 0 : failures;
      if (least === undefined || weight < least[1]) least = [key, weight];
    }
    if (least !== undefined) this.#counts.delete(least[0]);
  }
}

export class SignInDelays {
  readonly #nowMs: () => number;
  readonly #names = new Table(delayBounds.nameMsMax);
  readonly #addresses = new Table(delayBounds.addressMsMax);
  readonly #known = new Set<string>();

  /** The clock must not be set, nor go back. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** How many seconds until a password is looked at; 0: now. */
  waitS(name: string, address: string): number {
    const nowMs = this.#nowMs();
    const network = networkOf(address);
    const ofName = this.#known.has(keyOf(name, network)) ? 0 : this.#names.waitMs(name, nowMs);
    return Math.ceil(Math.max(ofName, this.#addresses.waitMs(network, nowMs)) / 1_000);
  }

  /** Before a password is looked at: many that come at once are not one. */
  begin(name: string, address: string): void {
    const nowMs = this.#nowMs();
    const network = networkOf(address);
    this.#addresses.failed(network, nowMs);
    if (!this.#known.has(keyOf(name, network))) this.#names.failed(name, nowMs);
  }

  /** It was not looked at. */
  undo(name: string, address: string): void {
    const network = networkOf(address);
    this.#addresses.forgive(network);
    if (!this.#known.has(keyOf(name, network))) this.#names.forgive(name);
  }

  /** It was right. Whoever has a name of his own gains nothing for guesses at others. */
  succeeded(name: string, address: string): void {
    const network = networkOf(address);
    this.#addresses.forgive(network);
    this.#names.clear(name);
    const key = keyOf(name, network);
    this.#known.delete(key); // To the end of the order.
    this.#known.add(key);
    const [oldest] = this.#known;
    if (this.#known.size > delayBounds.knownMax && oldest !== undefined) this.#known.delete(oldest);
  }

  /** For tests: how many names and addresses are known. */
  get sizes(): { names: number; addresses: number; known: number } {
    return {
      names: this.#names.size,
      addresses: this.#addresses.size,
      known: this.#known.size,
    };
  }
}

const keyOf = (name: string, network: string): string => `${name} ${network}`;
