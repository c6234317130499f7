// SPDX-License-Identifier: Apache-2.0
// A request to ourselves through the real way before READY: TCP to our own listener, a TLS handshake
// in which our own certificate is recognised by its fingerprint, one HTTP exchange. The addon makes
// it (native/selfcheck); here is where to, and until when. The running service is watched by
// canary.ts.

import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf } from '../base/start-error.js';
import type { Log } from '../log/log.js';

/** As the addon has it (engine/native.ts): rejects with an Error that says what is wrong. */
export type AskOurselves = (request: SelfRequest) => Promise<void>;

export interface SelfRequest {
  /** As bound: the address of all interfaces is reached over loopback. */
  address: string;
  port: number;
  /** SHA-256 of the certificates of which one must answer, as X509Certificate.fingerprint256. */
  fingerprints: string[];
  timeoutMs: number;
}

const retryMs = 200;
const firstAnswerMs = 5_000;
const readyMs = 15_000;

/** Where a listener of this address can be reached from the device itself; first the likeliest. */
function targetsOf(address: string): string[] {
  if (address === '0.0.0.0') return ['127.0.0.1'];
  if (address === '::') return ['::1', '127.0.0.1']; // IPv6 may be off on the loopback interface
  return [address];
}

async function askAnyTarget(ask: AskOurselves, request: SelfRequest): Promise<void> {
  let failure: unknown;
  for (const address of targetsOf(request.address)) {
    try {
      return await ask({ ...request, address });
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** TCP does not get there, such as with loopback down: asking again would say no more. */
const isUnreached = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException).code === 'EUNREACHED';

/**
 * Asks until an answer comes: a service that starts while many clients wait may have no place for
 * one more at first. Rejects with the last reason when none has come within `totalMs`, when the
 * listener is not reached at all, or when `signal` says that nobody waits for the answer any more.
 */
export async function selfRequestWithin(
  ask: AskOurselves,
  request: SelfRequest,
  totalMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const endMs = performance.now() + totalMs;
  for (;;) {
    try {
      return await askAnyTarget(ask, request);
    } catch (error) {
      const isLast = performance.now() + retryMs > endMs || signal?.aborted === true;
      if (isLast || isUnreached(error)) throw error;
    }
    await sleep(retryMs);
  }
}

export interface SelfRequests {
  ask: AskOurselves;
  listeners: readonly { address: string; port: number }[];
  fingerprints: string[];
  stop: AbortSignal;
  log: Log;
}

/**
 * Rejects when a request through the real TLS path does not come back from every listener. Where TCP
 * does not get to it from here, such as with loopback down, nothing is known, and the log says so.
 */
export async function answerOurselves(parts: SelfRequests): Promise<void> {
  const { ask, listeners, fingerprints, stop, log } = parts;
  const requests = listeners.map(async ({ address, port }) => {
    const request = { address, port, fingerprints, timeoutMs: firstAnswerMs };
    try {
      await selfRequestWithin(ask, request, readyMs, stop);
    } catch (error) {
      if (!isUnreached(error)) throw error;
      log.warn({ event: 'self_request_impossible', address, port, reason: reasonOf(error) });
    }
  });
  await Promise.all(requests);
}
