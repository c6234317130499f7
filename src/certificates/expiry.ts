// SPDX-License-Identifier: Apache-2.0
// Warns that a certificate ends, once at each step: 30, 14, 7 and 1 days before, and once a day after
// its end, because the service continues with it. Called by the manager at every tick.

import type { X509Certificate } from 'node:crypto';
import { dayMs, isClockSet } from './clock.js';
import type { Report, Runtime, Served } from './source.js';

const stepsDays = [1, 7, 14, 30];

/** Whole days left, rounded down; negative after the end. Undefined while the clock is not set. */
export function daysLeft(
  certificate: X509Certificate,
  nowMs: number,
  buildDateMs: number,
): number | undefined {
  if (!isClockSet(nowMs, buildDateMs)) return undefined;
  return Math.floor((Date.parse(certificate.validTo) - nowMs) / dayMs);
}

/** The step that is reached: 30, 14, 7, 1, or 0, -1, -2... for each day after the end. */
function stepOf(certificate: X509Certificate, days: number): number | undefined {
  if (days < 0) return days;
  const lifeMs = Date.parse(certificate.validTo) - Date.parse(certificate.validFrom);
  // A certificate that lives for a week is not about to end when it is new.
  return stepsDays.find((step) => days < step && step * dayMs < lifeMs / 2);
}

const endsIn = (days: number): string =>
  `the certificate ends in ${days === 0 ? 'less than a day' : `${days} days`}`;

/** The warning that holds now, for the status; the log has it once for each step. */
export function expiryWarning(
  certificate: X509Certificate,
  days: number | undefined,
): string | undefined {
  if (days === undefined || stepOf(certificate, days) === undefined) return undefined;
  return days < 0 ? 'the certificate has ended; clients refuse it' : endsIn(days);
}

export class ExpiryWarnings {
  readonly #runtime: Runtime;
  #said = new Map<string, number>(); // By fingerprint: the step that was said last.

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  look(served: readonly Served[]): void {
    const { clock, buildDateMs } = this.#runtime;
    const said = new Map<string, number>();
    const counts = served.map(({ certificate }) =>
      daysLeft(certificate, clock.nowMs(), buildDateMs),
    );
    const areAllExpired = counts.every((days) => days !== undefined && days < 0);
    for (const [index, { certificate, source }] of served.entries()) {
      const days = counts[index];
      const { fingerprint256: fingerprint, validTo } = certificate;
      const before = this.#said.get(fingerprint);
      const step = days === undefined ? before : stepOf(certificate, days);
      if (step === undefined) continue;
      said.set(fingerprint, step);
      if (step === before || days === undefined) continue;
      const notAfter = new Date(validTo).toISOString();
      this.#runtime.report({
        ...describe(days, areAllExpired),
        source,
        fingerprint,
        notAfter,
        daysLeft: days,
      });
    }
    this.#said = said;
  }
}

function describe(days: number, areAllExpired: boolean): Report {
  if (days >= 0) {
    return { severity: 'warn', event: 'certificate_expiring', reason: endsIn(days) };
  }
  const others = areAllExpired ? 'every certificate has ended' : 'this certificate has ended';
  const reason = `${others}; it is still served, and clients refuse it: install a new one`;
  return { severity: 'error', event: 'certificate_expired', reason };
}
