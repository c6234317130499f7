// SPDX-License-Identifier: Apache-2.0
// The types of the addon's experiments, for `spliced doctor`: native/experiment makes them.

/** One half of the truncation experiment: `downloads` slow clients against one server. */
export interface TruncationOptions {
  /** Of an engine on 127.0.0.1; 0: a naive server of the experiment's own, which closes too early. */
  port: number;
  /** What the naive server answers with; an engine's root must hold the same as `body`. */
  file: string;
  bodyBytes: number;
  /** PEM texts. */
  certificates: { chain: string; privateKey: string }[];
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

/** Keep-alive clients over loopback that ask an engine for one file, as fast as it comes. */
export interface LoadOptions {
  port: number;
  path: string;
  bodyBytes: number;
  connections: number;
  /** Of the measurement: handshakes and the first response of each connection come before it. */
  durationMs: number;
}

/** Processor times in microseconds; the clients' own is in `clientUs` alone. */
export interface LoadFigures {
  responses: number;
  bodyBytes: number;
  durationMs: number;
  clientUs: number;
  processUs: number;
  /** Of the whole machine, in steps of 10 ms; 0: /proc/stat cannot be read. */
  systemUs: number;
}

/** The kernel's cipher under load, against software. */
export interface CipherCheckOptions {
  durationMs: number;
  /** The same one makes the same plaintexts in the same pieces. */
  seed: number;
}

/** The first difference, with all that is needed to see it again. */
export interface CipherDifference {
  fault: 'wrong_bytes' | 'refused' | 'no_answer';
  /** In words; empty: no call failed. */
  error: string;
  version: string;
  cipher: string;
  isDecrypting: boolean;
  /** Of the record, in its connection. */
  sequence: number;
  /** Of the first byte that differs. */
  offset: number;
  /** The calls, with the sizes of their pieces. */
  how: string;
  key: Uint8Array;
  nonce: Uint8Array;
  /** The AEAD's additional data. */
  additional: Uint8Array;
  /** Of the record: plaintext and sealed, or the other way round. */
  input: Uint8Array;
  expected: Uint8Array;
  got: Uint8Array;
}

export interface CipherCheckFigures {
  records: number;
  bytes: number;
  sockets: number;
  /** Connections at the same time, each with a thread. */
  lanes: number;
  /** Threads that did not come back from the kernel. */
  hanging: number;
  durationMs: number;
  difference: CipherDifference | null;
}
