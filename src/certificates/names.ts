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

// A name whose last label is a number is an address for browsers, or none (URL standard, 3.5), and
// no DNS name for anybody.
const endsInNumber = /(^|\.)(\d+|0x[\da-f]*)$/;

/** In lower case, without the root's dot, brackets and zone, which mean nothing elsewhere. */
const plainName = (text: string): string =>
  text
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/%.*$/, '');

export function deviceNames(
  hostName: string = hostname(),
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces(),
): DeviceNames {
  const host = plainName(hostName);
  const isAddress = isIP(host) !== 0;
  const dns = new Set<string>();
  if (!isAddress && dnsName.test(host)) {
    if (!endsInNumber.test(host)) dns.add(host);
    const label = host.split('.', 1)[0] ?? '';
    if (label !== 'localhost') dns.add(`${label}.local`);
  }
  dns.add('localhost');
  const ip = new Set(['127.0.0.1', '::1']);
  if (isAddress) ip.add(host);
  for (const entries of Object.values(interfaces)) {
    for (const { address, internal } of entries ?? []) {
      if (!internal) ip.add(plainName(address));
    }
  }
  const [firstDns = 'localhost'] = dns;
  const commonName = (isAddress ? host : firstDns).slice(0, commonNameCharsMax);
  return { commonName, dns: [...dns], ip: [...ip] };
}

/** Names as an operator lists them, addresses among them. The first DNS name is the common name. */
export function namesFrom(list: readonly string[]): DeviceNames {
  const names = [...new Set(list.map(plainName))];
  const ip = names.filter((name) => isIP(name) !== 0);
  const dns = names.filter((name) => isIP(name) === 0);
  return { commonName: (dns[0] ?? ip[0] ?? '').slice(0, commonNameCharsMax), dns, ip };
}
