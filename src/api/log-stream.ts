// SPDX-License-Identifier: Apache-2.0
// The log as server-sent events (HTML, "Server-sent events"): the last lines, then each new one. A
// reader is a place in the log's tail and no queue: one that is slow loses lines, is told how many,
// and after a while without reading anything is cut off. Made by app.ts, used by the route /log.

import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { LogTail } from '../log-tail.js';
import { Problem } from './problem.js';

export const streamBounds = {
  followersMax: 8,
  /** Comments that keep proxies and browsers from taking the stream for dead. */
  heartbeatMs: 15_000,
  /** For a reader that takes nothing. */
  stallMs: 30_000,
  /** Before the reader's pace is looked at; a line has some hundred bytes. */
  linesPerWrite: 32,
} as const;

/** For the browser: when to come again after the stream has ended. */
const retryMs = 3_000;

export interface StreamOptions {
  /** So many of the last lines first. */
  lines: number;
  /** Go on with new lines. */
  isFollowing: boolean;
  /** The id of the last event that the reader has; counts for more than `lines`. */
  lastEventId: string | undefined;
}

export interface StreamClock {
  heartbeatMs: number;
  stallMs: number;
}

export class LogStreams {
  readonly #tail: LogTail;
  readonly #clock: StreamClock;
  /** An id of another process means nothing here. */
  readonly #run = randomUUID().slice(0, 8);
  readonly #open = new Set<ServerResponse>();

  constructor(tail: LogTail, clock: StreamClock = streamBounds) {
    this.#tail = tail;
    this.#clock = clock;
  }

  /** Writes the whole response. Throws Problem 503 when there are too many. */
  serve(outgoing: ServerResponse, options: StreamOptions): void {
    if (this.#open.size >= streamBounds.followersMax) {
      const detail = `At most ${streamBounds.followersMax} may read the log at a time. Try again later.`;
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
    this.#pump(outgoing, this.#placeOf(options), options.isFollowing);
  }

  /** Ends every stream: the service stops. */
  close(): void {
    for (const outgoing of this.#open) outgoing.end();
  }

  #placeOf({ lines, lastEventId }: StreamOptions): number {
    const [, run, number] = /^([0-9a-f]{8})-(\d{1,15})$/.exec(lastEventId ?? '') ?? [];
    if (run === this.#run) return Number(number) + 1;
    // A stranger's id: its reader has seen nothing of this process.
    return lastEventId === undefined ? Math.max(this.#tail.next - lines, 0) : 0;
  }

  #pump(outgoing: ServerResponse, from: number, isFollowing: boolean): void {
    let next = from;
    let stalled: NodeJS.Timeout | undefined;
    const onStall = (): void => void outgoing.destroy();
    const write = (text: string): void => {
      if (outgoing.write(text) || stalled !== undefined) return;
      stalled = setTimeout(onStall, this.#clock.stallMs);
      stalled.unref();
    };
    const step = (): void => {
      while (stalled === undefined && !outgoing.writableEnded && !outgoing.destroyed) {
        const { lines, first, lost } = this.#tail.read(next, streamBounds.linesPerWrite);
        next = first + lines.length;
        if (lost > 0) write(`event: lost\ndata: {"lines":${lost}}\n\n`);
        if (lines.length > 0) {
          write(
            lines.map((line, i) => `id: ${this.#run}-${first + i}\ndata: ${line}\n\n`).join(''),
          );
        } else if (lost === 0) break;
      }
      if (!isFollowing && stalled === undefined) outgoing.end();
    };
    outgoing.on('drain', () => {
      clearTimeout(stalled);
      stalled = undefined;
      step();
    });
    const unsubscribe = this.#tail.subscribe(step);
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
