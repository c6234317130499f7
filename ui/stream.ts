// SPDX-License-Identifier: Apache-2.0
// Server-sent events by fetch: EventSource can send no Authorization. Goes on behind the last event
// after an interruption. A browser has six connections for one host, and all windows share them: so
// one window reads for all (shared.ts), and one that nobody sees reads nothing.

import { ask, Refusal } from './api.js';
import { type Following, Place, type StreamEvent, together } from './shared.js';
import { afterMs, whenVisible } from './wait.js';

const retryMsMin = 1_000;
const retryMsMax = 15_000;
/** The heartbeat comes each 15 s. */
const silenceMs = 40_000;
/** A line of the log is far shorter; more is no stream of ours. */
const eventCharactersMax = 1 << 20;

/** Takes the text of a stream piece by piece and answers with the events that are complete. */
export class EventParser {
  #rest = '';

  take(text: string): StreamEvent[] {
    const blocks = (this.#rest + text).split(/\r?\n\r?\n/);
    this.#rest = blocks.pop() ?? '';
    if (this.#rest.length > eventCharactersMax) throw new Error('an event without an end');
    return blocks.flatMap((block) => this.#eventOf(block) ?? []);
  }

  #eventOf(block: string): StreamEvent | undefined {
    let name = 'message';
    let id = '';
    const data: string[] = [];
    for (const line of block.split(/\r?\n/)) {
      const [, field, value = ''] = /^([^:]*): ?(.*)$/s.exec(line) ?? [];
      if (field === 'event') name = value;
      else if (field === 'data') data.push(value);
      else if (field === 'id') id = value;
    }
    return data.length === 0 ? undefined : { id, name, data: data.join('\n') };
  }
}

interface Reading {
  path: string;
  place: Place;
  onEvent: (event: StreamEvent) => void;
  onOpen: () => void;
}

/** One connection, to its end. */
async function readOnce(reading: Reading, signal: AbortSignal): Promise<void> {
  const { path, place, onEvent, onOpen } = reading;
  const quiet = new AbortController();
  let timer = setTimeout(() => quiet.abort(), silenceMs);
  const parser = new EventParser();
  try {
    const { last } = place;
    const response = await ask(path, {
      signal: AbortSignal.any([signal, quiet.signal]),
      ...(last === '' ? {} : { headers: { 'Last-Event-ID': last } }),
    });
    const reader = response.body?.getReader();
    if (reader === undefined) return;
    onOpen();
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

/** Again and again, until the signal is aborted. Throws Refusal. */
async function readOn(reading: Reading, signal: AbortSignal): Promise<void> {
  let retryMs = retryMsMin;
  const onOpen = (): void => {
    retryMs = retryMsMin;
    reading.onOpen();
  };
  while (!signal.aborted) {
    try {
      await readOnce({ ...reading, onOpen }, signal);
    } catch (error) {
      if (error instanceof Refusal) throw error;
    }
    await afterMs(retryMs, signal);
    retryMs = Math.min(retryMs * 2, retryMsMax);
  }
}

/** What was said until now, for a window that another one reads for. */
async function readPast(following: Following, place: Place, signal: AbortSignal): Promise<void> {
  const { past, onEvent, onOpen } = following;
  if (past === undefined) return onOpen();
  try {
    await readOnce({ path: past, place, onEvent: place.fresh(onEvent), onOpen }, signal);
  } catch (error) {
    if (error instanceof Refusal) throw error;
  }
}

/** Until the signal is aborted. Throws Refusal: what the device refuses, it refuses again. */
export async function follow(following: Following): Promise<void> {
  const { path, onOpen, signal } = following;
  const place = new Place();
  while (!signal.aborted) {
    await whenVisible();
    const hidden = new AbortController();
    const look = (): void => {
      if (document.hidden) hidden.abort();
    };
    document.addEventListener('visibilitychange', look);
    const either = AbortSignal.any([signal, hidden.signal]);
    try {
      await together(following, place, either, {
        lead: (onEvent) => readOn({ path, place, onEvent, onOpen }, either),
        catchUp: () => readPast(following, place, either),
      });
    } finally {
      document.removeEventListener('visibilitychange', look);
    }
  }
}
