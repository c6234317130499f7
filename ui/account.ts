// SPDX-License-Identifier: Apache-2.0
// Who has signed in: we ourselves, with another password, and the sessions, which can be ended: our own, or
// everybody's for who administers.

import { change, passwordTimeoutMs, read, reasonOf } from './api.js';
import type { SessionEntry } from './documents.js';
import { button, byId, h, renderOnce, say } from './dom.js';
import { duration } from './format.js';
import { lockNote, type Session } from './session.js';

const refreshMs = 15_000;

const hows: Readonly<Record<string, string>> = {
  token: 'with the token',
  certificate: 'with a client certificate',
  application: 'whom the application has let pass',
};

/** "Firefox, Android" of what a browser calls itself; all of it where that says neither. */
export function browserOf(agent: string): string {
  const browser = /\b(Firefox|Edg|OPR|Chrome|Safari)\b/.exec(agent)?.[1];
  const system = /\b(Android|iPhone|iPad|Windows|Mac OS X|CrOS|Linux)\b/.exec(agent)?.[1];
  const names: Record<string, string> = { Edg: 'Edge', OPR: 'Opera', 'Mac OS X': 'macOS' };
  const known = [browser, system].filter((name) => name !== undefined);
  return known.map((name) => names[name] ?? name).join(', ') || agent || 'unknown program';
}

function itemOf(entry: SessionEntry, onEnd: () => void): HTMLElement {
  const { name, address, agent, startedAt, isOwn } = entry;
  const end = button('End', onEnd, 'small');
  end.setAttribute('aria-label', `End the session of ${name} from ${address}`);
  return h(
    'li',
    {},
    h('b', {}, name),
    h('span', { title: agent }, `${browserOf(agent)} at ${address}`),
    h('span', { class: 'quiet' }, `since ${new Date(startedAt).toLocaleString('en-GB')}`),
    isOwn ? h('span', { class: 'chip' }, 'this browser') : end,
  );
}

/** Used by a program all the time: minutes are enough. */
const usedOf = (entries: readonly SessionEntry[]): string =>
  entries
    .filter(({ isOwn, idleMs }) => !isOwn && idleMs >= 60_000)
    .map(({ name, address, idleMs }) => `${name} at ${address}: unused for ${duration(idleMs)}`)
    .join('. ');

export class AccountView {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
    lockNote(byId('people-locked'), 'see who has signed in', () => session.ask());
    byId('own-password').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#changePassword();
    });
    setInterval(() => {
      if (!document.hidden && session.access === 'granted') void this.refresh();
    }, refreshMs);
  }

  accessChanged(): void {
    const { access, who } = this.#session;
    const isOpen = access === 'granted';
    byId('people-locked').hidden = isOpen;
    byId('people-open').hidden = !isOpen;
    byId('own-password').hidden = who.by !== 'person';
    byId('session-list').replaceChildren();
    delete byId('session-list').dataset.key;
    for (const id of ['own-result', 'sessions-result']) say(id, '');
    if (!isOpen) return;
    byId<HTMLInputElement>('own-name').value = who.name ?? '';
    say('you', who.name ?? `Somebody ${hows[who.by ?? ''] ?? ''}.`);
    say('your-role', `Role: ${who.role}.`);
    void this.refresh();
  }

  async refresh(): Promise<void> {
    try {
      const { sessions } = await read<{ sessions: SessionEntry[] }>('sessions');
      const stable = sessions.map(({ idleMs: _, ...entry }) => entry);
      renderOnce(byId('session-list'), JSON.stringify(stable), () =>
        sessions.map((entry) => itemOf(entry, () => void this.#end(entry))),
      );
      const none = sessions.length === 0 ? 'Nobody has signed in by name.' : '';
      say('sessions-note', none || usedOf(sessions));
    } catch (error) {
      this.#session.refused(error);
    }
  }

  async #end({ id, name, address }: SessionEntry): Promise<void> {
    try {
      await change('DELETE', `sessions/${id}`);
      say('sessions-result', `The session of ${name} from ${address} is over.`);
    } catch (error) {
      this.#session.refused(error);
      say('sessions-result', reasonOf(error));
    }
    await this.refresh();
  }

  async #changePassword(): Promise<void> {
    const [current, next, again] = ['own-current', 'own-next', 'own-again'].map(
      (id) => byId<HTMLInputElement>(id).value,
    );
    const send = byId<HTMLButtonElement>('own-send');
    if (next !== again) {
      say('own-result', 'The new passwords differ.');
      return;
    }
    send.disabled = true;
    say('own-result', 'Changing…');
    try {
      await this.#session.replace(() =>
        change('PUT', 'session/password', { current, next }, passwordTimeoutMs),
      );
      byId<HTMLFormElement>('own-password').reset();
      byId<HTMLInputElement>('own-name').value = this.#session.who.name ?? '';
      say('own-result', 'It is changed. Every other session of yours is over.');
    } catch (error) {
      this.#session.refused(error);
      say('own-result', reasonOf(error));
    } finally {
      send.disabled = false;
    }
    await this.refresh();
  }
}
