// SPDX-License-Identifier: Apache-2.0
// The people of the fake device, as far as their looks go: who has signed in is said by the test, since
// no cookie is made here. people.test.ts has a real device.

import type { PersonEntry, Role, SessionEntry, Who } from '../../ui/documents.js';

const agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

export class FakePeople {
  /** Who asks without the token. */
  signedIn: { name: string; role: Role } | undefined;
  by: 'person' | 'application' = 'person';
  /** The application that is asked first sends everybody to its own page. */
  isSentToSignIn = false;
  people: PersonEntry[] = [];
  sessions: SessionEntry[] = [];
  claim: Who['claim'] = 'over';
  secondsLeft = 0;
  isApplicationSilent = false;

  /** Signed in, beside another session and other people. */
  enter(name: string, role: Role, others: readonly string[] = ['bob', 'operations']): void {
    this.signedIn = { name, role };
    this.claim = 'claimed';
    this.people = [
      { name, role, isOwn: true },
      ...others.map((other) => ({ name: other, role: 'view' as const, isOwn: false })),
    ];
    this.sessions = this.people.map((one, index) => ({
      id: `${index}`.padStart(16, '0'),
      name: one.name,
      address: index === 0 ? '192.0.2.7' : '2001:db8:1234:5678:9abc:def0:1234:5678',
      agent,
      startedAt: '2026-11-05T08:00:00.000Z',
      idleMs: index * 300_000,
      isOwn: one.isOwn,
    }));
  }

  who(isToken: boolean): Who {
    const { claim, secondsLeft, people, signedIn, isApplicationSilent } = this;
    const { name, role } = isToken
      ? { name: null, role: 'administer' as const }
      : (signedIn ?? { name: null, role: null });
    const by = isToken ? 'token' : signedIn === undefined ? null : this.by;
    return {
      by,
      name,
      role,
      hasPeople: people.length > 0,
      claim,
      secondsLeft,
      isApplicationSilent,
    };
  }

  /** Undefined: it is another's. */
  answer(what: string): object | undefined {
    if (what === 'GET sessions') return { sessions: this.sessions };
    if (what === 'GET people') return { people: this.people };
    return undefined;
  }
}
