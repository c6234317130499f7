// SPDX-License-Identifier: Apache-2.0
// What an administrator does to the people: who there is, adding and removing, roles and passwords. Each
// change ends the sessions of that person, and the log says who has made it. Throws Problem. Made by
// people.ts, used by the routes.

import { Problem } from '../problem.js';
import { add, find, remove, setPassword, setRole } from './changes.js';
import type { People } from './file.js';
import { judgeName, judgePassword, judgeRole, type Role } from './names.js';
import { type Cost, chooseCost } from './scrypt.js';
import { hash, judged, type PeopleStore, type StoreLog } from './store.js';

/** Who changes, for the log, and from where. */
export interface Changer {
  who: string;
  address: string | undefined;
  /** Of whoever has signed in by name. */
  name: string | undefined;
}

interface AdministrationParts {
  store: PeopleStore;
  log: StoreLog;
  /** For tests; else it is chosen on the board. */
  cost: Cost | undefined;
  /** Of that person, with the answers that go on. */
  endSessions: (name: string) => Promise<unknown>;
}

interface Named {
  name: string;
  role: Role;
}

function noneLike(name: string): Problem {
  return new Problem(404, 'Nothing there', `There is nobody by the name ${JSON.stringify(name)}.`);
}

export class Administration {
  readonly #parts: AdministrationParts;

  constructor(parts: AdministrationParts) {
    this.#parts = parts;
  }

  async list(): Promise<Named[]> {
    const { people } = await this.#parts.store.read();
    return people.map(({ name, role }) => ({ name, role }));
  }

  async add(typed: string, typedRole: string, password: string, by: Changer): Promise<Named> {
    const name = judged(() => judgeName(typed));
    const role = judged(() => judgeRole(typedRole));
    judged(() => judgePassword(password, name));
    const before = await this.#parts.store.read();
    if (find(before, name) !== undefined)
      throw new Problem(409, 'Not possible', `${name} is there already.`);
    const cost = await this.#costOf(before);
    await this.#parts.store.change(add({ name, role, hash: await hash(password, cost) }, cost));
    this.#say(by, { added: [{ name, role }] });
    return { name, role };
  }

  async remove(name: string, by: Changer): Promise<void> {
    await this.#find(name);
    await this.#parts.store.change(remove(name));
    this.#say(by, { removed: [name] });
    await this.#parts.endSessions(name);
  }

  async setRole(name: string, typedRole: string, by: Changer): Promise<Named> {
    const role = judged(() => judgeRole(typedRole));
    await this.#find(name);
    await this.#parts.store.change(setRole(name, role));
    this.#say(by, { changed: [{ name, role }] });
    await this.#parts.endSessions(name);
    return { name, role };
  }

  /** Of another one: for one's own the present password is asked for. */
  async setPassword(name: string, password: string, by: Changer): Promise<Named> {
    judged(() => judgePassword(password, name));
    const before = await this.#find(name);
    if (name === by.name) {
      const detail = 'To change your own password, give the present one: PUT session/password.';
      throw new Problem(409, 'Not possible', detail);
    }
    const made = await hash(password, await this.#costOf(before));
    const after = await this.#parts.store.change(setPassword(name, made));
    const role = find(after, name)?.role ?? 'view';
    this.#say(by, { changed: [{ name, role, password: 'changed' }] });
    await this.#parts.endSessions(name);
    return { name, role };
  }

  async #find(name: string): Promise<People> {
    const everybody = await this.#parts.store.read();
    if (find(everybody, name) === undefined) throw noneLike(name);
    return everybody;
  }

  async #costOf({ cost }: People): Promise<Cost> {
    return cost ?? this.#parts.cost ?? (await chooseCost());
  }

  #say({ who, address }: Changer, changed: object): void {
    this.#parts.log.info({ event: 'people_changed', who, address, ...changed });
  }
}
