// SPDX-License-Identifier: Apache-2.0
// What the status document says about each certificate. Called by the manager.

import type { X509Certificate } from 'node:crypto';
import { daysLeft, expiryWarning } from './expiry.js';
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
  /** Within 30 days of its end, or past it; null: nothing is to be said. */
  warning: string | null;
  lastError: string | null;
}

/** One entry for each certificate of a source. */
export function statusOf(source: Source, { clock, buildDateMs }: Runtime): CertificateStatus[] {
  const daysOf = (certificate: X509Certificate): number | undefined =>
    daysLeft(certificate, clock.nowMs(), buildDateMs);
  return source.served().map(({ certificate }) => ({
    source: source.name,
    subject: certificate.subject ?? '',
    sans: (certificate.subjectAltName ?? '').split(', ').filter(Boolean),
    fingerprint: certificate.fingerprint256,
    isSelfSigned: certificate.issuer === certificate.subject,
    notBefore: new Date(certificate.validFrom).toISOString(),
    notAfter: new Date(certificate.validTo).toISOString(),
    daysLeft: daysOf(certificate) ?? null,
    warning: expiryWarning(certificate, daysOf(certificate)) ?? null,
    lastError: source.lastError ?? null,
  }));
}
