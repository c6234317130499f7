// SPDX-License-Identifier: Apache-2.0
// A client for EST (RFC 7030): cacerts, simpleenroll, simplereenroll, over TLS that trusts the
// configured anchors alone. Enrols with a user name or a client certificate, renews with the
// certificate that it got. Called by enrolment.ts, which owns keys, retries and storage.

import type { X509Certificate } from 'node:crypto';
import { dayMs, secondMs } from './clock.js';
import type { Enroller, EnrolmentOutcome, EnrolmentRequest } from './enroller.js';
import { type Answer, exchange } from './exchange.js';
import { certificatesIn } from './pkcs7.js';
import type { CertificatePair } from './source.js';

export interface EstServer {
  /** Such as https://est.example.org:8443/ with an optional label (RFC 7030 3.2.2) as its path. */
  url: string;
  /** PEM: who may have signed the server's certificate. */
  trustAnchors: string;
  username?: string | undefined;
  password?: string | undefined;
  /** For the first enrolment, when there is no user name. */
  client?: CertificatePair | undefined;
}

const retryAfterMsMin = 10 * secondMs;
const retryAfterMsMax = dayMs;
const errorCharsMax = 200;

/** RFC 9110 10.2.3: seconds or a date; bounded, so that a server can neither hurry nor park us. */
export function retryAfterMs(value: string, nowMs: number): number {
  const seconds = /^\d{1,10}$/.test(value) ? Number(value) * secondMs : undefined;
  const wantedMs = seconds ?? Date.parse(value) - nowMs;
  if (Number.isNaN(wantedMs)) return retryAfterMsMin;
  return Math.min(Math.max(wantedMs, retryAfterMsMin), retryAfterMsMax);
}

const toPem = (certificates: readonly X509Certificate[]): string =>
  certificates.map((certificate) => certificate.toString()).join('');

const isRoot = (certificate: X509Certificate): boolean =>
  certificate.subject === certificate.issuer;

export class EstClient implements Enroller {
  readonly #server: EstServer;
  readonly #base: URL;

  constructor(server: EstServer) {
    this.#server = server;
    const url = new URL(server.url);
    if (url.protocol !== 'https:') throw new Error('an EST server has an https URL');
    const label = url.pathname.replaceAll(/^\/+|\/+$/g, '');
    this.#base = new URL(`/.well-known/est/${label === '' ? '' : `${label}/`}`, url);
  }

  async enrol(request: EnrolmentRequest, signal: AbortSignal): Promise<EnrolmentOutcome> {
    const authorities = await this.cacerts(signal);
    const answer = await this.#submit(request, signal);
    if (answer.status === 202) {
      return {
        kind: 'pending',
        retryAfterMs: retryAfterMs(answer.headers['retry-after'] ?? '', request.nowMs),
      };
    }
    // The answer may hold the certificate alone: the way up is in the other message.
    const issued = certificatesIn(expectPkcs7(answer));
    const others = authorities.filter((one) => !isRoot(one));
    const known = new Set(issued.map(({ fingerprint256 }) => fingerprint256));
    const rest = others.filter(({ fingerprint256 }) => !known.has(fingerprint256));
    return { kind: 'issued', chain: toPem([...issued.filter((one) => !isRoot(one)), ...rest]) };
  }

  /** RFC 7030 4.1: the authority's certificates. */
  async cacerts(signal: AbortSignal): Promise<X509Certificate[]> {
    const options = { ca: this.#server.trustAnchors, signal };
    return certificatesIn(expectPkcs7(await exchange(this.#url('cacerts'), options, undefined)));
  }

  /** Renews with the present certificate (4.2.2); enrols anew when there is none or it is refused. */
  async #submit(request: EnrolmentRequest, signal: AbortSignal): Promise<Answer> {
    const { current } = request;
    if (current !== undefined) {
      const answer = await this.#post('simplereenroll', request, current, signal);
      const isRefused = answer.status === 401 || answer.status === 403;
      if (!isRefused || !this.#canEnrol()) return answer;
    }
    return this.#post('simpleenroll', request, this.#server.client, signal);
  }

  #canEnrol(): boolean {
    return this.#server.username !== undefined || this.#server.client !== undefined;
  }

  #post(
    operation: string,
    { request }: EnrolmentRequest,
    client: CertificatePair | undefined,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { trustAnchors, username, password = '' } = this.#server;
    const isNamed = username !== undefined && operation === 'simpleenroll';
    const auth = isNamed ? { auth: `${username}:${password}` } : {};
    const headers = {
      'Content-Type': 'application/pkcs10',
      'Content-Transfer-Encoding': 'base64',
    };
    const options = { client, ...auth, ca: trustAnchors, method: 'POST', headers, signal };
    // PKCS#10 in base64 with line breaks is what stands between the lines of the PEM form.
    const body = request.replaceAll(/-----[^-]+-----\r?\n?/g, '');
    return exchange(this.#url(operation), options, body);
  }

  #url(operation: string): URL {
    return new URL(operation, this.#base);
  }
}

function expectPkcs7({ status, headers, body }: Answer): string {
  const contentType = headers['content-type'] ?? '';
  if (status !== 200) {
    const text = /^text\//.test(contentType) ? body.replaceAll(/[^\x20-\x7e]+/g, ' ') : '';
    throw new Error(`the EST server answered ${status} ${text.slice(0, errorCharsMax)}`.trim());
  }
  if (!/^application\/pkcs7-mime\b/i.test(contentType)) {
    throw new Error(`the EST server answered with "${contentType}", not application/pkcs7-mime`);
  }
  return body;
}
