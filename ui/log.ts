// SPDX-License-Identifier: Apache-2.0
// The tail of the log, as it is written. Paused, it goes on reading and shows nothing new. What it
// keeps is bounded.

import { ask, reasonOf } from './api.js';
import { byId, h, say } from './dom.js';
import { count } from './format.js';
import { save } from './operate.js';
import { lockNote, type Session } from './session.js';
import type { StreamEvent } from './shared.js';
import { EventParser, follow } from './stream.js';

const linesMax = 500;
const linesFirst = 200;
/** The most that the API gives. */
const linesSaved = 1_000;
const levels = ['debug', 'info', 'warn', 'error', 'fatal'];

interface Line {
  level: string;
  time: string;
  event: string;
  rest: string;
}

const wordsOf = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value);

/** A line of the log is JSON (docs/LOGGING.md); what is not is shown as it is. */
export function parseLine(data: string): Line {
  try {
    const { level = 'info', time = '', event = '', ...rest } = JSON.parse(data);
    const fields = Object.entries(rest).map(([name, value]) => `${name}=${wordsOf(value)}`);
    return {
      level: String(level),
      time: String(time),
      event: String(event),
      rest: fields.join('  '),
    };
  } catch {
    return { level: 'info', time: '', event: '', rest: data };
  }
}

function timeOf(time: string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time : date.toLocaleTimeString('en-GB');
}

function rowOf({ level, time, event, rest }: Line): HTMLElement {
  return h(
    'li',
    { class: level },
    h('time', { datetime: time, title: time }, timeOf(time)),
    h('span', { class: 'level' }, level),
    h('span', { class: 'said' }, h('b', {}, event), ' ', rest),
  );
}

export class LogView {
  readonly #session: Session;
  readonly #list = byId('line-list');
  readonly #region = byId('lines');
  readonly #level = byId<HTMLSelectElement>('level');
  readonly #pause = byId('pause');
  readonly #search = byId<HTMLInputElement>('search');
  #lines: Line[] = [];
  #isPaused = false;
  #missed = 0;

  constructor(session: Session) {
    this.#session = session;
    lockNote(byId('log-locked'), 'read the log', () => session.ask());
    this.#level.addEventListener('change', () => this.#showAll());
    this.#search.addEventListener('input', () => this.#showAll());
    byId('save-log').addEventListener('click', () => void this.#save());
    this.#pause.addEventListener('click', () => this.#setPaused(!this.#isPaused));
  }

  accessChanged(): void {
    const isOpen = this.#session.access === 'granted';
    byId('log-locked').hidden = isOpen;
    byId('log-open').hidden = !isOpen;
    byId('log-tools').hidden = !isOpen;
    if (isOpen) void this.#follow();
    else this.#forget();
  }

  /** Signed out: the next one here may be somebody else. */
  #forget(): void {
    this.#lines = [];
    this.#list.replaceChildren();
  }

  async #follow(): Promise<void> {
    try {
      await follow({
        path: `log?lines=${linesFirst}`,
        past: `log?lines=${linesFirst}&follow=false`,
        onEvent: (event) => this.#take(event),
        onOpen: () => say('log-note', 'New lines appear at the end.'),
        signal: this.#session.signal,
      });
    } catch (error) {
      this.#session.refused(error);
      say('log-note', reasonOf(error));
    }
  }

  #take({ name, data }: StreamEvent): void {
    if (name === 'lost') {
      const lost = Number(JSON.parse(data).lines);
      this.#add({ level: 'warn', time: '', event: 'lost', rest: count(lost, 'line') });
    } else if (name === 'message') {
      this.#add(parseLine(data));
    }
  }

  #add(line: Line): void {
    this.#lines.push(line);
    if (this.#lines.length > linesMax) this.#lines.shift();
    if (this.#isPaused) {
      this.#missed += 1;
      say('log-note', `Paused. ${count(this.#missed, 'new line')}.`);
      return;
    }
    if (!this.#isShown(line)) return;
    const { scrollHeight, scrollTop, clientHeight } = this.#region;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < 24;
    this.#list.append(rowOf(line));
    while (this.#list.childElementCount > linesMax) this.#list.firstElementChild?.remove();
    if (isAtEnd) this.#region.scrollTop = this.#region.scrollHeight;
  }

  #isShown({ level, time, event, rest }: Line): boolean {
    if (levels.indexOf(level) < levels.indexOf(this.#level.value)) return false;
    const wanted = this.#search.value.trim().toLowerCase();
    return wanted === '' || `${time} ${level} ${event} ${rest}`.toLowerCase().includes(wanted);
  }

  /** All that the device still has, as it has it: a JSON object a line. */
  async #save(): Promise<void> {
    try {
      const response = await ask(`log?lines=${linesSaved}&follow=false`);
      const events = new EventParser().take(await response.text());
      const lines = events.filter(({ name }) => name === 'message').map(({ data }) => `${data}\n`);
      const host = byId('host').textContent.replaceAll(/[^\w.-]/g, '_');
      const time = new Date().toISOString().slice(0, 19).replaceAll(':', '');
      save(`${host}-${time}.log`, lines.join(''), 'application/x-ndjson');
    } catch (error) {
      this.#session.refused(error);
      say('log-note', reasonOf(error));
    }
  }

  #showAll(): void {
    const shown = this.#lines.filter((line) => this.#isShown(line));
    this.#list.replaceChildren(...shown.map(rowOf));
    this.#region.scrollTop = this.#region.scrollHeight;
    const all = this.#lines.length;
    say('log-note', `${count(shown.length, 'line')} of the last ${all}.`);
  }

  #setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    this.#pause.setAttribute('aria-pressed', String(isPaused));
    this.#pause.textContent = isPaused ? 'Go on' : 'Pause';
    this.#missed = 0;
    if (isPaused) say('log-note', 'Paused.');
    else this.#showAll();
  }
}
