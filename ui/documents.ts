// SPDX-License-Identifier: Apache-2.0
// What the device answers, as far as the page shows it. Types only; docs/API.md has the routes.

import type { Role } from '../src/api/people/names.js';
import type { Counts, StatusDocument } from '../src/base/status-document.js';

export type { Role } from '../src/api/people/names.js';
export type { PowerDocument as Power } from '../src/power/document.js';
export type { HistoryDocument, HistorySample, SystemDocument } from '../src/system/document.js';
export type { UpdateDocument as Update } from '../src/update/document.js';
export type { Slot } from '../src/update/installer.js';

/** A certificate in the status; `GET certificates` has the same with more. */
export interface CertificateEntry {
  source: string;
  subject?: string;
  names?: string[];
  sans?: string[];
  fingerprint?: string;
  isSelfSigned?: boolean;
  notAfter?: string;
  daysLeft?: number | null;
  warning?: string | null;
  lastError: string | null;
  /** The last entry of a list that was too long for the status. */
  more?: number;
}

export interface Certificates {
  served: CertificateEntry[];
  waiting: { source: string; lastError: string | null }[];
}

export type Status = Omit<StatusDocument, 'offload' | 'ring' | 'canary' | 'engines' | 'tls'> & {
  tls: Omit<StatusDocument['tls'], 'signatures'> & Partial<StatusDocument['tls']>;
  engines?: StatusDocument['engines'];
  ring: { backend: string; detail?: string };
  offload: StatusDocument['offload'] & { cipherFailures?: { encrypt: number; decrypt: number } };
  connections: { evicted?: number; shedBy?: Counts };
  canary?: NonNullable<StatusDocument['canary']> & { lastCipher?: string };
  accelerator?: { suspended: boolean; reason: string };
  certificates?: CertificateEntry[];
  configuration?: string[];
};

export interface Finding {
  kind: 'bad' | 'mismatch' | 'date' | 'warning';
  text: string;
}

/** Who asks: `GET session`. */
export interface Who {
  /** null: no credential was shown. */
  by: 'device' | 'token' | 'certificate' | 'person' | 'application' | null;
  /** Of a person, or as the application says that was asked first. */
  name: string | null;
  role: Role | null;
  hasPeople: boolean;
  claim: 'claimed' | 'open' | 'over';
  /** For a claim. */
  secondsLeft: number;
  /** It was asked who we are, and does not answer. */
  isApplicationSilent: boolean;
}

export interface SessionEntry {
  id: string;
  name: string;
  address: string;
  agent: string;
  startedAt: string;
  idleMs: number;
  isOwn: boolean;
}

export interface PersonEntry {
  name: string;
  role: Role;
  isOwn: boolean;
}

/** RFC 9457. */
export interface ProblemDocument {
  title: string;
  status: number;
  detail: string;
  findings?: Finding[];
  /** Of who asks, where it is too little. */
  role?: Role;
}
