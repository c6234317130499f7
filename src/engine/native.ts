// SPDX-License-Identifier: Apache-2.0
// The types of the addon, and the one place that loads it. What the methods promise is written at
// their implementation, native/seam. Nothing but strings and numbers crosses: no file descriptor
// ever does.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import nodeGypBuild from 'node-gyp-build';
import { reasonOf, StartError } from '../start-error.js';

/** PEM texts. The first pair is the default, the others are chosen by SNI. */
export interface CertificatePair {
  chain: string;
  privateKey: string;
}

export interface EngineOptions {
  root: string;
  listeners: { address: string; port: number }[];
  certificates: CertificatePair[];
  tlsOffload: 'auto' | 'off';
  ring: 'auto' | 'epoll';
  connectionsMax: number;
  pendingWindowBytes: number;
  handshakeTimeoutMs: number;
  headTimeoutMs: number;
  idleTimeoutMs: number;
  stallTimeoutMs: number;
  drainTimeoutMs: number;
  lingerTimeoutMs: number;
}

export type EngineEvent =
  | { type: 'started'; ring: 'io_uring' | 'epoll'; reason: string }
  | { type: 'stopped'; drained: number; aborted: number; durationMs: number }
  | { type: 'failed'; reason: string };

/** The codes of the errors that the constructor and replaceCertificates throw. */
export const engineErrorCodes = ['EINVAL_OPTION', 'EROOT', 'ELISTEN', 'ECERTIFICATE'] as const;

export interface Engine {
  /** The addresses as bound: port 0 has become a real one. */
  listeners(): { address: string; port: number }[];
  start(onEvents: (events: EngineEvent[]) => void): void;
  /** JSON text, the same as GET /.spliced/status. */
  stats(): string;
  /** A new generation for new handshakes. Throws ECERTIFICATE and keeps the old one. */
  replaceCertificates(certificates: CertificatePair[]): void;
  /** A JSON object of at most 8 KiB (UTF-8) that the status shows as "daemon". Throws EINVAL_OPTION. */
  setDaemonStatus(json: string): void;
  /** Graceful; again with a smaller time-out shortens it. The event 'stopped' follows. */
  stop(timeoutMs: number): void;
  /** Idempotent: ends what is left and joins the threads. */
  close(): void;
}

/** What boardReport() finds out by trying: the machine, for `spliced doctor`. */
export interface BoardReport {
  kernelTls: {
    attachable: boolean;
    /** When not attachable: one sentence that says what to do. */
    reason: string;
    ciphers: { version: string; cipher: string; tx: boolean; rx: boolean; error: string }[];
  };
  /** The backend that an engine would get; with epoll, `detail` says why not io_uring. */
  ring: { backend: string; detail: string };
  randomReady: boolean;
  clockSynchronised: boolean;
  pageBytes: number;
}

/** One half of the truncation experiment: `downloads` slow clients against one server. */
export interface TruncationOptions {
  /** Of an engine on 127.0.0.1; 0: a naive server of the experiment's own, which closes too early. */
  port: number;
  /** What the naive server answers with; an engine's root must hold the same as `body`. */
  file: string;
  bodyBytes: number;
  certificates: CertificatePair[];
  downloads: number;
  parallel: number;
  receiveBufferBytes: number;
  bytesPerSecond: number;
  timeoutMs: number;
}

export interface TruncationFigures {
  complete: number;
  truncated: number;
  failed: number;
  unfinished: number;
  /** Connections that the naive server could not give to the kernel. */
  notPromoted: number;
  missingBytes: number;
  /** Of one download. */
  missingBytesMax: number;
  durationMs: number;
}

export interface NativeModule {
  Engine: new (options: EngineOptions) => Engine;
  /** JSON text of a BoardReport. For `spliced doctor`. */
  boardReport(): string;
  /** Runs on another thread, never longer than timeoutMs. For `spliced doctor --reproduce`. */
  reproduceTruncation(options: TruncationOptions): Promise<TruncationFigures>;
}

/** The part of /.spliced/status that the log's last line is made of. */
export interface EngineStats {
  uptimeMs: number;
  connections: { accepted: number; shed: number };
  requests: { total: number };
  bytes: { plaintextSent: number; spliced: number };
  pending: { bytesMax: number; contradictions: number };
  drains: { abortedIn: Record<string, number> };
}

/** The directory that holds package.json: from dist/ as from a compiled test. */
function packageDirectory(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let directory = start; ; directory = dirname(directory)) {
    if (existsSync(join(directory, 'package.json'))) return directory;
    if (directory === dirname(directory)) return dirname(start);
  }
}

/** Loads the addon; throws StartError that names where it was looked for. */
export function loadNative(directory: string = packageDirectory()): NativeModule {
  let file: string;
  try {
    file = nodeGypBuild.resolve(directory);
  } catch {
    const prebuilds = join(directory, 'prebuilds', `${process.platform}-${process.arch}`);
    throw new StartError(
      `the native addon is missing: looked for ${join(directory, 'build/Release')}/*.node and ` +
        `${prebuilds}/*.node; "npm start" in the project builds it`,
    );
  }
  try {
    return nodeGypBuild(directory) as NativeModule;
  } catch (error) {
    throw new StartError(`the native addon ${file} does not load: ${reasonOf(error)}`);
  }
}
