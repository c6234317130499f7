// SPDX-License-Identifier: Apache-2.0
// The dialog that asks who somebody is: by name and password, by the token, or on a device that nobody
// has claimed by its code, which makes the first administrator. session.ts opens and closes it.

import { change, keepToken, passwordTimeoutMs, Refusal, read, reasonOf } from './api.js';
import type { Who } from './documents.js';
import { byId, say } from './dom.js';

type Way = 'name' | 'claim' | 'token';

interface Words {
  title: string;
  send: string;
  /** On the button that goes to this way. */
  other: string;
}

const words: Readonly<Record<Way, Words>> = {
  name: { title: 'Sign in', send: 'Sign in', other: 'By name' },
  claim: { title: 'Claim this device', send: 'Claim it', other: 'Claim the device' },
  token: { title: 'Sign in by token', send: 'Sign in', other: 'By token' },
};

const usualWay = ({ hasPeople, claim }: Who): Way =>
  hasPeople ? 'name' : claim === 'open' ? 'claim' : 'token';

const typed = (id: string): string => byId<HTMLInputElement>(id).value;

export class SignIn {
  readonly #begin: () => Promise<Who | undefined>;
  readonly #dialog = byId<HTMLDialogElement>('sign-in');
  readonly #send = byId<HTMLButtonElement>('sign-in-send');
  readonly #other = byId<HTMLButtonElement>('sign-in-other');
  #who: Who | undefined;
  #way: Way = 'token';
  #timer = 0;

  /** `begin` finds out who we are by now, and closes the dialog where we may. */
  constructor(begin: () => Promise<Who | undefined>) {
    this.#begin = begin;
    for (const way of Object.keys(words) as Way[]) {
      byId(`${way}-form`).addEventListener('submit', (event) => {
        event.preventDefault();
        if (!this.#send.disabled) void this.#try();
      });
    }
    // The wait is that of a name.
    byId('name').addEventListener('input', () => this.#hold(0));
    byId('sign-in-cancel').addEventListener('click', () => this.close());
    this.#other.addEventListener('click', () => this.#show(this.#otherWay()));
  }

  open(who: Who): void {
    this.#who = who;
    if (this.#dialog.open) return;
    this.#dialog.showModal();
    this.#show(usualWay(who));
  }

  close(): void {
    this.#dialog.close();
  }

  #otherWay(): Way {
    return this.#way === 'token' && this.#who !== undefined ? usualWay(this.#who) : 'token';
  }

  #show(way: Way, error = ''): void {
    this.#way = way;
    const { title } = words[way];
    say('sign-in-title', title);
    say('sign-in-error', error);
    for (const one of Object.keys(words)) byId(`${one}-form`).hidden = one !== way;
    this.#send.setAttribute('form', `${way}-form`);
    this.#hold(0);
    const other = this.#otherWay();
    this.#other.hidden = other === way;
    this.#other.textContent = words[other].other;
    byId('claim-over').hidden = this.#who?.hasPeople !== false || this.#who.claim !== 'over';
    byId('application-silent').hidden = this.#who?.isApplicationSilent !== true;
    const minutes = Math.ceil((this.#who?.secondsLeft ?? 0) / 60);
    say('claim-left', `${minutes} min`);
    byId(`${way}-form`).querySelector('input')?.focus();
  }

  async #try(): Promise<void> {
    const way = this.#way;
    say('sign-in-error', '');
    this.#send.disabled = true;
    try {
      await this.#enter(way);
      byId<HTMLFormElement>(`${way}-form`).reset();
      this.#send.disabled = false;
    } catch (error) {
      this.#send.disabled = false;
      await this.#refused(way, error);
    }
  }

  /** Throws what keeps us out. */
  async #enter(way: Way): Promise<void> {
    if (way === 'token') {
      keepToken(typed('token').trim());
      // Reads who we are with it, and throws where that is nobody.
      const who = await read<Who>('session').catch((error) => {
        keepToken('');
        throw error;
      });
      if (who.role === null) throw new Error('The token is wrong.');
    } else if (way === 'claim') {
      const [password, again] = [typed('new-password'), typed('new-password-again')];
      if (password !== again) throw new Error('The passwords differ.');
      const wish = { code: typed('code'), name: typed('new-name'), password };
      await change('POST', 'claim', wish, passwordTimeoutMs);
    } else {
      const wish = { name: typed('name'), password: typed('password') };
      await change('POST', 'session', wish, passwordTimeoutMs);
    }
    if (way !== 'token') keepToken('');
    const who = await this.#begin();
    if (who?.role === null) throw new Error('This browser has not kept the cookie of the session.');
  }

  async #refused(way: Way, error: unknown): Promise<void> {
    const reason = reasonOf(error);
    say('sign-in-error', reason);
    if (!(error instanceof Refusal)) return;
    this.#hold(error.retryAfterS);
    // Claimed by another, or too late: what can be done is another thing by now.
    if (way === 'claim' && error.status === 409) {
      this.#who = (await this.#begin()) ?? this.#who;
      if (this.#who !== undefined) this.#show(usualWay(this.#who), reason);
    } else if (way === 'token') byId<HTMLInputElement>('token').select();
    else if (way === 'name') byId<HTMLInputElement>('password').select();
  }

  /** So long the device would not listen. */
  #hold(seconds: number): void {
    clearTimeout(this.#timer);
    this.#send.disabled = seconds > 0;
    this.#send.textContent = seconds > 0 ? `Wait ${seconds} s` : words[this.#way].send;
    if (seconds > 0) this.#timer = setTimeout(() => this.#hold(seconds - 1), 1_000);
  }
}
