// SPDX-License-Identifier: Apache-2.0
// Which certificates of a file are served behind the server's own, and in which order: every way up
// that the file has, since a client may know one root and not another. Pure. Called by check.ts.

import type { X509Certificate } from 'node:crypto';
import { dayMs, isClockSet } from './clock.js';

export interface Finding {
  /**
   * date: only the calendar is against it, so a server that has nothing better serves it.
   * mismatch: perhaps one of the two files is still being replaced. bad: cannot be served.
   * warning: is served, and said.
   */
  kind: 'bad' | 'mismatch' | 'date' | 'warning';
  /** A sentence for the operator, without a trace of the key. */
  text: string;
}

export interface Dates {
  nowMs: number;
  buildDateMs: number;
}

type Chain = [X509Certificate, ...X509Certificate[]];

const clockSkewMs = dayMs;

export const nameOf = (certificate: X509Certificate): string =>
  certificate.subject?.replaceAll('\n', ', ') || `serial number ${certificate.serialNumber}`;

/** What the calendar has against it; undefined while it has nothing, or the clock is not set. */
export function dateFault(
  { validFrom, validTo }: X509Certificate,
  { nowMs, buildDateMs }: Dates,
): string | undefined {
  if (!isClockSet(nowMs, buildDateMs)) return undefined;
  if (Date.parse(validTo) <= nowMs) return `ended on ${validTo}`;
  if (Date.parse(validFrom) > nowMs + clockSkewMs) return `is not valid before ${validFrom}`;
  return undefined;
}

const isSameKey = (one: X509Certificate, other: X509Certificate): boolean =>
  one.subject === other.subject && one.publicKey.equals(other.publicKey);

/**
 * Of certificates with one subject and one key: what the calendar is against goes, if anything is
 * left then, and of those with one issuer the one that ends last stays. Different issuers are ways
 * to different roots (cross-signing), and stay.
 */
function withoutSuperseded(certificates: X509Certificate[], dates: Dates): X509Certificate[] {
  const isGood = (one: X509Certificate): boolean => dateFault(one, dates) === undefined;
  const endOf = ({ validTo }: X509Certificate): number => Date.parse(validTo);
  return certificates.filter((one, index) => {
    const siblings = certificates.filter((other) => other !== one && isSameKey(one, other));
    if (!isGood(one) && siblings.some(isGood)) return false;
    return !siblings.some((other) => {
      if (other.issuer !== one.issuer || isGood(other) !== isGood(one)) return false;
      const laterMs = endOf(other) - endOf(one);
      return laterMs > 0 || (laterMs === 0 && certificates.indexOf(other) < index);
    });
  });
}

/** Who signed it, of `candidates`; says so when its issuer is there by name only. */
function issuersOf(
  certificate: X509Certificate,
  candidates: X509Certificate[],
  findings: Finding[],
): X509Certificate[] {
  if (certificate.checkIssued(certificate)) return []; // A root.
  const named = candidates.filter((one) => one !== certificate && certificate.checkIssued(one));
  const issuers = named.filter((one) => certificate.verify(one.publicKey));
  if (named.length > 0 && issuers.length === 0) {
    const text = `the signature of ${nameOf(certificate)} was not made with the key of ${named.map(nameOf).join(' or ')}`;
    findings.push({ kind: 'bad', text });
  }
  for (const issuer of issuers.filter(({ ca }) => !ca)) {
    const text = `${nameOf(issuer)} signed ${nameOf(certificate)}, but is not an authority`;
    findings.push({ kind: 'bad', text });
  }
  return issuers;
}

function explainLeftOut(
  certificates: X509Certificate[],
  left: X509Certificate[],
  dates: Dates,
  findings: Finding[],
): void {
  if (left.length > 0) {
    const text = `left out, because it did not issue any other: ${left.map(nameOf).join('; ')}`;
    findings.push({ kind: 'warning', text });
  }
  for (const one of certificates) {
    const why = dateFault(one, dates) ?? `ends on ${one.validTo}, another one later`;
    const text = `left out, because the file has a better one with its name and key: ${nameOf(one)}, which ${why}`;
    findings.push({ kind: 'warning', text });
  }
}

/**
 * From the server's own certificate upwards. The file's order stays where each certificate comes
 * behind one that it issued (RFC 8446 4.4.2); else one way after the other.
 */
export function orderChain(
  own: X509Certificate,
  certificates: X509Certificate[],
  dates: Dates,
  findings: Finding[],
): Chain {
  const unique = certificates.filter(
    (one, index) =>
      one.fingerprint256 !== own.fingerprint256 &&
      certificates.findIndex(({ fingerprint256 }) => fingerprint256 === one.fingerprint256) ===
        index,
  );
  const usable = withoutSuperseded(unique, dates);
  const issuers = new Map<X509Certificate, X509Certificate[]>();
  const climb = (certificate: X509Certificate): void => {
    if (issuers.has(certificate)) return;
    issuers.set(certificate, issuersOf(certificate, usable, findings));
    for (const issuer of issuers.get(certificate) ?? []) climb(issuer);
  };
  climb(own);
  const climbed: Chain = [own, ...[...issuers.keys()].slice(1)];
  const superseded = unique.filter((one) => !usable.includes(one));
  const left = usable.filter((one) => !climbed.includes(one));
  explainLeftOut(superseded, left, dates, findings);
  const asWritten: Chain = [own, ...usable.filter((one) => climbed.includes(one))];
  const isInOrder = asWritten.every(
    (one, index) =>
      index === 0 || asWritten.slice(0, index).some((lower) => issuers.get(lower)?.includes(one)),
  );
  if (isInOrder) return asWritten;
  if (certificates[0] === own) {
    findings.push({ kind: 'warning', text: 'the chain was out of order; it is served in order' });
  }
  return climbed;
}
