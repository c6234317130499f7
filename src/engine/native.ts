// SPDX-License-Identifier: Apache-2.0
// The types of the addon, and the one place that loads it. What the methods promise is written at
// their implementation, native/seam. Nothing but strings and numbers crosses; the only descriptors
// among them are those of listening sockets.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadAddon } from './addon-file.js';
import type {
  CipherCheckFigures,
  CipherCheckOptions,
  LoadFigures,
  LoadOptions,
  TruncationFigures,
  TruncationOptions,
} from './experiments.js';
import type { Outgoing, OutgoingPeer } from './outgoing.js';
import type { RouteOptions, SiteOptions } from './site-options.js';

export type { RouteOptions, SiteOptions };

/**
 * PEM texts. The first pair is the default, the others are chosen by SNI. Of pairs for one name the
 * first of each type of key is served; the client's signature algorithms choose.
 */
export interface CertificatePair {
  chain: string;
  /** Or a PKCS #11 URI: then the token is asked, unless matchKey() did so before. */
  privateKey: string;
  /** Never beside another pair of its name: the first of them alone is served. */
  standsAlone?: boolean;
}

/** How clients' certificates are judged, and which requests need one. */
export interface ClientCertificates {
  /** PEM text: the CA certificates up to their self-signed roots. */
  ca: string;
  /** PEM text: the revocation lists of all of them. Empty: nothing is revoked. */
  crl: string;
  /** Path prefixes such as "/private", as files are named. Empty: asked for, needed nowhere. */
  require: string[];
  /** False while the clock is known to be wrong: dates of certificates and lists are not looked at. */
  checkTimes: boolean;
}

/** What inspectClientCertificates() finds; times in milliseconds of the epoch, null: never. */
export interface ClientTrustReport {
  authorities: number;
  revocationLists: number;
  /** When the first CA certificate ends. */
  caNotAfterMs: number | null;
  /** When the first CA has no revocation list that is in date. */
  crlNextUpdateMs: number | null;
}

export interface ServiceOptions {
  root: string;
  /** Undefined: one route, the files of `root`. */
  site?: SiteOptions | undefined;
  /** Addresses to bind, or sockets that listen already: those are the engine's from then on. */
  listeners: ({ address: string; port: number } | { fd: number })[];
  certificates: CertificatePair[];
  /** Undefined: clients are not asked for a certificate. */
  clientCertificates?: ClientCertificates | undefined;
  /**
   * Groups of the key exchange, at most 16, in the order of preference; what OpenSSL does not know is left
   * out. Undefined: X25519MLKEM768, X25519, P-256, P-384.
   */
  tlsGroups?: string[] | undefined;
  /** By ALPN; undefined, or without "h2": HTTP/1.1 alone. */
  protocols?: string[] | undefined;
  /** Of one HTTP/2 connection, 1 to 256; undefined: 64. */
  streamsMax?: number | undefined;
  tlsOffload: 'auto' | 'off';
  /** Threads that serve, 1 to 8. */
  engines: number;
  ring: 'auto' | 'epoll';
  connectionsMax: number;
  pendingWindowBytes: number;
  /** Records under one key; left out: what RFC 8446 5.5 allows. */
  recordsPerKeyMax?: number;
  connectionsPerAddressMax: number;
  handshakesMax: number;
  requestsPerConnectionMax: number;
  headBytesMax: number;
  targetBytesMax: number;
  headerFieldsMax: number;
  upstreamHeadBytesMax: number;
  discardedBodyBytesMax: number;
  sendRateMinBytesPerS: number;
  handshakeTimeoutMs: number;
  headTimeoutMs: number;
  requestTimeoutMs: number;
  idleTimeoutMs: number;
  stallTimeoutMs: number;
  drainTimeoutMs: number;
  lingerTimeoutMs: number;
}

export interface BoundListener {
  address: string;
  port: number;
  /** The engine's: only for the descriptor store, which gets a duplicate. Closed by a stop. */
  fd: number;
}

export type ServiceEvent =
  | { type: 'started'; ring: 'io_uring' | 'epoll'; reason: string }
  | { type: 'stopped'; drained: number; aborted: number; durationMs: number }
  | { type: 'failed'; reason: string }
  /** An engine that was replaced has ended: its thread came back. Then freeEngine(). */
  | { type: 'released'; engine: number; drained: number; aborted: number };

/** The codes of the errors that the constructor and the methods that replace something throw. */
export const engineErrorCodes = [
  'EINVAL_OPTION',
  'EROOT',
  'EROUTE',
  'ELISTEN',
  'ECERTIFICATE',
  'ECLIENTCERTIFICATES',
] as const;

/** What the watchdog asks of an engine. Read from counters, without a lock. */
export interface EnginePulse {
  /** Turns that the engine's loop has made. It stands still while there is nothing to do: ping(). */
  heartbeat: number;
  connections: number;
  /** Connections to which the cipher alone has owed bytes for 10 s; native/conn/stuck.cpp. */
  ledgersStuck: number;
  /** Connections of the canary so far, and those of them that the kernel encrypted. */
  canaries: number;
  canariesOffloaded: number;
}

/** The sums of the engines that serve, and each of them by its index. */
export interface Pulse extends EnginePulse {
  engines: (EnginePulse & {
    id: number;
    /** Its stop is over: its loop turns no more. */
    hasEnded: boolean;
  })[];
  /** Engines that were replaced and have not ended. */
  enginesHanging: number;
}

/** A connection that has ended, for the log at level debug. */
export interface ConnectionRecord {
  peer: string;
  durationMs: number;
  requests: number;
  bytesSent: number;
  offloaded: boolean;
  ending: 'none' | 'drained' | 'aborted' | 'peer_gone' | 'not_served';
  handshakeFailure?: string;
}

/** How far an upload has come. */
export interface UploadSnapshot {
  /** Bytes that are written, and those of them that are on the medium for certain. */
  offset: number;
  durable: number;
  /** Hexadecimal; empty until all is there, hashed and on the medium. */
  sha256: string;
  /** Why the last write failed, in the system's words; empty: it did not. */
  error: string;
  /** The storage failed: what is there is not to be trusted. */
  isBroken: boolean;
  /** A connection sends. */
  isReceiving: boolean;
  /** The last request came whole; false: its connection ended before. */
  hasPartEnded: boolean;
}

export interface UploadOptions {
  /** The last part of its path: a capability, never to be logged. */
  id: string;
  /** A file of `offset` bytes, all of them on the medium. */
  path: string;
  length: number;
  offset: number;
}

/** A file that clients fill by PUT /.spliced/upload/ID, with a thread of its own: native/upload. */
export interface Upload {
  snapshot(): UploadSnapshot;
  /** What the client is answered that sent the last byte. 200: `text` is JSON; otherwise a sentence. */
  conclude(status: 200 | 422 | 500, text: string): void;
  /** Asks for what is written to be put on the medium; the news tell when it is. */
  sync(): void;
  /** Idempotent. Nobody writes any more. False: the disk does not answer, and keeps the thread. */
  close(): boolean;
}

/** A client that was refused for its certificate, or for having none; native/conn/accounts/refusal_log.hpp. */
export interface RefusedClient {
  peer: string;
  /** As in the status, `tls.clientCertificates.refused`; or `no_certificate` where a path needs one. */
  reason: string;
  /** What the certificate says of itself, unverified (RFC 4514); empty when there is none. */
  subject: string;
}

/** A request that a backend's answer left without one; native/conn/accounts/incident_log.hpp. */
export interface Incident {
  event: string;
  reason: string;
  route: string;
  /** What it was about: the file that was named. */
  subject: string;
}

/** The service: its engines, and what they share (native/engine/service.hpp). */
export interface Service {
  /** The addresses as bound: port 0 has become a real one. */
  listeners(): BoundListener[];
  /** Of an engine's thread, as proc(5) has it: 'D' waits in the kernel. Empty: it does not run. */
  threadState(index: number): string;
  /**
   * Another engine in the place of this one, whose thread hangs: it keeps its connections, and ends
   * with the event 'released' when it comes back. Throws ETHREAD, and nothing has changed.
   */
  replaceEngine(index: number): void;
  /** Frees an engine that was released, by its id. Its figures stay in the sums. */
  freeEngine(id: number): void;
  start(onEvents: (events: ServiceEvent[]) => void): void;
  /** JSON text, the same as GET /.spliced/status. */
  stats(): string;
  /**
   * A new generation for new handshakes, with the same settings for clients' certificates. Throws
   * ECERTIFICATE and keeps the old one.
   */
  replaceCertificates(certificates: CertificatePair[]): void;
  /**
   * Likewise; the server's own certificates stay. Undefined: clients are not asked any more. Throws
   * ECLIENTCERTIFICATES and keeps what there was.
   */
  replaceClientCertificates(clients: ClientCertificates | undefined): void;
  /** Other routes for the requests to come. Throws EROUTE or EROOT and keeps those that are. */
  replaceSite(site: SiteOptions): void;
  /** Asks an engine for a turn of its loop; its heartbeat then advances. Returns at once. */
  ping(index: number): void;
  pulse(): Pulse;
  /**
   * 'off': from the next turn new connections stay in user space (fall-back reason `suspended`), and
   * the status shows why. 'auto': what the configuration says; `reason` is then not used.
   */
  setOffload(mode: 'auto' | 'off', reason: string): void;
  /** The body at /.spliced/canary, at most 1 MiB, kept in memory. Throws ECANARY. */
  setCanary(body: Uint8Array): void;
  /**
   * The next connection from this host's `port` is the canary of the engine with this index (0): it has a slot of its own and alone
   * gets the body. `inKernel`: it tries kernel TLS even while that is suspended, else user space.
   */
  expectCanary(port: number, inKernel: boolean, index?: number): void;
  /** From now on these are taken, at most 4, and no others. */
  setUploads(uploads: Upload[]): void;
  /** A member of the status: JSON, at most 4 KiB with its name; at most 8 names and 8 KiB in all. */
  annotate(name: string, json: string): void;
  /** Whether connections accepted from now on are kept for takeConnections(). */
  logConnections(on: boolean): void;
  /** Those that have ended since the last call, at most 512; `lost` more are not there. */
  takeConnections(): { records: ConnectionRecord[]; lost: number };
  /** Refused since the last call, at most 64; `lost` more are not there. */
  takeRefusals(): { refused: RefusedClient[]; lost: number };
  /** Since the last call, at most 64; `lost` more are not there. */
  takeIncidents(): { incidents: Incident[]; lost: number };
  /** Graceful; again with a smaller time-out shortens it. The event 'stopped' follows. */
  stop(timeoutMs: number): void;
  /**
   * After the deadline: if every engine that has not ended waits in the kernel, the event 'stopped'
   * comes without them, and counts their connections as aborted.
   */
  concludeStop(): void;
  /**
   * Idempotent: ends what is left and joins the threads, each within `waitMs` (5 s). False: one hangs
   * in the kernel, and everything that it uses was left to it; the process cannot end before it does.
   * `retireListeners`: then its sockets listen no more, so that their ports are free.
   */
  close(waitMs?: number, retireListeners?: boolean): boolean;
}

export interface SelfRequest {
  /** Numeric. */
  address: string;
  port: number;
  /** SHA-256 of the certificates of which one must answer, as X509Certificate.fingerprint256. */
  fingerprints: string[];
  timeoutMs: number;
}

export interface NativeModule {
  Service: new (options: ServiceOptions) => Service;
  /** `onNews` is called when the snapshot has changed. Throws EUPLOAD. */
  Upload: new (
    options: UploadOptions,
    onNews: () => void,
  ) => Upload;
  /**
   * Reserves space for a file of `length` bytes without changing what is in it. False: the file system
   * cannot. Rejects with code ENOSPC or EUPLOAD.
   */
  reserveFile(path: string, length: number): Promise<boolean>;
  /** Checks the settings without an engine. Throws ECLIENTCERTIFICATES with one clear sentence. */
  inspectClientCertificates(clients: ClientCertificates): ClientTrustReport;
  /**
   * Which of the certificates (PEM) has the key that a PKCS #11 URI names; -1: none. On another thread, as
   * long as the token takes. Rejects with code EKEY and one sentence.
   */
  matchKey(reference: string, certificates: string[]): Promise<number>;
  /**
   * Makes a key in the token, as its URI names it: P-256, P-384, RSA-2048, RSA-3072 or RSA-4096, never to be
   * taken out. 1: it was made; 0: there is such a key. As matchKey().
   */
  makeKey(reference: string, kind: string): Promise<number>;
  /** Of the key that a PKCS #11 URI names: its SubjectPublicKeyInfo (DER). As matchKey(). */
  publicKeyOf(reference: string): Promise<Uint8Array>;
  /** Its signature over the data, with a digest such as SHA256; ECDSA's as DER. As matchKey(). */
  signWithKey(reference: string, digest: string, data: Uint8Array): Promise<Uint8Array>;
  Outgoing: new (peer: OutgoingPeer) => Outgoing;
  /** Of these groups of the key exchange, those that this OpenSSL has; and what there is of note. */
  inspectTlsGroups(groups: string[]): { used: string[]; unknown: string[]; available: string[] };
  /**
   * One datagram to the service manager's socket (a path, or '@' and an abstract name), with
   * duplicates of `fds`. At most 4096 bytes and 64 descriptors. Never blocks. Throws ENOTIFY with
   * the negative `errno`; EAGAIN when the manager's queue is full.
   */
  notifySystemd(address: string, message: string, fds?: number[]): void;
  /**
   * Closes an inherited listening socket, and ends what the manager's duplicates of it listen for,
   * so that its port is free at once. False, and nothing done: it is no listening TCP socket.
   */
  retireListener(fd: number): boolean;
  /**
   * Who listens on a Unix socket, as the kernel noted when it called listen(2): native/os/process.hpp.
   * Connects, and never blocks. Throws with the system's code.
   */
  listenerOf(path: string): { pid: number; uid: number; gid: number };
  /**
   * SIGTERM for the very process that began then and is of that user, by a pidfd. Throws ESRCH when
   * it is not there any more, EPERM when it is another user's.
   */
  terminateProcess(process: { pid: number; startTicks: number; uid: number }): void;
  /**
   * One request to a listener of ours, on another thread: native/selfcheck/self_request.hpp. Rejects
   * with an Error that says what is wrong, never later than timeoutMs; its code is EUNREACHED when TCP
   * did not get to the listener, which says nothing about the service.
   */
  askOurselves(request: SelfRequest): Promise<void>;
  /** JSON text of the NativeReport in src/doctor/board.ts. For `spliced doctor`. */
  boardReport(): string;
  /** Runs on another thread, never longer than timeoutMs. For `spliced doctor --reproduce`. */
  reproduceTruncation(options: TruncationOptions): Promise<TruncationFigures>;
  /** Likewise, for `spliced doctor --benchmark`. Rejects when a connection fails. */
  measureLoad(options: LoadOptions): Promise<LoadFigures>;
  /**
   * Likewise, for `spliced doctor --cipher-check`; half a minute longer than durationMs where the cipher does
   * not answer. Rejects when it cannot be tried.
   */
  checkCiphers(options: CipherCheckOptions): Promise<CipherCheckFigures>;
}

/** The directory above that holds the addon: from dist/chunks/ as from a compiled test. */
export function packageDirectory(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let directory = start; ; directory = dirname(directory)) {
    const places = ['build/Release', 'prebuilds'].map((place) => join(directory, place));
    if (places.some((place) => existsSync(place))) return directory;
    if (directory === dirname(directory)) return dirname(dirname(start));
  }
}

/** Loads the addon; throws StartError that says what was looked for, and what to do. */
export function loadNative(directory: string = packageDirectory()): NativeModule {
  return loadAddon(directory) as NativeModule;
}
