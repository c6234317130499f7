// SPDX-License-Identifier: Apache-2.0
// What is told of an update, out of what is known of it. Pure; used by manager.ts.

import type { AdapterName, ShownBundle, UpdateDocument, UpdateState, Upload } from './document.js';
import type { Device, Progress } from './installer.js';
import type { Bundle, UpdateRecord } from './record.js';

export interface DocumentParts {
  adapter: AdapterName;
  record: UpdateRecord;
  upload: Upload | null;
  progress: Progress | null;
  device: Device;
  /** The configuration lets the service restart the device or itself. */
  canRestart: boolean;
  bootId: string;
  build: string | null;
}

function stateOf({ record: { state }, upload }: DocumentParts): UpdateState {
  const isBusy = state === 'installing' || state === 'restarting';
  return upload !== null && !isBusy ? 'receiving' : state;
}

function begunBy(state: UpdateState, isByOther: boolean): UpdateDocument['begunBy'] {
  if (state === 'idle' || state === 'receiving' || state === 'received') return null;
  return isByOther ? 'other' : 'spliced';
}

function shownOf(bundle: Bundle | null): ShownBundle | null {
  if (bundle === null) return null;
  const { path: _, ...shown } = bundle;
  return shown;
}

export function describe(parts: DocumentParts): UpdateDocument {
  const { adapter, record, upload, progress, device, canRestart, bootId, build } = parts;
  const state = stateOf(parts);
  return {
    adapter,
    state,
    upload,
    bundle: shownOf(record.bundle),
    waiting: shownOf(record.waiting),
    begunBy: begunBy(state, record.isByOther),
    progress,
    error: record.error,
    compatible: device.compatible,
    slots: device.slots,
    restartNeeded: record.state === 'installed' && canRestart,
    bootId,
    build,
  };
}

/** For the log: what a line is about. */
export function inLog({ bundle, isByOther }: UpdateRecord): {
  name?: string | undefined;
  sha256?: string | undefined;
  by?: string;
} {
  return isByOther ? { by: 'another program' } : { name: bundle?.name, sha256: bundle?.sha256 };
}
