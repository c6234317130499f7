// SPDX-License-Identifier: Apache-2.0
// Who we are and whether we may. Nobody is asked before they want something that needs it; a client
// certificate needs nothing at all. The dialog that asks is sign-in.ts.

import { change, keepToken, keepWho, Refusal, read, reasonOf, token } from './api.js';
import { showNotice } from './build.js';
import type { Role, Who } from './documents.js';
import { button, byId, h, icon, say } from './dom.js';
import { mayAs } from './roles.js';
import { SignIn } from './sign-in.js';

export type Access = 'unknown' | 'granted' | 'refused';

/** What is shown in place of a part that needs somebody who has signed in. */
export function lockNote(parent: HTMLElement, what: string, onSignIn: () => void): void {
  parent.replaceChildren(
    icon('lock'),
    h('p', {}, `Sign in to ${what}.`),
    button('Sign in', onSignIn, 'small'),
  );
}

const nobody: Who = {
  by: null,
  name: null,
  role: null,
  hasPeople: false,
  claim: 'over',
  secondsLeft: 0,
  isApplicationSilent: false,
};

export class Session {
  access: Access = 'unknown';
  who = nobody;
  readonly #onChange: () => void;
  readonly #signIn = new SignIn(() => this.begin());
  readonly #button = byId<HTMLButtonElement>('session');
  #waiting: (() => void)[] = [];
  #until = new AbortController();
  #wasApplication = false;
  /** Our own cookie is being replaced: what is refused meanwhile says nothing. */
  #replacing: Promise<unknown> | undefined;

  /** `onChange` is called when we may, when we may no longer, and when we are another one. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
    this.#button.addEventListener('click', () => {
      if (this.access === 'granted') void this.#signOut();
      else this.ask();
    });
    // Another window may have signed in or out meanwhile: the cookie is that of the browser.
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && this.access !== 'unknown') void this.begin();
    });
  }

  /** Aborted when we may no longer, or are another one. */
  get signal(): AbortSignal {
    return this.#until.signal;
  }

  may(wanted: Role): boolean {
    const { role } = this.who;
    return this.access === 'granted' && role !== null && mayAs(role, wanted);
  }

  /** Finds out who we are, with what we have. The answer is that, where the device has said it. */
  async begin(): Promise<Who | undefined> {
    await this.#replacing;
    try {
      const who = await read<Who>('session');
      // It may be back in a moment, and then lets us pass as before.
      if (who.isApplicationSilent && this.who.by === 'application') return undefined;
      this.#set(who.role === null ? 'refused' : 'granted', who);
      return who;
    } catch (error) {
      if (error instanceof Refusal && error.status === 401 && token() !== '') {
        keepToken('');
        return this.begin();
      }
      // No answer says nothing.
      if (error instanceof Refusal) this.#set('refused', nobody);
      return undefined;
    }
  }

  /** Opens the dialog. */
  ask(): void {
    // Its session is over, and it has a page to sign in at, which takes the place of this one.
    if (this.#wasApplication) location.reload();
    else this.#signIn.open(this.who);
  }

  /** A request was refused: for who we are, or for the role, which may be another one by now. */
  refused(error: unknown): void {
    if (!(error instanceof Refusal) || this.#replacing !== undefined) return;
    if (error.status === 401 || error.problem.role !== undefined) void this.begin();
  }

  /** Until somebody has signed in. */
  granted(): Promise<void> {
    if (this.access === 'granted') return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Work that ends our session and begins another one. */
  async replace(work: () => Promise<unknown>): Promise<void> {
    const done = work();
    this.#replacing = done.catch(() => {});
    try {
      await done;
    } finally {
      this.#replacing = undefined;
    }
    await this.begin();
  }

  async #signOut(): Promise<void> {
    keepToken('');
    try {
      const { by } = await read<Who>('session');
      if (by === 'person') await change('DELETE', 'session');
    } catch (error) {
      showNotice(`You are still signed in: ${reasonOf(error)}`);
      return;
    }
    location.reload();
  }

  #set(access: Access, who: Who): void {
    const { by, name, role } = who;
    const before = this.who;
    const isOther = by !== before.by || name !== before.name || role !== before.role;
    const hasChanged = access !== this.access || isOther;
    if (access === 'granted') this.#wasApplication = by === 'application';
    this.access = access;
    this.who = who;
    keepWho(`${by} ${name}`);
    if (hasChanged) {
      this.#until.abort();
      this.#until = new AbortController();
    }
    this.#show();
    if (access === 'granted') {
      this.#signIn.close();
      for (const resolve of this.#waiting.splice(0)) resolve();
    }
    if (hasChanged) this.#onChange();
  }

  #show(): void {
    const { by, name, role, hasPeople, claim } = this.who;
    const isOpen = this.access === 'granted';
    const isOurs = by === 'person' || by === 'token';
    const how = name ?? `by ${by}`;
    byId('who').hidden = !isOpen;
    say('who', isOpen ? `${how} · ${role}` : '');
    // A certificate, and the session of an application, are not ours to end.
    this.#button.hidden = this.access === 'unknown' || (isOpen && !isOurs);
    const open = !hasPeople && claim === 'open' ? 'Claim' : 'Sign in';
    this.#button.textContent = isOpen ? 'Sign out' : open;
  }
}
