// SPDX-License-Identifier: Apache-2.0
// What the page wants to know at once, as server-sent events: first every value as it is, then each
// change. A reader that is slow gets the newest. Made by server.ts, used by the route /events.

import type { ServerResponse } from 'node:http';
import type { Events } from '../base/events.js';
import { ServerSentStreams, type StreamClock, streamBounds } from './server-sent.js';

export class EventStreams {
  readonly #events: Events;
  readonly #streams: ServerSentStreams;

  constructor(events: Events, clock: StreamClock = streamBounds) {
    this.#events = events;
    this.#streams = new ServerSentStreams('the events', clock);
  }

  /** Writes the whole response. Throws Problem 503 when there are too many. */
  serve(outgoing: ServerResponse): void {
    let last = 0;
    const take = (): string => {
      const { values, change } = this.#events.since(last);
      last = change;
      return values.map(({ name, data }) => `event: ${name}\ndata: ${data}\n\n`).join('');
    };
    const subscribe = (listener: () => void) => this.#events.subscribe(listener);
    this.#streams.serve(outgoing, { take, subscribe, isFollowing: true });
  }

  /** Ends every stream: the service stops. */
  close(): void {
    this.#streams.close();
  }
}
