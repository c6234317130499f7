// SPDX-License-Identifier: Apache-2.0
// What an enrolment protocol (est.ts, acme.ts) does for enrolment.ts: one attempt to turn a request
// into a certificate. Types only.

import type { DeviceNames } from './names.js';
import type { CertificatePair } from './source.js';

export interface EnrolmentRequest {
  names: DeviceNames;
  /** PKCS#10 in PEM, for `names`. */
  request: string;
  /** What is being renewed, when it has the same names and has not ended. */
  current: CertificatePair | undefined;
  nowMs: number;
}

export type EnrolmentOutcome =
  | { kind: 'issued'; chain: string }
  /** The authority has not decided: ask again, with the same request. */
  | { kind: 'pending'; retryAfterMs: number };

export interface Enroller {
  /** One attempt. Throws with a reason in words; nothing of it goes on after the signal. */
  enrol(request: EnrolmentRequest, signal: AbortSignal): Promise<EnrolmentOutcome>;
}
