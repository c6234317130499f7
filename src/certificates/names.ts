// SPDX-License-Identifier: Apache-2.0
// The names under which a browser may reach this device: its host name, the multicast DNS name
// (RFC 6762), localhost, and the address of every interface.

import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';

export interface DeviceNames {
  commonName: string;
  dns: string[];
  ip: string[];
}

// RFC 1123 2.1 with the underscore that some boards carry in their name.
const dnsName = /^[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_-]{1,63})*$/i;
export const commonNameCharsMax = 64; // RFC 5280 appendix A.1: ub-common-name

export function deviceNames(
  host: string = hostname(),
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces(),
): DeviceNames {
  const dns = new Set<string>();
  if (dnsName.test(host)) {
    dns.add(host.toLowerCase());
    const label = host.toLowerCase().split('.', 1)[0] ?? '';
    if (label !== 'localhost') dns.add(`${label}.local`);
  }
  dns.add('localhost');
  const ip = new Set(['127.0.0.1', '::1']);
  for (const entries of Object.values(interfaces)) {
    for (const { address, internal } of entries ?? []) {
      if (!internal) ip.add(address.replace(/%.*$/, '')); // A zone means nothing elsewhere.
    }
  }
  const [first = 'localhost'] = dns;
  return { commonName: first.slice(0, commonNameCharsMax), dns: [...dns], ip: [...ip] };
}

/** Names as an operator lists them, addresses among them. The first DNS name is the common name. */
export function namesFrom(list: readonly string[]): DeviceNames {
  const ip = list.filter((name) => isIP(name) !== 0);
  const dns = list.filter((name) => isIP(name) === 0).map((name) => name.toLowerCase());
  return { commonName: (dns[0] ?? ip[0] ?? '').slice(0, commonNameCharsMax), dns, ip };
}
