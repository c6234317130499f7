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

/** The system's words for a medium that refuses, by errno. */
const storageTitles: Readonly<Record<string, { status: number; title: string }>> = {
  ENOSPC: { status: 507, title: 'No space' },
  EDQUOT: { status: 507, title: 'No space' },
  EROFS: { status: 500, title: 'Storage refuses' },
  EACCES: { status: 500, title: 'Storage refuses' },
  EPERM: { status: 500, title: 'Storage refuses' },
  EIO: { status: 500, title: 'Storage refuses' },
};

/** What is thrown where a handler could not write: an answer that says why. Undefined: it is no such error. */
export function storageProblem(error: unknown): Problem | undefined {
  const { code = '', syscall } = error as NodeJS.ErrnoException;
  const found = storageTitles[code];
  if (!(error instanceof Error) || syscall === undefined || found === undefined) return undefined;
  const advice = code === 'ENOSPC' || code === 'EDQUOT' ? 'make room' : 'see "spliced doctor"';
  const detail = `The device cannot write to its storage, and nothing was changed: ${error.message}; ${advice}.`;
  return new Problem(found.status, found.title, detail);
}
