// SPDX-License-Identifier: Apache-2.0
// An answer that refuses, as RFC 9457 has it: its `detail` says what to do. Thrown by everything
// below a handler, sent by app.ts.

export interface ProblemExtras {
  /** Further members of the body. */
  members?: Record<string, unknown>;
  headers?: Record<string, string>;
}

export class Problem extends Error {
  readonly status: number;
  readonly #title: string;
  readonly #members: Record<string, unknown>;
  readonly headers: Record<string, string>;

  /** `title` is the same for every problem of its kind; `detail` is for the person who reads it. */
  constructor(status: number, title: string, detail: string, extras: ProblemExtras = {}) {
    super(detail);
    this.status = status;
    this.#title = title;
    this.#members = extras.members ?? {};
    this.headers = extras.headers ?? {};
  }

  get body(): Record<string, unknown> {
    const { status, message: detail } = this;
    return { type: 'about:blank', title: this.#title, status, detail, ...this.#members };
  }
}

export const problemType = 'application/problem+json';
