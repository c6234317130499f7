// SPDX-License-Identifier: Apache-2.0
// Whether we may, and the dialog that asks for the token. Nobody is asked before they want something
// that needs it; a client certificate needs no token at all.

import { keepToken, Refusal, read, reasonOf, token } from './api.js';
import type { Certificates } from './documents.js';
import { button, byId, h, icon, say } from './dom.js';

export type Access = 'unknown' | 'granted' | 'refused';

/** What is shown in place of a part that needs the token. */
export function lockNote(parent: HTMLElement, what: string, onSignIn: () => void): void {
  parent.replaceChildren(
    icon('lock'),
    h('p', {}, `Sign in to ${what}.`),
    button('Sign in', onSignIn, 'small'),
  );
}

export class Session {
  access: Access = 'unknown';
  readonly #onChange: () => void;
  readonly #dialog = byId<HTMLDialogElement>('sign-in');
  readonly #field = byId<HTMLInputElement>('token');
  readonly #button = byId<HTMLButtonElement>('session');
  #waiting: (() => void)[] = [];
  #until = new AbortController();

  /** `onChange` is called when we may, and when we may no longer. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
    byId('sign-in-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#try(this.#field.value.trim());
    });
    byId('token-cancel').addEventListener('click', () => this.#dialog.close());
    this.#button.addEventListener('click', () => {
      if (token() === '') this.ask();
      else this.#signOut();
    });
  }

  /** Aborted when we may no longer. */
  get signal(): AbortSignal {
    return this.#until.signal;
  }

  /** Finds out whether we may, with what we have. */
  async begin(): Promise<void> {
    try {
      await read<Certificates>('certificates');
      this.#set('granted');
    } catch (error) {
      if (error instanceof Refusal) this.#refusedFor(error);
      else this.#set('unknown');
    }
  }

  /** Opens the dialog. */
  ask(error = ''): void {
    say('token-error', error);
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#field.focus();
  }

  /** A request was refused: if for the token, it is forgotten. */
  refused(error: unknown): void {
    if (error instanceof Refusal && error.status === 401) this.#refusedFor(error);
  }

  /** Until somebody has signed in. */
  granted(): Promise<void> {
    if (this.access === 'granted') return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #refusedFor({ status }: Refusal): void {
    if (status === 401) keepToken('');
    this.#set('refused');
  }

  #signOut(): void {
    keepToken('');
    location.reload();
  }

  async #try(text: string): Promise<void> {
    const send = byId<HTMLButtonElement>('token-send');
    send.disabled = true;
    keepToken(text);
    try {
      await read<Certificates>('certificates');
      this.#field.value = '';
      this.#dialog.close();
      this.#set('granted');
    } catch (error) {
      keepToken('');
      this.ask(reasonOf(error));
      this.#field.select();
    } finally {
      send.disabled = false;
    }
  }

  #set(access: Access): void {
    const hasChanged = access !== this.access;
    this.access = access;
    if (hasChanged) {
      this.#until.abort();
      this.#until = new AbortController();
    }
    this.#button.hidden = access === 'unknown' || (access === 'granted' && token() === '');
    this.#button.textContent = access === 'granted' ? 'Sign out' : 'Sign in';
    if (access === 'granted') for (const resolve of this.#waiting.splice(0)) resolve();
    if (hasChanged) this.#onChange();
  }
}
