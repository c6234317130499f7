// SPDX-License-Identifier: Apache-2.0
// Server-sent events by fetch: EventSource can send no Authorization. Goes on behind the last event
// after an interruption, and lets go of the connection while nobody sees the tab: a browser has six
// for one host, and tabs share them.

import { ask, Refusal } from './api.js';
import { afterMs, whenVisible } from './wait.js';

export interface StreamEvent {
  name: string;
  data: string;
}

interface Following {
  path: string;
  onEvent: (event: StreamEvent) => void;
  /** The stream has begun, or begun again. */
  onOpen?: () => void;
  signal: AbortSignal;
}

const retryMsMin = 1_000;
const retryMsMax = 15_000;
/** The heartbeat comes each 15 s. */
const silenceMs = 40_000;
/** A line of the log is far shorter; more is no stream of ours. */
const eventCharactersMax = 1 << 20;

/** Takes the text of a stream piece by piece and answers with the events that are complete. */
export class EventParser {
  #rest = '';
  lastId = '';

  take(text: string): StreamEvent[] {
    const blocks = (this.#rest + text).split(/\r?\n\r?\n/);
    this.#rest = blocks.pop() ?? '';
    if (this.#rest.length > eventCharactersMax) throw new Error('an event without an end');
    return blocks.flatMap((block) => this.#eventOf(block) ?? []);
  }

  #eventOf(block: string): StreamEvent | undefined {
    let name = 'message';
    const data: string[] = [];
    for (const line of block.split(/\r?\n/)) {
      const [, field, value = ''] = /^([^:]*): ?(.*)$/s.exec(line) ?? [];
      if (field === 'event') name = value;
      else if (field === 'data') data.push(value);
      else if (field === 'id') this.lastId = value;
    }
    return data.length === 0 ? undefined : { name, data: data.join('\n') };
  }
}

/** One connection, to its end. */
async function readOnce(
  { path, onEvent, onOpen }: Following,
  parser: EventParser,
  signal: AbortSignal,
): Promise<void> {
  const quiet = new AbortController();
  let timer = setTimeout(() => quiet.abort(), silenceMs);
  try {
    const id = parser.lastId;
    const response = await ask(path, {
      signal: AbortSignal.any([signal, quiet.signal]),
      ...(id === '' ? {} : { headers: { 'Last-Event-ID': id } }),
    });
    const reader = response.body?.getReader();
    if (reader === undefined) return;
    onOpen?.();
    const decoder = new TextDecoder();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => quiet.abort(), silenceMs);
      for (const event of parser.take(decoder.decode(value, { stream: true }))) onEvent(event);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Until the signal is aborted. Throws Refusal: what the device refuses, it refuses again. */
export async function follow(following: Following): Promise<void> {
  const { signal } = following;
  const parser = new EventParser();
  let retryMs = retryMsMin;
  while (!signal.aborted) {
    await whenVisible();
    const hidden = new AbortController();
    const look = (): void => {
      if (document.hidden) hidden.abort();
    };
    document.addEventListener('visibilitychange', look);
    const onOpen = (): void => {
      retryMs = retryMsMin;
      following.onOpen?.();
    };
    try {
      const either = AbortSignal.any([signal, hidden.signal]);
      await readOnce({ ...following, onOpen }, parser, either);
    } catch (error) {
      if (error instanceof Refusal) throw error;
    } finally {
      document.removeEventListener('visibilitychange', look);
    }
    if (!hidden.signal.aborted) await afterMs(retryMs, signal);
    retryMs = Math.min(retryMs * 2, retryMsMax);
  }
}
