// SPDX-License-Identifier: Apache-2.0
// The answers of the listener on port 80 to an ACME server that checks that a name is ours (http-01,
// RFC 8555 8.3). acme.ts adds and removes answers; the listener looks up the path of each request
// here.

import type { ChallengeResponder } from './source.js';

const challengePath = '/.well-known/acme-challenge/';
const responsesMax = 100; // As many names as a certificate has, at most.

export class ChallengeResponses implements ChallengeResponder {
  readonly #responses = new Map<string, string>();

  /** Throws when there are too many at once. */
  set(token: string, response: string): void {
    if (this.#responses.size >= responsesMax) throw new Error('too many challenges at once');
    this.#responses.set(token, response);
  }

  remove(token: string): void {
    this.#responses.delete(token);
  }

  /** The body (application/octet-stream) for a request's path; undefined: 404. */
  answer(path: string): string | undefined {
    if (!path.startsWith(challengePath)) return undefined;
    return this.#responses.get(path.slice(challengePath.length));
  }
}
