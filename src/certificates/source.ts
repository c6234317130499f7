// SPDX-License-Identifier: Apache-2.0
// What every source of certificates (the device itself, installed files, an enrolment) has in
// common, and what the manager gives to each. Types only.

import type { X509Certificate } from 'node:crypto';
import type { Housekeeper } from '../files/housekeeping.js';
import type { Clock } from './clock.js';

/** PEM texts, as the engine takes them. */
export interface CertificatePair {
  /** The server's own certificate first. */
  chain: string;
  privateKey: string;
  /** Not served beside another pair of its name, whatever its key: the first of them alone is. */
  standsAlone?: boolean;
}

export interface Served extends CertificatePair {
  /** An operator's files: those of one name are meant to be served together. */
  isInstalled?: boolean;
  /** The source's name, for logs and status. */
  source: string;
  /** The server's own certificate. */
  certificate: X509Certificate;
}

/** One line for the log: nothing here logs by itself. Never holds a key. */
export interface Report {
  severity: 'info' | 'warn' | 'error';
  /** Stable id, such as certificate_changed. */
  event: string;
  [field: string]: unknown;
}

/** Answers `GET /.well-known/acme-challenge/TOKEN` on port 80 (RFC 8555 8.3) while it is asked to. */
export interface ChallengeResponder {
  set(token: string, response: string): void;
  remove(token: string): void;
}

export interface Runtime {
  clock: Clock;
  /** A clock before this has not been set. */
  buildDateMs: number;
  report(report: Report): void;
  /** For what is written and tidied beside the serving. */
  housekeeping: Housekeeper;
  challenges?: ChallengeResponder | undefined;
  /** A source calls this after what it serves has changed. */
  changed(reason: string): void;
}

/**
 * Why a source looks again. tick: every few seconds, so it must be cheap; slow: every few minutes;
 * files: something changed near a watched file; clock: the clock jumped; reload: an operator asks.
 */
export type Occasion = 'tick' | 'slow' | 'files' | 'clock' | 'reload';

export interface Source {
  /** Unique among the sources of a manager. */
  readonly name: string;
  /** Why the last attempt to get or renew a certificate failed; undefined when it did not. */
  readonly lastError: string | undefined;
  /** Where it takes a wish for a renewal; undefined: it cannot renew by itself. */
  readonly wishDirectory?: string;
  /**
   * Loads what there is. Throws StartError with everything that is wrong, in one line, and has it as
   * its `lastError` then; a later `look()` tries again.
   */
  start(): Promise<void>;
  /** Looks again; never throws, and returns soon (network waits go on in the background). */
  look(occasion: Occasion): Promise<void>;
  /** What can be served now; empty when nothing was ever obtained. */
  served(): Served[];
  /** Ends watches and background work. Idempotent. */
  close(): void;
}
