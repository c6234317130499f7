// SPDX-License-Identifier: Apache-2.0
// People at the API: signing in and out, their sessions and passwords, and the claim of a device that
// nobody administers yet. Throws Problem. Made by serving/api.ts; used by access.ts and by the routes.
// The log gets who did what from where, and never a password, a code or a cookie. What an administrator
// does to others is administration.ts.

import type { ServerResponse } from 'node:http';
import { reasonOf, StartError } from '../../base/start-error.js';
import { Problem } from '../problem.js';
import { GuessThrottle } from '../throttle.js';
import { Administration } from './administration.js';
import { add, find, setPassword } from './changes.js';
import { Claim } from './claim.js';
import { SignInDelays } from './delays.js';
import type { People as Everybody, Person } from './file.js';
import { judgeName, judgePassword, nameCharactersMax, nameOf, type Role } from './names.js';
import { type Cost, chooseCost, costBounds, isPassword } from './scrypt.js';
import { type Session, type SessionClocks, Sessions, systemClocks } from './sessions.js';
import { busyProblem, hash, judged, PeopleStore, type StoreLog } from './store.js';
import { SessionStreams } from './streams.js';

export interface PeopleParts {
  stateDir: string;
  log: StoreLog & { warn: StoreLog['info'] };
  /** Undefined: one is made, and `spliced claim` shows it. */
  makersCode: string | undefined;
  clocks?: SessionClocks;
  /** For tests; else it is chosen on the board. */
  cost?: Cost;
}

/** Where a request is from. */
export interface From {
  address: string;
  /** What the browser calls itself. */
  agent: string;
  /** Of the cookie that came with it. */
  key: string | undefined;
}

export interface SignedIn {
  name: string;
  role: Role;
  /** For the cookie. */
  key: string;
}

const least: Cost = { n: costBounds.nMin, r: costBounds.r, p: 1 };

function tooMany(waitS: number): Problem {
  const detail = `There were wrong attempts before. Try again in ${waitS} seconds.`;
  return new Problem(429, 'Wait', detail, { headers: { 'Retry-After': String(waitS) } });
}

export class People {
  readonly administration: Administration;
  readonly #parts: PeopleParts;
  readonly #store: PeopleStore;
  readonly #sessions: Sessions;
  readonly #delays: SignInDelays;
  readonly #claim: Claim;
  readonly #streams: SessionStreams;
  /** Of lines in the log. */
  readonly #budget: GuessThrottle;

  /** The window for a claim is open from now on. */
  constructor(parts: PeopleParts) {
    this.#parts = parts;
    const { stateDir, log, makersCode, cost, clocks = systemClocks } = parts;
    this.#store = new PeopleStore(stateDir, log);
    this.administration = new Administration({
      store: this.#store,
      log,
      cost,
      endSessions: (name) => this.#end((session) => session.name === name),
    });
    const onRefusal = (error: unknown): void =>
      log.warn({ event: 'sessions_not_kept', reason: reasonOf(error) });
    this.#sessions = new Sessions(stateDir, onRefusal, clocks);
    this.#delays = new SignInDelays(clocks.nowMs);
    this.#budget = new GuessThrottle(clocks.nowMs);
    this.#claim = new Claim(makersCode, clocks.nowMs);
    this.#streams = new SessionStreams((session) => this.#isGood(session));
  }

  /** Reads what the run before has left, and says in the log where nobody has claimed the device. */
  async start(): Promise<void> {
    this.#sessions.load();
    try {
      if (!isClaimed(await this.#store.read())) {
        const { secondsLeft, code } = this.#claim;
        const by = code === undefined ? "the maker's code" : 'spliced claim';
        this.#parts.log.info({ event: 'device_unclaimed', by, secondsLeft });
      }
    } catch (error) {
      this.#parts.log.warn({ event: 'people_unreadable', reason: reasonOf(error) });
    }
  }

  /** Whose cookie it is; undefined: nobody's, or nobody's any more. */
  async who(key: string): Promise<{ person: Person; session: Session } | undefined> {
    const session = this.#sessions.use(key);
    if (session === undefined) return undefined;
    const person = find(await this.#store.read(), session.name);
    if (person?.stamp === session.stamp) return { person, session };
    await this.#end(({ hash }) => hash === session.hash);
    return undefined;
  }

  /** An answer that goes on, for as long as the session is good. */
  follow(session: Session, outgoing: ServerResponse): void {
    this.#streams.add(session, outgoing);
  }

  async signIn(typed: string, password: string, from: From): Promise<SignedIn> {
    const name = nameOf(typed).slice(0, nameCharactersMax);
    this.#begin(name, from);
    const everybody = await this.#readFor(name, from);
    const person = find(everybody, name);
    if (everybody.people.length === 0) this.#delays.undo(name, from.address);
    else if (await this.#isRight(person, password, everybody, from, name)) {
      this.#delays.succeeded(name, from.address);
      return this.#enter(person as Person, from, 'signed_in');
    } else this.#refused('sign_in_refused', from, person?.name);
    const none = 'Nobody can sign in by name yet.';
    const detail = everybody.people.length === 0 ? none : 'Name or password is wrong.';
    throw new Problem(401, 'Not signed in', detail);
  }

  async signOut({ name, hash, address }: Session): Promise<void> {
    await this.#end((session) => session.hash === hash);
    this.#parts.log.info({ event: 'signed_out', who: `person ${name}`, address });
  }

  /** Every session of that person is over; the answer is a new one for whoever has changed it. */
  async changePassword(person: Person, current: string, next: string, from: From) {
    const { name, stamp } = person;
    judged(() => judgePassword(next, name));
    this.#begin(name, from);
    const everybody = await this.#readFor(name, from);
    if (!(await this.#isRight(person, current, everybody, from, name))) {
      this.#refused('sign_in_refused', from, name);
      throw new Problem(403, 'Wrong password', 'The present password is wrong.');
    }
    this.#delays.succeeded(name, from.address);
    const made = await hash(next, everybody.cost ?? least);
    const after = await this.#store.change(setPassword(name, made, stamp));
    await this.#end((session) => session.name === name);
    const { address } = from;
    this.#parts.log.info({ event: 'password_changed', who: `person ${name}`, address });
    return this.#enter(find(after, name) as Person, from, undefined);
  }

  /** Of one person, or of all. */
  async sessions(name: string | undefined) {
    const { people } = await this.#store.read();
    const stamps = new Set(people.map(({ stamp }) => stamp));
    return this.#sessions
      .list(name)
      .filter(({ stamp }) => stamps.has(stamp))
      .map((session) => ({ ...session, idleMs: Math.round(this.#sessions.idleMs(session)) }));
  }

  /** `name`: whose it must be; undefined: anybody's. */
  async endSession(id: string, name: string | undefined): Promise<boolean> {
    return this.#end(
      (session) => session.id === id && (name === undefined || session.name === name),
    );
  }

  /** For whoever asks; the code is not in it. */
  async state(): Promise<{ isClaimed: boolean; secondsLeft: number; hasPeople: boolean }> {
    const everybody = await this.#store.read();
    const secondsLeft = isClaimed(everybody) ? 0 : this.#claim.secondsLeft;
    const hasPeople = everybody.people.length > 0;
    return { isClaimed: isClaimed(everybody), secondsLeft, hasPeople };
  }

  /** For the device itself. Undefined: it is the maker's. */
  get code(): string | undefined {
    return this.#claim.code;
  }

  async claim(code: string, typed: string, password: string, from: From): Promise<SignedIn> {
    const name = judged(() => judgeName(typed));
    judged(() => judgePassword(password, name));
    const key = `the claim of ${from.address}`;
    this.#begin(key, from);
    const { isClaimed, secondsLeft } = await this.state();
    if (isClaimed || secondsLeft === 0) this.#delays.undo(key, from.address);
    if (isClaimed) throw new Problem(409, 'Claimed', 'This device is claimed already.');
    if (secondsLeft === 0) {
      const detail = 'The time for it is over: restart the device, and claim it within minutes.';
      throw new Problem(409, 'Too late', detail);
    }
    if (!this.#claim.isCode(code)) {
      this.#refused('claim_refused', from, undefined);
      throw new Problem(403, 'Wrong code', 'That is not the code of this device.');
    }
    this.#delays.undo(key, from.address);
    const giveBack = this.#claim.take();
    try {
      const cost = this.#parts.cost ?? (await chooseCost());
      const made = add({ name, role: 'administer', hash: await hash(password, cost) }, cost);
      const after = await this.#store.change((before) => {
        if (before.isClaimed || before.people.length > 0)
          throw new StartError('this device was claimed meanwhile');
        return made(before);
      });
      return await this.#enter(find(after, name) as Person, from, 'device_claimed');
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  async #end(isMeant: (session: Session) => boolean): Promise<boolean> {
    const wasThere = await this.#sessions.end(isMeant);
    await this.#streams.check();
    return wasThere;
  }

  /** Where nobody can say, the stream goes on no longer. */
  async #isGood(session: Session): Promise<boolean> {
    if (!this.#sessions.isGood(session)) return false;
    try {
      return find(await this.#store.read(), session.name)?.stamp === session.stamp;
    } catch {
      return false;
    }
  }

  #begin(name: string, { address }: From): void {
    const waitS = this.#delays.waitS(name, address);
    if (waitS > 0) throw tooMany(waitS);
    this.#delays.begin(name, address);
  }

  async #readFor(name: string, { address }: From): Promise<Everybody> {
    try {
      return await this.#store.read();
    } catch (error) {
      this.#delays.undo(name, address);
      throw error;
    }
  }

  async #isRight(
    person: Person | undefined,
    password: string,
    { cost = least }: Everybody,
    { address }: From,
    name: string,
  ): Promise<boolean> {
    try {
      return await isPassword(password, person?.hash, cost);
    } catch (error) {
      this.#delays.undo(name, address);
      throw busyProblem(error);
    }
  }

  /** The session of before, if there was one, ends: what somebody has planted is worth nothing. */
  async #enter(
    { name, role, stamp }: Person,
    { address, agent, key: before }: From,
    event: 'signed_in' | 'device_claimed' | undefined,
  ): Promise<SignedIn> {
    const old = before === undefined ? undefined : this.#sessions.use(before);
    if (old !== undefined) await this.#end(({ hash }) => hash === old.hash);
    const key = await this.#sessions.begin({ name, stamp, address, agent });
    if (event !== undefined) this.#parts.log.info({ event, who: `person ${name}`, role, address });
    return { name, role, key };
  }

  /** A name that is nobody's is not logged: people type passwords there. */
  #refused(event: string, { address }: From, name: string | undefined): void {
    const { log } = this.#parts;
    const isLogged = this.#budget.waitInAllS() === 0;
    const { isAllFull } = this.#budget.failed(address);
    if (isLogged) log.warn({ event, address, ...(name === undefined ? {} : { name }) });
    if (isAllFull) log.warn({ event: 'sign_in_refusals_not_logged' });
  }
}

const isClaimed = ({ people, isClaimed }: Everybody): boolean => isClaimed || people.length > 0;
