// SPDX-License-Identifier: Apache-2.0
// The routes of people: signing in and out, sessions, passwords, and the claim of a device that nobody
// administers yet. Collected by ../routes.ts.

import type { Asker } from '../access.js';
import { isApplicationSilent } from '../application.js';
import { readFields } from '../body.js';
import { cookieOf, endCookie, sessionKeyOf } from '../cookie.js';
import { json } from '../json.js';
import type { From, SignedIn } from '../people/people.js';
import { Problem } from '../problem.js';
import { jsonOf, type Parameter, type Route, type RouteContext } from '../route.js';

const sessionId = /^[0-9a-f]{16}$/;

const idParameter: Parameter = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'Of the list.',
  schema: { type: 'string', pattern: sessionId.source },
};

const waits = 'There were wrong attempts before; Retry-After says when to try again.';
const busy = 'Too many passwords are being checked.';
const wanted = { name: 'string', password: 'string' } as const;

function fromOf(c: RouteContext, { address }: Asker): From {
  return {
    address: address ?? 'the device',
    agent: c.req.header('user-agent') ?? '',
    key: sessionKeyOf(c.env.incoming),
  };
}

const entered = ({ name, role, key }: SignedIn, status = 200): Response =>
  json({ name, role }, status, { 'Set-Cookie': cookieOf(key) });

/** Whoever may administer sees everybody's. */
const whose = ({ role, person }: Asker): string | undefined =>
  role === 'administer' ? undefined : (person?.person.name ?? '');

const session: readonly Route[] = [
  {
    method: 'get',
    path: '/session',
    operationId: 'getSession',
    summary: 'Who asks, and with which role; how one can sign in here.',
    answer: { status: 200, description: 'Who asks.', ...jsonOf('Session') },
    handle: async (c, { people, asker }) => {
      const { isClaimed, secondsLeft, hasPeople } = await people.state();
      const { by = null, name = null, role = null } = asker;
      const claim = isClaimed ? 'claimed' : secondsLeft > 0 ? 'open' : 'over';
      const silent = { isApplicationSilent: isApplicationSilent(c.env.incoming) };
      return json({ by, name, role, hasPeople, claim, secondsLeft, ...silent });
    },
  },
  {
    method: 'post',
    path: '/session',
    operationId: 'signIn',
    summary: 'Signs in. The answer sets the cookie; a session of before is over.',
    recordsItself: true,
    body: jsonOf('SignIn'),
    answer: { status: 200, description: 'You are signed in.', ...jsonOf('SignedIn') },
    problems: { 401: 'Name or password is wrong.', 429: waits, 503: busy },
    async handle(c, { people, asker }) {
      const { name, password } = await readFields(c, wanted);
      return entered(await people.signIn(name, password, fromOf(c, asker)));
    },
  },
  {
    method: 'delete',
    path: '/session',
    operationId: 'signOut',
    summary: 'Ends the session that asks.',
    recordsItself: true,
    answer: { status: 200, description: 'It is over.', ...jsonOf('Nothing') },
    async handle(_c, { people, asker }) {
      if (asker.person !== undefined) await people.signOut(asker.person.session);
      return json({}, 200, { 'Set-Cookie': endCookie });
    },
  },
  {
    method: 'put',
    path: '/session/password',
    operationId: 'changePassword',
    recordsItself: true,
    summary: 'Another password for who asks. Every session is over but a new one for this client.',
    body: jsonOf('PasswordChange'),
    answer: { status: 200, description: 'It is changed.', ...jsonOf('SignedIn') },
    problems: {
      403: 'The present password is wrong, or the page of another site has sent it.',
      409: 'Somebody else has changed it meanwhile.',
      422: 'The new password is not fit.',
      429: waits,
      503: busy,
    },
    async handle(c, { people, asker }) {
      const { current, next } = await readFields(c, { current: 'string', next: 'string' });
      if (asker.person === undefined) throw new Error('access.ts lets nobody else here');
      const { person } = asker.person;
      return entered(await people.changePassword(person, current, next, fromOf(c, asker)));
    },
  },
];

const claim: readonly Route[] = [
  {
    method: 'get',
    path: '/claim',
    operationId: 'getClaim',
    summary:
      "On the device alone: the code of a device that is not claimed, unless it is the maker's.",
    answer: { status: 200, description: 'The code.', ...jsonOf('Claim') },
    handle: async (_c, { people }) => {
      const { isClaimed, secondsLeft } = await people.state();
      const code = secondsLeft > 0 ? (people.code ?? null) : null;
      return json({ isClaimed, secondsLeft, isMakers: people.code === undefined, code });
    },
  },
  {
    method: 'post',
    path: '/claim',
    operationId: 'claimDevice',
    recordsItself: true,
    summary: 'Makes the first administrator, for whoever has the code, and signs in.',
    body: jsonOf('ClaimWish'),
    answer: { status: 201, description: 'The device is claimed.', ...jsonOf('SignedIn') },
    problems: {
      403: 'The code is wrong, or the page of another site has sent it.',
      409: 'It is claimed already, or the time for it is over.',
      422: 'The name or the password is not fit.',
      429: waits,
      503: busy,
    },
    async handle(c, { people, asker }) {
      const { code, name, password } = await readFields(c, { code: 'string', ...wanted });
      return entered(await people.claim(code, name, password, fromOf(c, asker)), 201);
    },
  },
];

export const people: readonly Route[] = [
  ...session,
  {
    method: 'get',
    path: '/sessions',
    operationId: 'getSessions',
    summary: 'Who is signed in: everybody for an administrator, else the sessions of who asks.',
    answer: { status: 200, description: 'The last used first.', ...jsonOf('Sessions') },
    handle: async (_c, { people, asker }) => {
      const all = await people.sessions(whose(asker));
      const own = asker.person?.session.id;
      const sessions = all.map(({ id, name, address, agent, startedAt, idleMs }) => {
        return { id, name, address, agent, startedAt, idleMs, isOwn: id === own };
      });
      return json({ sessions });
    },
  },
  {
    method: 'delete',
    path: '/sessions/{id}',
    operationId: 'endSession',
    summary: "Ends a session: one's own, or for an administrator anybody's.",
    parameters: [idParameter],
    answer: { status: 200, description: 'It is over.', ...jsonOf('Nothing') },
    problems: { 404: 'There is no such session, or it is not yours.' },
    async handle(c, { people, asker }) {
      const id = c.req.param('id') ?? '';
      if (sessionId.test(id) && (await people.endSession(id, whose(asker)))) return json({});
      throw new Problem(404, 'Nothing there', 'There is no such session of yours.');
    },
  },
  ...claim,
];
