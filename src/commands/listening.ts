// SPDX-License-Identifier: Apache-2.0
// What the kernel knows of the sockets that listen on this device (proc_net_tcp): whether an address
// that a service names is one of them, and whose. Used by index-check.ts.

import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import type { ListenAddress } from '../config/address.js';

const stateListen = '0A';

/** One spelling for each address. */
function canonical(address: string): string {
  const [bare = ''] = address.split('%');
  return bare.includes(':') ? new URL(`http://[${bare}]/`).hostname.slice(1, -1) : bare;
}

/** The kernel prints words of 32 bits in the order of the machine. */
function addressOf(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => {
    const inOrder = word.match(/../g) ?? [];
    return endianness() === 'LE' ? inOrder.reverse() : inOrder;
  });
  if (bytes.length === 4) return bytes.map((byte) => Number.parseInt(byte, 16)).join('.');
  return canonical((bytes.join('').match(/.{4}/g) ?? []).join(':'));
}

interface Listening extends ListenAddress {
  uid: number;
}

function rowsOf(table: string): Listening[] {
  return table
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , state, , , , uid] = line.trim().split(/\s+/);
      if (state !== stateListen) return [];
      const [address = '', port = ''] = local.split(':');
      return [{ address: addressOf(address), port: Number.parseInt(port, 16), uid: Number(uid) }];
    });
}

function readTable(name: string): string {
  try {
    return readFileSync(`/proc/self/net/${name}`, 'latin1');
  } catch {
    return ''; // No IPv6 in this kernel.
  }
}

/**
 * Why the address is not one on which the service of that user listens here; undefined: it is. Sockets
 * of a socket unit are root's.
 */
export function listenerFault(
  { address, port }: ListenAddress,
  uid: number,
  tables: readonly string[] = [readTable('tcp'), readTable('tcp6')],
): string | undefined {
  const wanted = canonical(address);
  const found = tables.flatMap(rowsOf).filter((row) => row.port === port && row.address === wanted);
  if (found.length === 0) return 'nothing on this device listens there';
  if (found.some((row) => row.uid === uid || row.uid === 0)) return undefined;
  return `user ${found[0]?.uid} listens there, not the service`;
}
