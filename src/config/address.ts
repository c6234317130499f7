// SPDX-License-Identifier: Apache-2.0
// Listen addresses as users write them: "0.0.0.0:8443", "[::]:8443", "[fe80::1%eth0]:8443". Names are
// not resolved: which interface serves must not depend on a name service that is not up yet when a
// device boots. Which of several addresses are listened on is decided here as well, so that
// `config check` and a start cannot differ.

import { isIPv4, isIPv6 } from 'node:net';

export interface ListenAddress {
  address: string;
  port: number;
}

const portMax = 65535;
const isLinkLocal = (address: string): boolean => /^fe[89ab]/i.test(address);

/** The one spelling of an address that others can be compared with (RFC 5952); zones stay. */
function canonical(address: string): string {
  if (!address.includes(':')) return address;
  const [plain = '', zone] = address.split('%');
  const short = new URL(`http://[${plain}]/`).hostname.slice(1, -1);
  return zone === undefined ? short : `${short}%${zone}`;
}

/** An IPv4 address that is written as an IPv6 one (RFC 4291 2.5.5.2) is bound as what it is. */
function unmapped(address: string): string {
  const hex = /^::ffff:([\da-f]+):([\da-f]+)$/.exec(canonical(address));
  if (hex === null) return address;
  const [high = 0, low = 0] = hex.slice(1).map((part) => Number.parseInt(part, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

function judgeIPv6(text: string, address: string): void {
  if (!isIPv6(address)) throw new Error(`"${text}" has no IPv6 address in its brackets`);
  if (isLinkLocal(address) && !address.includes('%')) {
    throw new Error(`"${text}" needs the interface of a link-local address: [${address}%eth0]`);
  }
  if (!isLinkLocal(address) && address.includes('%')) {
    throw new Error(`"${text}" names an interface, which only a link-local address (fe80::) has`);
  }
}

/** Throws an Error whose message says what is wrong with the text. */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  if (!match) throw new Error(`"${text}" is not ADDRESS:PORT, such as 0.0.0.0:8443 or [::]:8443`);
  const [, bracketed, plain, digits] = match;
  const port = Number(digits);
  if (port > portMax) throw new Error(`"${text}" has a port above ${portMax}`);
  if (bracketed !== undefined) {
    // Not for "[::]": isIPv6's expression takes milliseconds to compile, and each start comes by.
    if (bracketed === '::') return { address: bracketed, port };
    judgeIPv6(text, bracketed);
    return { address: unmapped(bracketed), port };
  }
  if (plain === undefined || !isIPv4(plain)) {
    throw new Error(`"${text}" needs a numeric address, such as 0.0.0.0:8443 or [::]:8443`);
  }
  return { address: plain, port };
}

/** The text that parseListenAddress reads back. */
export function formatListenAddress({ address, port }: ListenAddress): string {
  // Not isIPv6(): see above.
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Whether a socket of `wide` takes every connection to `other`. */
function covers(wide: ListenAddress, other: ListenAddress, isDual: boolean): boolean {
  if (wide.port !== other.port || wide.port === 0) return false; // 0 is another port each time.
  const [all, one] = [canonical(wide.address), canonical(other.address)];
  const isIPv6One = one.includes(':');
  if (all === '::') return isIPv6One || isDual;
  if (all === '0.0.0.0') return !isIPv6One;
  return all === one;
}

/**
 * Those of `addresses` that are bound: one that another takes in, or repeats, is not. `isDual`:
 * "[::]" takes IPv4 clients as well.
 */
export function withoutCovered(addresses: ListenAddress[], isDual: boolean): ListenAddress[] {
  return addresses.filter(
    (one, index) =>
      !addresses.some((other, place) => {
        if (place === index || !covers(other, one, isDual)) return false;
        return place < index || !covers(one, other, isDual);
      }),
  );
}

/** Two that cannot both be bound, one of HTTPS ("[::]" takes IPv4) and one of plain HTTP. */
export function findConflict(
  https: readonly ListenAddress[],
  http: readonly ListenAddress[],
): [ListenAddress, ListenAddress] | undefined {
  for (const one of https) {
    for (const other of http) {
      if (covers(one, other, true) || covers(other, one, false)) return [one, other];
    }
  }
  return undefined;
}
