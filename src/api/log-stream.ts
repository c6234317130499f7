// SPDX-License-Identifier: Apache-2.0
// The log as server-sent events: the last lines, then each new one. A reader is a place in the log's
// tail: one that is slow loses lines and is told how many. Made by server.ts, used by the route /log.

import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { LogTail } from '../log/tail.js';
import { ServerSentStreams, type StreamClock, streamBounds } from './server-sent.js';

/** Before the reader's pace is looked at; a line has some hundred bytes. */
export const linesPerWrite = 32;

export interface StreamOptions {
  /** So many of the last lines first. */
  lines: number;
  /** Go on with new lines. */
  isFollowing: boolean;
  /** The id of the last event that the reader has; counts for more than `lines`. */
  lastEventId: string | undefined;
}

export class LogStreams {
  readonly #tail: LogTail;
  readonly #streams: ServerSentStreams;
  /** An id of another process means nothing here. */
  readonly #run = randomUUID().slice(0, 8);

  constructor(tail: LogTail, clock: StreamClock = streamBounds) {
    this.#tail = tail;
    this.#streams = new ServerSentStreams('the log', clock);
  }

  /** Writes the whole response. Throws Problem 503 when there are too many. */
  serve(outgoing: ServerResponse, options: StreamOptions): void {
    let next = this.#placeOf(options);
    const take = (): string => {
      const { lines, first, lost } = this.#tail.read(next, linesPerWrite);
      next = first + lines.length;
      const loss = lost > 0 ? `event: lost\ndata: {"lines":${lost}}\n\n` : '';
      return (
        loss + lines.map((line, i) => `id: ${this.#run}-${first + i}\ndata: ${line}\n\n`).join('')
      );
    };
    const subscribe = (listener: () => void) => this.#tail.subscribe(listener);
    this.#streams.serve(outgoing, { take, subscribe, isFollowing: options.isFollowing });
  }

  /** Ends every stream: the service stops. */
  close(): void {
    this.#streams.close();
  }

  #placeOf({ lines, lastEventId }: StreamOptions): number {
    const [, run, number] = /^([0-9a-f]{8})-(\d{1,15})$/.exec(lastEventId ?? '') ?? [];
    if (run === this.#run) return Number(number) + 1;
    // A stranger's id: its reader has seen nothing of this process.
    return lastEventId === undefined ? Math.max(this.#tail.next - lines, 0) : 0;
  }
}
