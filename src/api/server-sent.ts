// SPDX-License-Identifier: Apache-2.0
// Server-sent events (HTML, "Server-sent events") to a bounded number of readers. A reader has no
// queue: it reads from a source that knows its position. A reader that reads nothing for a while is
// disconnected.
// Used by log-stream.ts and event-stream.ts.

import type { ServerResponse } from 'node:http';
import { Problem } from './problem.js';

export const streamBounds = {
  /** Of each kind of stream. */
  followersMax: 8,
  /** Comments that keep proxies and browsers from taking the stream for dead. */
  heartbeatMs: 15_000,
  /** For a reader that takes nothing. */
  stallMs: 30_000,
} as const;

/** For the browser: when to come again after the stream has ended. */
const retryMs = 3_000;

export interface StreamClock {
  heartbeatMs: number;
  stallMs: number;
}

/** What one reader gets. */
export interface Source {
  /** The next events as text; empty: there is nothing now. */
  take(): string;
  /** Tells the listener that there may be something again, until the answer is called. */
  subscribe(listener: () => void): () => void;
  /** False: the stream ends when there is nothing. */
  isFollowing: boolean;
}

export class ServerSentStreams {
  readonly #what: string;
  readonly #clock: StreamClock;
  readonly #open = new Set<ServerResponse>();

  /** `what` is followed, in words. */
  constructor(what: string, clock: StreamClock = streamBounds) {
    this.#what = what;
    this.#clock = clock;
  }

  /** Writes the whole response. Throws Problem 503 when there are too many. */
  serve(outgoing: ServerResponse, source: Source): void {
    if (this.#open.size >= streamBounds.followersMax) {
      const detail = `At most ${streamBounds.followersMax} may read ${this.#what} at a time. Try again later.`;
      throw new Problem(503, 'Too many readers', detail, { headers: { 'Retry-After': '30' } });
    }
    outgoing.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      // Ends the connection with the stream: nothing else is answered behind it.
      Connection: 'close',
    });
    outgoing.write(`retry: ${retryMs}\n\n`);
    this.#open.add(outgoing);
    outgoing.on('close', () => this.#open.delete(outgoing));
    this.#pump(outgoing, source);
  }

  /** Ends every stream: the service stops. */
  close(): void {
    for (const outgoing of this.#open) outgoing.end();
  }

  #pump(outgoing: ServerResponse, source: Source): void {
    let stalled: NodeJS.Timeout | undefined;
    const onStall = (): void => void outgoing.destroy();
    const write = (text: string): void => {
      if (outgoing.write(text) || stalled !== undefined) return;
      stalled = setTimeout(onStall, this.#clock.stallMs);
      stalled.unref();
    };
    const step = (): void => {
      while (stalled === undefined && !outgoing.writableEnded && !outgoing.destroyed) {
        const text = source.take();
        if (text === '') break;
        write(text);
      }
      if (!source.isFollowing && stalled === undefined) outgoing.end();
    };
    outgoing.on('drain', () => {
      clearTimeout(stalled);
      stalled = undefined;
      step();
    });
    const unsubscribe = source.subscribe(step);
    const heartbeat = setInterval(() => {
      if (stalled === undefined) write(': \n\n');
    }, this.#clock.heartbeatMs);
    heartbeat.unref();
    outgoing.on('close', () => {
      unsubscribe();
      clearInterval(heartbeat);
      clearTimeout(stalled);
    });
    step();
  }
}
