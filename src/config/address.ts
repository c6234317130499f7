// SPDX-License-Identifier: Apache-2.0
// Listen addresses as users write them: "0.0.0.0:8443", "[::]:8443". Names are not resolved: which
// interface serves must not depend on a name service that is not up yet when a device boots.

import { isIPv4, isIPv6 } from 'node:net';

export interface ListenAddress {
  address: string;
  port: number;
}

const portMax = 65535;

/** Throws an Error whose message says what is wrong with the text. */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  if (!match) throw new Error(`"${text}" is not ADDRESS:PORT, such as 0.0.0.0:8443 or [::]:8443`);
  const [, bracketed, plain, digits] = match;
  const port = Number(digits);
  if (port > portMax) throw new Error(`"${text}" has a port above ${portMax}`);
  if (bracketed !== undefined) {
    if (!isIPv6(bracketed)) throw new Error(`"${text}" has no IPv6 address in its brackets`);
    return { address: bracketed, port };
  }
  if (plain === undefined || !isIPv4(plain)) {
    throw new Error(`"${text}" needs a numeric address, such as 0.0.0.0:8443 or [::]:8443`);
  }
  return { address: plain, port };
}

/** The text that parseListenAddress reads back. */
export function formatListenAddress({ address, port }: ListenAddress): string {
  // Not isIPv6(): its expression takes milliseconds to compile, and each start comes by here.
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
