// SPDX-License-Identifier: Apache-2.0
// What the probes of the doctor see of the machine, and what they answer. A probe is a pure
// function of a Board, so that each of its branches has a test; linux-board.ts is the real one.

export type Level = 'ok' | 'info' | 'warning' | 'problem';

export interface Finding {
  /** Stable: `group.name`. */
  id: string;
  level: Level;
  /** One line that says what was found. */
  title: string;
  /** What it means, in sentences; may be empty. */
  detail: string;
  /** What to do. */
  advice?: string;
}

export type Probe = (board: Board) => Finding[];

export interface FileStatus {
  /** Permission bits, such as 0o600. */
  mode: number;
  uid: number;
}

/** What the addon finds out about the machine by trying (native/engine/board.cpp). */
export interface NativeReport {
  kernelTls: {
    /** False: there was no connection over loopback to try it on. */
    tried?: boolean;
    attachable: boolean;
    /** When not attachable: one sentence that says what to do. */
    reason: string;
    /** New keys in the middle of a connection are taken (TLS 1.3, Linux 6.14). */
    keyUpdates: boolean;
    ciphers: { version: string; cipher: string; tx: boolean; rx: boolean; error: string }[];
  };
  /** The backend that an engine would get; with epoll, `detail` says why not io_uring. */
  ring: { backend: string; detail: string };
  randomReady: boolean;
  clockSynchronised: boolean;
  pageBytes: number;
}

/** The settings that the machine must be large enough for. */
export interface Settings {
  connectionsMax: number;
  pendingWindowBytes: number;
  stateDir: string;
  /** The certificates that would be served; they need not exist. */
  served: CertificateFiles[];
  /** Of the device's authority, of an ACME account, of who enrols by EST; they need not exist. */
  otherKeys: OtherKey[];
}

export interface OtherKey {
  use: 'authority' | 'account' | 'client';
  /** The setting that could name a token. */
  setting: string;
  privateKey: string;
}

export interface CertificateFiles {
  /** "device": its own, which is made when there is none. */
  source: string;
  certificate: string;
  privateKey: string;
}

export interface Board {
  /** The text of a file, or undefined when it is absent or cannot be read. */
  read(path: string): string | undefined;
  readBytes(path: string): Uint8Array | undefined;
  /** Names in a directory; none when it is absent or cannot be read. */
  list(path: string): string[];
  stat(path: string): FileStatus | undefined;
  /** Why a file cannot be read: an errno name such as EACCES; empty when it can. */
  refusal(path: string): string;
  /** Why a directory cannot be written; likewise. */
  writeRefusal(path: string): string;
  /** What is free on its file system; `files` undefined: it counts none. */
  space(path: string): { bytes: number; files: number | undefined } | undefined;
  /** The kernel's .config, from /proc/config.gz or /boot. */
  kernelConfig(): string | undefined;
  /** As the process was started with it. */
  env: Readonly<Record<string, string | undefined>>;
  pid: number;
  uid: number;
  versions: Readonly<Record<string, string | undefined>>;
  nowMs: number;
  buildDateMs: number;
  /** The addon's report, or why there is none. */
  native: NativeReport | { error: string };
  /** What the service that runs here could not write or tidy; undefined: none could be asked. */
  undone?: readonly string[] | undefined;
  /** Private keys in tokens, by their reference: why the token was no use; empty: it has the key. */
  tokens?: Readonly<Record<string, string>> | undefined;
  /** Private keys in tokens that the service that runs here could not sign with lately. */
  failingKeys?: readonly { key: string; reason: string }[] | undefined;
  /** Checked settings, or why they are not valid. */
  settings: Settings | { error: string };
}

/** "Name:  value" lines, as in /proc/self/status, /proc/meminfo and /proc/cpuinfo; first one wins. */
export function field(text: string | undefined, name: string): string | undefined {
  for (const line of text?.split('\n') ?? []) {
    const colon = line.indexOf(':');
    if (colon >= 0 && line.slice(0, colon).trim() === name) return line.slice(colon + 1).trim();
  }
  return undefined;
}

/** The whole number that a file of /proc or /sys holds. */
export function readNumber(board: Board, path: string): number | undefined {
  const text = board.read(path)?.trim();
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}

/** A device tree property is a list of strings, each with a NUL behind it. */
export function deviceTreeStrings(text: string | undefined): string[] {
  return (text ?? '').split('\0').filter((word) => word !== '');
}

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1_048_576)} MiB`;
}
