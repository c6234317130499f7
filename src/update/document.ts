// SPDX-License-Identifier: Apache-2.0
// The state of the update as the API and the page show it. Types only; describe.ts makes it.

import type { Progress, Slot } from './installer.js';

export type AdapterName = 'none' | 'rauc' | 'swupdate' | 'command';

export type UpdateState =
  | 'idle'
  | 'receiving'
  | 'received'
  | 'installing'
  | 'installed'
  | 'failed'
  | 'restarting';

/** An upload under way. */
export interface Upload {
  name: string;
  length: number;
  /** So much of it is there. */
  offset: number;
}

export interface ShownBundle {
  name: string;
  length: number;
  sha256: string;
  compatible: string | null;
  version: string | null;
  description: string | null;
}

export interface UpdateDocument {
  adapter: AdapterName;
  state: UpdateState;
  upload: Upload | null;
  bundle: ShownBundle | null;
  /** Came while `bundle` was being installed; what is installed next. */
  waiting: ShownBundle | null;
  /** Who began what the state, progress and error tell of; `bundle` is no part of the other's. */
  begunBy: 'spliced' | 'other' | null;
  progress: Progress | null;
  error: string | null;
  /** Which bundles are for this device; null: the installer does not say. */
  compatible: string | null;
  slots: Slot[];
  /** What was installed runs after a restart. */
  restartNeeded: boolean;
  /** Another one: the device has booted meanwhile. */
  bootId: string;
  /** Of the web root; null: it has no identity. */
  build: string | null;
}
