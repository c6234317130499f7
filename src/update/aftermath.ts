// SPDX-License-Identifier: Apache-2.0
// What the next process, or the next boot, makes of what an earlier one has recorded. Pure; used by
// manager.ts.

import type { UpdateRecord } from './record.js';
import type { RestartKind } from './restart.js';

/** `broken off`: it ended with its process. `over`: what there was to restart for is behind us. */
export type Aftermath = 'goes on' | 'broken off' | 'not restarted' | 'over' | 'as it was';

export function aftermathOf(
  before: UpdateRecord,
  { bootId, run, kind }: { bootId: string; run: string; kind: RestartKind },
): Aftermath {
  const { state, bundle, token, isByOther } = before;
  const isSameBoot = before.bootId === bootId;
  switch (state) {
    case 'installing':
      if (isSameBoot && token !== null) return 'goes on';
      // Another program restarts the device as it likes: the slots tell whether it was done.
      return isByOther && !isSameBoot ? 'over' : 'broken off';
    case 'installed':
    case 'restarting': {
      // A restart that was asked for without an update leaves nothing behind.
      const isInstalled = bundle !== null || isByOther || state === 'installed';
      const isOver = kind === 'service' ? before.run !== run : !isSameBoot;
      return isOver || !isInstalled ? 'over' : 'not restarted';
    }
    default:
      return 'as it was';
  }
}

/**
 * Whether the device runs what was installed before it was restarted: `slot` is what it runs now, null
 * what nobody can say. Undefined: it does; else the reason.
 */
export function fallBackReason(
  { state, bootedSlot }: UpdateRecord,
  slot: string | null,
): string | undefined {
  if (slot !== null && bootedSlot !== null && slot !== bootedSlot) return undefined;
  if (state === 'installing') {
    return 'The device was restarted while another program was installing, and runs what it ran before.';
  }
  return (
    `The device runs ${slot} as before the update: the boot loader has fallen back, ` +
    'or never tried the other slot.'
  );
}
