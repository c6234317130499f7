// SPDX-License-Identifier: Apache-2.0
// Who is signed in: for each session 256 random bits, of which the SHA-256 alone is kept, in memory and
// in STATE/sessions (0600), so that an update's restart signs nobody out. A session is of a person's
// stamp: another password or role ends it, whoever has written that. Used by people.ts.

import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { readOrdinaryText } from '../../files/ordinary-file.js';
import { replaceFile } from '../../files/replace-file.js';

export const sessionBounds = {
  sessionsMax: 64,
  /** Of one person; beyond it the one that was not used for the longest time is over. */
  perPersonMax: 8,
  idleMs: 3_600_000,
  lifeMs: 43_200_000,
  agentCharactersMax: 160,
  bytesMax: 64 * 1024,
} as const;

export interface Session {
  /** For lists: says nothing of the cookie. */
  id: string;
  hash: string;
  name: string;
  stamp: string;
  address: string;
  /** What the browser calls itself. */
  agent: string;
  /** By the device's clock, for people. */
  startedAt: string;
  /** By a clock that nobody sets. */
  usedAtMs: number;
  endsAtMs: number;
}

export interface SessionClocks {
  /** Must not be set, nor go back. */
  nowMs: () => number;
  /** The device's. */
  wallMs: () => number;
}

const fileName = 'sessions';
const keyPattern = /^[\w-]{43}$/;
const hashOf = (key: string): string => createHash('sha256').update(key).digest('base64url');

export const systemClocks: SessionClocks = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
};

/** As in the file: what is left of its life, and when that is over if the device's clock is right. */
interface Stored extends Omit<Session, 'usedAtMs' | 'endsAtMs'> {
  leftMs: number;
  endsAt: number;
}

function isStored(value: unknown): value is Stored {
  const { leftMs, endsAt, ...texts } = (value ?? {}) as Record<string, unknown>;
  const names = ['id', 'hash', 'name', 'stamp', 'address', 'agent', 'startedAt'];
  return (
    names.every((name) => typeof texts[name] === 'string') &&
    typeof leftMs === 'number' &&
    typeof endsAt === 'number'
  );
}

export class Sessions {
  readonly #clocks: SessionClocks;
  readonly #path: string;
  readonly #sessions = new Map<string, Session>();
  readonly #onRefusal: (error: unknown) => void;
  #saving: Promise<void> = Promise.resolve();

  /** `onRefusal`: they could not be written; they are good until the service ends. */
  constructor(stateDir: string, onRefusal: (error: unknown) => void, clocks = systemClocks) {
    this.#path = join(stateDir, fileName);
    this.#onRefusal = onRefusal;
    this.#clocks = clocks;
  }

  /** Those of the run before. What cannot be read is none. */
  load(): void {
    let stored: unknown;
    try {
      stored = JSON.parse(readOrdinaryText(this.#path, sessionBounds.bytesMax));
    } catch {
      return;
    }
    const { lifeMs, sessionsMax } = sessionBounds;
    const [nowMs, wallMs] = [this.#clocks.nowMs(), this.#clocks.wallMs()];
    for (const one of Array.isArray(stored) ? stored.slice(0, sessionsMax) : []) {
      if (!isStored(one)) continue;
      const { leftMs, endsAt, ...session } = one;
      const ownMs = Math.min(leftMs, endsAt - wallMs, lifeMs);
      if (ownMs <= 0) continue;
      this.#sessions.set(one.hash, { ...session, usedAtMs: nowMs, endsAtMs: nowMs + ownMs });
    }
  }

  /** A new one; the answer has the key, which nobody keeps but the browser. */
  async begin(who: Pick<Session, 'name' | 'stamp' | 'address' | 'agent'>): Promise<string> {
    this.#tidy();
    const { perPersonMax, sessionsMax, lifeMs, agentCharactersMax } = sessionBounds;
    this.#makeRoom(this.list(who.name), perPersonMax);
    this.#makeRoom(this.list(), sessionsMax);
    const key = randomBytes(32).toString('base64url');
    const hash = hashOf(key);
    const nowMs = this.#clocks.nowMs();
    this.#sessions.set(hash, {
      ...who,
      agent: who.agent.slice(0, agentCharactersMax),
      id: randomBytes(8).toString('hex'),
      hash,
      startedAt: new Date(this.#clocks.wallMs()).toISOString(),
      usedAtMs: nowMs,
      endsAtMs: nowMs + lifeMs,
    });
    await this.#save();
    return key;
  }

  /** The session of a cookie, which is used by that. By its hash: no time tells of the key. */
  use(key: string): Session | undefined {
    if (!keyPattern.test(key)) return undefined;
    const session = this.#sessions.get(hashOf(key));
    if (session === undefined || this.#isOver(session)) return undefined;
    session.usedAtMs = this.#clocks.nowMs();
    return session;
  }

  /** Still, without being used by that. */
  isGood({ hash }: Session): boolean {
    const session = this.#sessions.get(hash);
    return session !== undefined && !this.#isOver(session);
  }

  /** The newest use first. */
  list(name?: string): Session[] {
    return [...this.#sessions.values()]
      .filter((session) => !this.#isOver(session) && (name === undefined || session.name === name))
      .sort((a, b) => b.usedAtMs - a.usedAtMs);
  }

  /** False: there was none of them. */
  async end(isMeant: (session: Session) => boolean): Promise<boolean> {
    const meant = [...this.#sessions.values()].filter(isMeant);
    for (const { hash } of meant) this.#sessions.delete(hash);
    if (meant.length > 0) await this.#save();
    return meant.length > 0;
  }

  idleMs({ usedAtMs }: Session): number {
    return Math.max(this.#clocks.nowMs() - usedAtMs, 0);
  }

  #isOver({ usedAtMs, endsAtMs }: Session): boolean {
    const nowMs = this.#clocks.nowMs();
    return nowMs >= endsAtMs || nowMs >= usedAtMs + sessionBounds.idleMs;
  }

  #tidy(): void {
    for (const [hash, session] of this.#sessions)
      if (this.#isOver(session)) this.#sessions.delete(hash);
  }

  /** For one more. */
  #makeRoom(newestFirst: readonly Session[], max: number): void {
    for (const { hash } of newestFirst.slice(max - 1)) this.#sessions.delete(hash);
  }

  /** One after the other: the newest state is written last. Never throws. */
  #save(): Promise<void> {
    this.#saving = this.#saving.then(async () => {
      const [nowMs, wallMs] = [this.#clocks.nowMs(), this.#clocks.wallMs()];
      const stored = this.list().map(({ usedAtMs: _, endsAtMs, ...session }): Stored => {
        const leftMs = endsAtMs - nowMs;
        return { ...session, leftMs, endsAt: wallMs + leftMs };
      });
      try {
        await replaceFile(this.#path, `${JSON.stringify(stored)}\n`, { durable: true });
      } catch (error) {
        this.#onRefusal(error);
      }
    });
    return this.#saving;
  }
}
