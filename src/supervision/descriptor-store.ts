// SPDX-License-Identifier: Apache-2.0
// Listeners over a restart without a socket unit: the service manager keeps duplicates of those that
// we made (FDSTORE=1 of sd_notify(3), FileDescriptorStoreMax=) and hands them to the next process,
// so that connections wait in the kernel's queue meanwhile. Says which to take, give up, and store.

import type { NotifySystemd } from './notify.js';
import type { InheritedSocket } from './socket-activation.js';
import { type Address, type StoreKind, storeNameOf } from './store-name.js';

export interface StoreChoice {
  /** In the order of the configuration: a socket of the store, or an address to bind. */
  listeners: (Address | { fd: number })[];
  /** Nobody wants these any more. */
  retired: InheritedSocket[];
}

export function chooseFromStore(
  kind: StoreKind,
  wanted: readonly Address[],
  stored: readonly InheritedSocket[],
): StoreChoice {
  const left = new Map(stored.map((socket) => [socket.name, socket]));
  const listeners = wanted.map(({ address, port }) => {
    const name = storeNameOf(kind, { address, port });
    const kept = name === undefined ? undefined : left.get(name);
    if (kept === undefined) return { address, port };
    left.delete(kept.name);
    return { fd: kept.fd };
  });
  return { listeners, retired: [...left.values()] };
}

/**
 * Stores what was bound anew; both lists are in the order of the configuration. One whose descriptor
 * is not known is not kept.
 */
export function storeListeners(
  kind: StoreKind,
  wanted: readonly Address[],
  choice: StoreChoice,
  bound: readonly { fd: number | undefined }[],
  notifySystemd: NotifySystemd,
): void {
  for (const [index, address] of wanted.entries()) {
    const name = storeNameOf(kind, address);
    const fd = bound[index]?.fd;
    const isKept = 'fd' in (choice.listeners[index] ?? {});
    if (isKept || name === undefined || fd === undefined) continue;
    notifySystemd(`FDSTORE=1\nFDNAME=${name}`, [fd]);
  }
}

/** What was stored, or kept, under these addresses no longer listens. */
export function forgetListeners(
  kind: StoreKind,
  wanted: readonly Address[],
  notifySystemd: NotifySystemd,
): void {
  for (const address of wanted) {
    const name = storeNameOf(kind, address);
    if (name !== undefined) notifySystemd(`FDSTOREREMOVE=1\nFDNAME=${name}`);
  }
}

/** `retire` ends what the manager's duplicate listens for: the port must be free at once. */
export function dropFromStore(
  sockets: readonly InheritedSocket[],
  retire: (fd: number) => void,
  notifySystemd: NotifySystemd,
): void {
  for (const { name, fd } of sockets) {
    retire(fd);
    notifySystemd(`FDSTOREREMOVE=1\nFDNAME=${name}`);
  }
}
