// SPDX-License-Identifier: Apache-2.0
// What can become of the people, as changes of the file. Each throws StartError where it cannot be.
// Used by people.ts and by commands/user.ts.

import { randomBytes } from 'node:crypto';
import { StartError } from '../../base/start-error.js';
import { type People, type Person, peopleBounds } from './file.js';
import type { Role } from './names.js';
import type { Cost, Hash } from './scrypt.js';

type Change = (before: People) => People;

const newStamp = (): string => randomBytes(12).toString('base64url');

export const find = ({ people }: People, name: string): Person | undefined =>
  people.find((person) => person.name === name);

function refuseIfNone(before: People, name: string): void {
  if (find(before, name) !== undefined) return;
  throw new StartError(`there is nobody by the name ${name}; see: spliced user list`);
}

const isAdministrator = ({ role }: Person): boolean => role === 'administer';

/** The device would be left to people who may not let another in. */
function refuseWithoutAdministrator(before: People, after: People): People {
  const hadOne = before.people.some(isAdministrator);
  if (!hadOne || after.people.some(isAdministrator)) return after;
  const advice = 'make another one first';
  throw new StartError(`that is the last who may administer the device; ${advice}`);
}

interface NewPerson {
  name: string;
  role: Role;
  hash: Hash;
}

export function add({ name, role, hash }: NewPerson, cost: Cost): Change {
  return (before) => {
    const { people } = before;
    if (find(before, name) !== undefined) throw new StartError(`${name} is there already`);
    const { peopleMax } = peopleBounds;
    if (people.length >= peopleMax) throw new StartError(`there are ${peopleMax} people already`);
    const person = { name, role, hash, stamp: newStamp() };
    return { people: [...people, person], cost: before.cost ?? cost, isClaimed: true };
  };
}

export function remove(name: string): Change {
  return (before) => {
    refuseIfNone(before, name);
    const people = before.people.filter((person) => person.name !== name);
    return refuseWithoutAdministrator(before, { ...before, people });
  };
}

function replace(name: string, change: (person: Person) => Partial<Person>): Change {
  return (before) => {
    refuseIfNone(before, name);
    const people = before.people.map((person) =>
      person.name === name ? { ...person, ...change(person), stamp: newStamp() } : person,
    );
    return refuseWithoutAdministrator(before, { ...before, people });
  };
}

export const setRole = (name: string, role: Role): Change => replace(name, () => ({ role }));

/** `stamp`: of the person whose old password was right; another one by now is another password. */
export function setPassword(name: string, hash: Hash, stamp?: string): Change {
  return replace(name, (person) => {
    if (stamp === undefined || stamp === person.stamp) return { hash };
    throw new StartError('the password was changed by another meanwhile');
  });
}
