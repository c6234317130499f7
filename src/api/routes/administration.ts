// SPDX-License-Identifier: Apache-2.0
// The routes with which an administrator keeps the people who may sign in. Collected by ../routes.ts.

import type { Asker } from '../access.js';
import { readFields } from '../body.js';
import { json } from '../json.js';
import type { Changer } from '../people/administration.js';
import { jsonOf, type Parameter, type Route, type RouteContext } from '../route.js';

const nameParameter: Parameter = {
  name: 'name',
  in: 'path',
  required: true,
  description: 'Of the list.',
  schema: { type: 'string' },
};

const nobody = 'There is nobody by this name.';
const last = 'It is the last who administers.';
const busy = 'Too many passwords are being checked.';

const changerOf = ({ who, address, person }: Asker): Changer => {
  return { who, address, name: person?.person.name };
};

const nameIn = (c: RouteContext): string => c.req.param('name') ?? '';

export const administration: readonly Route[] = [
  {
    method: 'get',
    path: '/people',
    operationId: 'getPeople',
    summary: 'Who may sign in by name, and with which role.',
    answer: { status: 200, description: 'Names and roles.', ...jsonOf('People') },
    handle: async (_c, { people, asker }) => {
      const own = asker.person?.person.name;
      const all = await people.administration.list();
      return json({ people: all.map((one) => ({ ...one, isOwn: one.name === own })) });
    },
  },
  {
    method: 'post',
    path: '/people',
    operationId: 'addPerson',
    recordsItself: true,
    summary: 'Adds somebody.',
    body: jsonOf('NewPerson'),
    answer: { status: 201, description: 'May sign in from now on.', ...jsonOf('SignedIn') },
    problems: {
      409: 'Somebody has this name already, or there are as many as there may be.',
      422: 'The name, the role or the password is not fit.',
      503: busy,
    },
    async handle(c, { people, asker }) {
      const wanted = { name: 'string', role: 'string', password: 'string' } as const;
      const { name, role, password } = await readFields(c, wanted);
      return json(await people.administration.add(name, role, password, changerOf(asker)), 201);
    },
  },
  {
    method: 'delete',
    path: '/people/{name}',
    operationId: 'removePerson',
    recordsItself: true,
    summary: 'Removes somebody, with the sessions.',
    parameters: [nameParameter],
    answer: { status: 200, description: 'May no longer sign in.', ...jsonOf('Nothing') },
    problems: { 404: nobody, 409: last },
    async handle(c, { people, asker }) {
      await people.administration.remove(nameIn(c), changerOf(asker));
      return json({});
    },
  },
  {
    method: 'put',
    path: '/people/{name}/role',
    operationId: 'setRole',
    recordsItself: true,
    summary: 'Another role for somebody, whose sessions are over.',
    parameters: [nameParameter],
    body: jsonOf('RoleChange'),
    answer: { status: 200, description: 'It is changed.', ...jsonOf('SignedIn') },
    problems: { 404: nobody, 409: last, 422: 'There is no such role.' },
    async handle(c, { people, asker }) {
      const { role } = await readFields(c, { role: 'string' });
      return json(await people.administration.setRole(nameIn(c), role, changerOf(asker)));
    },
  },
  {
    method: 'put',
    path: '/people/{name}/password',
    operationId: 'setPassword',
    recordsItself: true,
    summary:
      "Another password for somebody else, whose sessions are over; one's own: changePassword.",
    parameters: [nameParameter],
    body: jsonOf('NewPassword'),
    answer: { status: 200, description: 'It is changed.', ...jsonOf('SignedIn') },
    problems: {
      404: nobody,
      409: "It is one's own.",
      422: 'The password is not fit.',
      503: busy,
    },
    async handle(c, { people, asker }) {
      const { password } = await readFields(c, { password: 'string' });
      return json(await people.administration.setPassword(nameIn(c), password, changerOf(asker)));
    },
  },
];
