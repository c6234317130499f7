// SPDX-License-Identifier: Apache-2.0
// Answers without an end, such as the log's, to people who have signed in: they end when the session
// does, also by its time or by another process. Used by people.ts.

import type { ServerResponse } from 'node:http';
import type { Session } from './sessions.js';

/** How long a stream may outlive its session. */
export const checkIntervalMs = 5_000;

export class SessionStreams {
  readonly #open = new Map<ServerResponse, Session>();
  readonly #isGood: (session: Session) => Promise<boolean>;
  #timer: NodeJS.Timeout | undefined;

  /** `isGood` must not throw. */
  constructor(isGood: (session: Session) => Promise<boolean>) {
    this.#isGood = isGood;
  }

  /** As many as the streams that there may be: log-stream.ts, event-stream.ts. */
  add(session: Session, outgoing: ServerResponse): void {
    if (outgoing.writableEnded || outgoing.destroyed) return;
    this.#open.set(outgoing, session);
    outgoing.once('close', () => {
      this.#open.delete(outgoing);
      if (this.#open.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
    this.#timer ??= setInterval(() => void this.check(), checkIntervalMs).unref();
  }

  /** Now. Never throws. */
  async check(): Promise<void> {
    for (const [outgoing, session] of [...this.#open]) {
      if (!(await this.#isGood(session))) outgoing.destroy();
    }
  }
}
