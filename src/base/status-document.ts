// SPDX-License-Identifier: Apache-2.0
// The members of the engine's status (native/engine/status.cpp, and what the daemon annotates) that
// are read in TypeScript to be shown: by the metrics and by `spliced status`.

/** One that failed, or how many more there are. */
export type UndoneTask = { what: string; reason: string } | { more: number };

export const troubleText = (task: UndoneTask): string =>
  'more' in task ? `${task.more} more` : `${task.what}: ${task.reason}`;

export type Counts = Record<string, number>;

/** Of one engine; its totals are since it was made. */
export interface ServiceFigures {
  id: number;
  connections: number;
  accepted: number;
  requests: number;
  bytesSent: number;
  bytesReceived: number;
  pendingBytes: number;
}

/** By keys that are not in memory. */
export interface SignatureFigures {
  made: number;
  failed: number;
  /** At once: the key fails, or too many wait. */
  turnedAway: number;
  overdue: number;
  /** Handshakes that had another certificate, because their key fails. */
  takenOver: number;
  waiting: number;
  threads: number;
  hanging: number;
  /** Keys that do not sign now. */
  failing: { key: string; reason: string; sinceMs: number }[];
}

export interface StatusDocument {
  version: string;
  uptimeMs: number;
  ring: { backend: string };
  /** `hanging`: engines that were replaced, whose thread waits in the kernel; see failover.ts. */
  engines: { count: number; replaced: number; hanging: number; each: ServiceFigures[] };
  offload: {
    mode: string;
    suspended: string;
    kernel: string;
    /** The kernel takes new keys in the middle of a connection (TLS 1.3, Linux 6.14). */
    keyUpdates: boolean;
    driver: { name: string; async: boolean } | null;
    promoted: Counts;
    fallbacks: Counts;
  };
  connections: { accepted: number; shed: number; open: number; byState: Counts };
  requests: { total: number; byStatus: Counts };
  bytes: { plaintextSent: number; spliced: number; received: number };
  tls: {
    handshakes: Counts;
    /** By the group of their key exchange. */
    groups: Counts;
    failures: Counts;
    alertsSent: number;
    controlRecords: number;
    recordLimitCloses: number;
    /** With kernel TLS. */
    keyUpdates: { received: number; sent: number };
    floods: Counts;
    signatures: SignatureFigures;
  };
  http2: {
    offered: boolean;
    /** Why it is not. */
    reason: string;
    connections: number;
    streams: {
      open: number;
      ever: number;
      refused: number;
      malformed: number;
      /** Answered with 421. */
      misdirected: number;
      resetByUs: number;
      resetByPeer: number;
      stalled: number;
    };
    floods: Counts;
  };
  clientCertificates: { verified: number; missing: number; refused: Counts };
  upstreams: {
    open: number;
    idle: number;
    opened: number;
    reused: number;
    retries: number;
    webSockets: number;
    webSocketsEver: number;
    failures: Counts;
    /** What was asked before requests of routes with `authorize`, by the answer. */
    checksPassed: number;
    checksRemembered: number;
    checksDenied: number;
    checksFailed: number;
    /** Answers that were a file, and why others could not be. */
    handedOver: number;
    handOverFailures: Counts;
  };
  pending: {
    bytes: number;
    bytesMax: number;
    windowBytes: number;
    pauses: number;
    pushes: number;
    stuck: number;
    stuckEver: number;
    contradictions: number;
  };
  drains: {
    drained: number;
    aborted: number;
    peerGone: number;
    inProgress: number;
    maxMs: number;
    abortedIn: Counts;
  };
  files: { open: number; hits: number; misses: number; coldFills: number };
  canary?: { ok: number; failed: number; lastMs: number; lastError: string };
  /** What the service keeps for itself and could not write, tidy or read; all in the log, too. */
  housekeeping?: UndoneTask[];
  /** Lines that nobody took. */
  log?: { linesDropped: number };
  watchdog?: { missing: string[] };
}
