// SPDX-License-Identifier: Apache-2.0
// STATE/people for the service: read at each request, so that what another process has written counts
// at once and has its line in the log; changed with refusals as answers. Throws Problem. Used by
// people.ts and administration.ts.

import { reasonOf, StartError } from '../../base/start-error.js';
import { Problem } from '../problem.js';
import { find } from './changes.js';
import { changePeople, type People, type Person, readPeople } from './file.js';
import { Busy, type Cost, type Hash, hashPassword } from './scrypt.js';

export interface StoreLog {
  info(line: { event: string; [field: string]: unknown }): void;
}

const busyRetryS = 2;

/** What a change or a judgement says, for whoever asked. */
function problemFrom(error: unknown, status: 409 | 422): unknown {
  if (!(error instanceof StartError)) return error;
  const { message } = error;
  const title = status === 422 ? 'Not fit' : 'Not possible';
  return new Problem(status, title, `${message[0]?.toUpperCase()}${message.slice(1)}.`);
}

/** Throws Problem 422. */
export function judged<T>(judge: () => T): T {
  try {
    return judge();
  } catch (error) {
    throw problemFrom(error, 422);
  }
}

export function busyProblem(error: unknown): unknown {
  if (!(error instanceof Busy)) return error;
  const headers = { 'Retry-After': String(busyRetryS) };
  return new Problem(503, 'Busy', 'Too many passwords are being checked. Try again.', { headers });
}

/** Throws Problem 503. */
export async function hash(password: string, cost: Cost): Promise<Hash> {
  try {
    return await hashPassword(password, cost);
  } catch (error) {
    throw busyProblem(error);
  }
}

export class PeopleStore {
  readonly #stateDir: string;
  readonly #log: StoreLog;
  #last: People | undefined;
  #changesUnderWay = 0;

  constructor(stateDir: string, log: StoreLog) {
    this.#stateDir = stateDir;
    this.#log = log;
  }

  /** Throws Problem 409 with what `change` refuses. */
  async change(change: (before: People) => People): Promise<People> {
    this.#changesUnderWay += 1;
    try {
      this.#last = await changePeople(this.#stateDir, change);
      return this.#last;
    } catch (error) {
      throw problemFrom(error, 409);
    } finally {
      this.#changesUnderWay -= 1;
    }
  }

  /** Says what another has changed, such as `spliced user`. Throws Problem 500. */
  async read(): Promise<People> {
    let now: People;
    try {
      now = await readPeople(this.#stateDir);
    } catch (error) {
      throw new Problem(500, 'People', `The people cannot be read: ${reasonOf(error)}.`);
    }
    if (this.#changesUnderWay > 0) return now;
    const before = this.#last ?? now;
    this.#last = now;
    const changed = differences(before, now);
    if (changed !== undefined)
      this.#log.info({ event: 'people_changed', who: 'local', ...changed });
    return now;
  }
}

function differences(before: People, now: People) {
  const names = (all: readonly Person[]): string[] => all.map(({ name }) => name);
  const added = names(now.people.filter(({ name }) => find(before, name) === undefined));
  const removed = names(before.people.filter(({ name }) => find(now, name) === undefined));
  const changed = now.people
    .filter(({ name, stamp }) => (find(before, name)?.stamp ?? stamp) !== stamp)
    .map(({ name, role }) => ({ name, role }));
  if (added.length + removed.length + changed.length === 0) return undefined;
  return { added, removed, changed };
}
