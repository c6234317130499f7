// SPDX-License-Identifier: Apache-2.0
// What the status document says about each certificate. Called by the manager.

import { daysLeft } from './expiry.js';
import type { Runtime, Source } from './source.js';

export interface CertificateStatus {
  source: string;
  subject: string;
  sans: string[];
  fingerprint: string;
  isSelfSigned: boolean;
  notBefore: string;
  notAfter: string;
  /** null while the clock is not set. */
  daysLeft: number | null;
  lastError: string | null;
}

/** One entry for each certificate of a source. */
export function statusOf(source: Source, { clock, buildDateMs }: Runtime): CertificateStatus[] {
  return source.served().map(({ certificate }) => ({
    source: source.name,
    subject: certificate.subject ?? '',
    sans: (certificate.subjectAltName ?? '').split(', ').filter(Boolean),
    fingerprint: certificate.fingerprint256,
    isSelfSigned: certificate.issuer === certificate.subject,
    notBefore: new Date(certificate.validFrom).toISOString(),
    notAfter: new Date(certificate.validTo).toISOString(),
    daysLeft: daysLeft(certificate, clock.nowMs(), buildDateMs) ?? null,
    lastError: source.lastError ?? null,
  }));
}
