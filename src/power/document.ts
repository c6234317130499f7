// SPDX-License-Identifier: Apache-2.0
// What is under way with the device itself, as the API and the page show it. Types only.

export type PowerAction = 'restart' | 'power-off';

export interface PowerDocument {
  state: 'running' | 'restarting' | 'powering-off';
  /** The service finishes what is active, and ends: for this, or because it was told to. */
  draining: boolean;
  /** Why what was asked for last has not happened; null: there is nothing to say. */
  error: string | null;
  /** Another one: the device has booted meanwhile. */
  bootId: string;
}
