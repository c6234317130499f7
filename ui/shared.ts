// SPDX-License-Identifier: Apache-2.0
// One window reads a stream for all that are signed in with the same token or by the same name: who
// holds the lock reads it and tells the others on a channel; when that window is closed or hidden, the
// next one takes over. Whoever knows the name of the channel can listen, so it is made of the token:
// another page of this host, which has no token, cannot. (By name it could as well read the stream
// itself: the browser sends the cookie for all of this host.) The name of the lock, which any page of the host can look up, says
// nothing of it.

import { identity } from './api.js';

export interface StreamEvent {
  /** Where it stands in the stream; empty: nowhere. */
  id: string;
  name: string;
  data: string;
}

export interface Following {
  path: string;
  /** Answers with what was said until now, and ends: for a window that joins. */
  past?: string;
  onEvent: (event: StreamEvent) => void;
  /** Whatever happens from now on is told; the stream has begun, or begun again. */
  onOpen: () => void;
  signal: AbortSignal;
}

/** How far a stream was read. An id is RUN-NUMBER; another run is another process of the device. */
export class Place {
  last = '';

  /** Passes on what is not yet known. */
  fresh(onEvent: (event: StreamEvent) => void): (event: StreamEvent) => void {
    return (event) => {
      if (event.id !== '') {
        if (this.#isKnown(event.id)) return;
        this.last = event.id;
      }
      onEvent(event);
    };
  }

  #isKnown(id: string): boolean {
    const [run, number] = id.split('-');
    const [lastRun, lastNumber] = this.last.split('-');
    return run === lastRun && Number(number) <= Number(lastNumber);
  }
}

async function nameOf(kind: string, path: string): Promise<string> {
  const text = new TextEncoder().encode(`spliced ${kind} ${path} ${identity()}`);
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', text));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

interface Means {
  /** Reads the stream itself, until the signal that both know is aborted. */
  lead: (onEvent: (event: StreamEvent) => void) => Promise<void>;
  catchUp: () => Promise<void>;
}

/** Until the signal is aborted, by turns with other windows. */
export async function together(
  { path, onEvent }: Following,
  place: Place,
  signal: AbortSignal,
  { lead, catchUp }: Means,
): Promise<void> {
  const take = place.fresh(onEvent);
  // Not in a browser of before 2022, nor where the page is no secure context.
  if (navigator.locks === undefined || crypto.subtle === undefined) return lead(take);
  const lock = await nameOf('lock', path);
  const channel = new BroadcastChannel(await nameOf('channel', path));
  const leadForAll = async (): Promise<void> => {
    channel.onmessage = null;
    await lead((event) => {
      take(event);
      channel.postMessage(event);
    });
  };
  // What is told while we catch up comes behind it.
  let early: StreamEvent[] | undefined = [];
  channel.onmessage = ({ data }: MessageEvent<StreamEvent>) => {
    if (early === undefined) take(data);
    else early.push(data);
  };
  try {
    const isFree = await navigator.locks.request(lock, { ifAvailable: true }, async (held) => {
      if (held !== null) await leadForAll();
      return held !== null;
    });
    if (isFree) return;
    await catchUp();
    for (const event of early) take(event);
    early = undefined;
    await navigator.locks.request(lock, { signal }, leadForAll);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    channel.close();
  }
}
