// SPDX-License-Identifier: Apache-2.0
// What a listener is called in the service manager's descriptor store (FDNAME= of sd_notify(3)).

/** An address of the configuration. */
export interface Address {
  address: string;
  port: number;
}

/** The setting that an address is of; what is kept is named after it. */
export type StoreKind = 'listen' | 'listen_http';

export const isStoreName = (kind: StoreKind, name: string): boolean => name.startsWith(`${kind}-`);

/** FDNAME= has no colon. Port 0 means another port each time: such a listener is not kept. */
export function storeNameOf(kind: StoreKind, { address, port }: Address): string | undefined {
  return port === 0 ? undefined : `${kind}-${address.replaceAll(':', '.')}-${port}`;
}
