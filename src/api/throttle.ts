// SPDX-License-Identifier: Apache-2.0
// Bounds the number of wrong tokens. After a few of them an address is refused for a minute, and its
// tokens are not checked meanwhile. A second bound holds for all addresses. Beyond it a wrong token is
// not logged and gets the same refusal as a throttled one, but a right token is still accepted:
// guesses of strangers must not lock the operator out, and nobody guesses 256 bits.

import { isIPv6 } from 'node:net';

export const throttleBounds = {
  windowMs: 60_000,
  failuresMax: 5,
  failuresInAllMax: 60,
  /** Beyond it the address that failed first is forgotten; the bound in all still counts. */
  addressesMax: 256,
} as const;

interface Count {
  failures: number;
  endsAtMs: number;
}

/** One customer has an IPv6 network of 64 bits, and all of its addresses. */
export function networkOf(address: string): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address;
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array<string>(Math.max(zeros, 0)).fill('0'), ...right];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}

export class GuessThrottle {
  readonly #nowMs: () => number;
  readonly #addresses = new Map<string, Count>();
  #inAll: Count = { failures: 0, endsAtMs: 0 };

  /** The clock must not be set, nor go back. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** How many seconds nothing from this address is listened to; 0: it may try. */
  waitS(address: string): number {
    const count = this.#addresses.get(networkOf(address));
    if (count === undefined || count.failures < throttleBounds.failuresMax) return 0;
    return secondsUntil(count.endsAtMs, this.#nowMs());
  }

  /** How many seconds wrong tokens get no more than a request to wait; 0: there were few. */
  waitInAllS(): number {
    if (this.#inAll.failures < throttleBounds.failuresInAllMax) return 0;
    return secondsUntil(this.#inAll.endsAtMs, this.#nowMs());
  }

  /** Takes a wrong token into account, and says whose bound it has reached by that. */
  failed(address: string): { isAddressFull: boolean; isAllFull: boolean } {
    const network = networkOf(address);
    const own = this.#raised(this.#addresses.get(network));
    this.#addresses.delete(network); // To the end of the order.
    this.#addresses.set(network, own);
    if (this.#addresses.size > throttleBounds.addressesMax) {
      const [oldest] = this.#addresses.keys();
      if (oldest !== undefined) this.#addresses.delete(oldest);
    }
    this.#inAll = this.#raised(this.#inAll);
    return {
      isAddressFull: own.failures === throttleBounds.failuresMax,
      isAllFull: this.#inAll.failures === throttleBounds.failuresInAllMax,
    };
  }

  /** For tests: how many addresses are known. */
  get size(): number {
    return this.#addresses.size;
  }

  #raised(count: Count | undefined): Count {
    const nowMs = this.#nowMs();
    if (count === undefined || count.endsAtMs <= nowMs) {
      return { failures: 1, endsAtMs: nowMs + throttleBounds.windowMs };
    }
    const isFull = count.failures + 1 === throttleBounds.failuresMax;
    const endsAtMs = isFull ? nowMs + throttleBounds.windowMs : count.endsAtMs;
    return { failures: count.failures + 1, endsAtMs };
  }
}

function secondsUntil(atMs: number, nowMs: number): number {
  return Math.max(Math.ceil((atMs - nowMs) / 1_000), 0);
}
