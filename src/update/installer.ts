// SPDX-License-Identifier: Apache-2.0
// What an update's installer can do, whichever it is: RAUC, SWUpdate, or a program of the product.
// The adapters implement it, manager.ts knows nothing else of them. The signature of a bundle is the
// installer's to verify. Types, and the one error that they throw.

export interface Progress {
  /** 0 to 100. */
  percent: number;
  /** What the installer says that it does. */
  message: string;
}

export interface Slot {
  name: string;
  /** What the boot loader calls it; null: it does not boot by itself. */
  bootname: string | null;
  state: 'booted' | 'active' | 'inactive';
  status: 'good' | 'bad' | 'unknown';
  /** Of the bundle that was installed there; null: not known. */
  version: string | null;
}

export type SlotMark = 'good' | 'bad';

/** What a bundle says of itself, as far as the installer tells. */
export interface BundleDetails {
  compatible: string | null;
  version: string | null;
  description: string | null;
}

export interface Device {
  /** Which bundles are for it; null: the installer does not say. */
  compatible: string | null;
  slots: Slot[];
}

export interface InstallCallbacks {
  onProgress(progress: Progress): void;
  /** What resume() of a later process needs, once an installation goes on without this one. */
  onToken(token: string): void;
}

/** Resolves and rejects as install() does, for what another program has begun. */
export type Follow = (callbacks: InstallCallbacks) => Promise<void>;

export interface OthersEvents {
  /** Not for what install() and resume() follow. Who wants its end calls `follow`, once. */
  onBegun(follow: Follow): void;
  /** For now nobody can tell; it is tried again. */
  onTrouble(reason: string): void;
}

/** The installer refuses, or has failed: `message` is its reason in words. */
export class InstallError extends Error {
  override readonly name = 'InstallError';
}

export interface Installer {
  /** Throws InstallError when the installer cannot be asked. */
  device(): Promise<Device>;
  /** Verifies the bundle as far as that goes without writing. Throws InstallError. */
  inspect?(path: string): Promise<BundleDetails>;
  /** Resolves when it is installed; rejects with InstallError. */
  install(path: string, callbacks: InstallCallbacks): Promise<void>;
  /** The end of an installation that an earlier process followed; absent: it ends with its process. */
  resume?(token: string, callbacks: InstallCallbacks): Promise<void>;
  /**
   * From here on: installations that other programs begin, and one that is under way. Absent: the
   * installer cannot tell. Once.
   */
  watchOthers?(events: OthersEvents): void;
  /** Answers with the installer's words. Rejects with InstallError. */
  mark?(slot: string, mark: SlotMark): Promise<string>;
  /** The service stops: ends the programs that run for this process. Idempotent. */
  close(): void;
}
