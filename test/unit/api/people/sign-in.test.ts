// SPDX-License-Identifier: Apache-2.0
// People at the API: signing in, what a cookie is good for and until when, passwords, and who did what.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { add, remove, setRole } from '../../../../src/api/people/changes.js';
import { delayBounds } from '../../../../src/api/people/delays.js';
import { changePeople } from '../../../../src/api/people/file.js';
import type { Role } from '../../../../src/api/people/names.js';
import { hashPassword } from '../../../../src/api/people/scrypt.js';
import { sessionBounds } from '../../../../src/api/people/sessions.js';
import { withShortPath } from '../../../../src/api/private-socket.js';
import { makeToken } from '../../../../src/api/token.js';
import { type Answer, ask, from, json, prefix } from '../client.js';
import { type Scene, startScene } from '../scene.js';

const cost = { n: 2 ** 14, r: 8, p: 1 };
const password = 'four words are good';
const next = 'five words are better yet';
const own = { 'sec-fetch-site': 'same-origin' };
const home = '192.0.2.1';

async function withPeople(t: Test, people: Record<string, Role>): Promise<Scene> {
  const scene = await startScene(t);
  const hash = await hashPassword(password, cost);
  for (const [name, role] of Object.entries(people))
    await changePeople(scene.directory, add({ name, role, hash }, cost));
  return scene;
}

const send = (
  { proxy }: Scene,
  method: string,
  path: string,
  body: object | undefined,
  headers: Record<string, string> = {},
  address = home,
): Promise<Answer> => {
  const all = { ...from(address), ...(body === undefined ? {} : json), ...headers };
  return ask(proxy, path, { method, headers: all, body: body && JSON.stringify(body) });
};

const signIn = (scene: Scene, name: string, typed = password, address = home, cookie = '') =>
  send(
    scene,
    'POST',
    '/session',
    { name, password: typed },
    cookie === '' ? {} : { cookie, ...own },
    address,
  );

const cookieIn = ({ headers }: Answer): string =>
  String(headers['set-cookie']).split(';', 1)[0] ?? '';

const whoIs = async (scene: Scene, cookie: string) =>
  (await send(scene, 'GET', '/session', undefined, { cookie })).json;

t.test('the cookie: what it is, and what is kept of it', async (t) => {
  const scene = await withPeople(t, { ada: 'operate' });
  t.match(await whoIs(scene, ''), { name: null, role: null, hasPeople: true, claim: 'claimed' });
  const answer = await signIn(scene, ' Ada ');
  t.match(answer, { status: 200, json: { name: 'ada', role: 'operate' } });
  t.match(answer.headers['set-cookie'], [
    /^__Host-spliced=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
  ]);
  const cookie = cookieIn(answer);
  t.match(await whoIs(scene, `other=1; ${cookie}; more=2`), { name: 'ada', role: 'operate' });
  t.match(await whoIs(scene, `${cookie}; ${cookie}`), { name: null }, 'twice is not once');
  t.match(await whoIs(scene, cookie.replace('__Host-', '')), { name: null });
  const key = cookie.split('=')[1] ?? '';
  const file = join(scene.directory, 'sessions');
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.notMatch(readFileSync(file, 'utf8'), key);
  const text = JSON.stringify(scene.lines);
  t.match(scene.lines, [{ event: 'signed_in', who: 'person ada', role: 'operate', address: home }]);
  for (const secret of [key, password]) t.notOk(text.includes(secret));
});

t.test('rotated at sign-in, ended at sign-out', async (t) => {
  const scene = await withPeople(t, { ada: 'view' });
  const first = cookieIn(await signIn(scene, 'ada'));
  const second = cookieIn(await signIn(scene, 'ada', password, home, first));
  t.not(first, second);
  t.match(
    [await whoIs(scene, first), await whoIs(scene, second)],
    [{ name: null }, { name: 'ada' }],
  );
  const planted = `__Host-spliced=${'a'.repeat(43)}`;
  t.not(cookieIn(await signIn(scene, 'ada', password, home, planted)), planted);
  const out = await send(scene, 'DELETE', '/session', undefined, { cookie: second, ...own });
  t.match(out.headers['set-cookie'], [/^__Host-spliced=; Max-Age=0; Path=\//]);
  t.match(await whoIs(scene, second), { name: null });
  t.equal((await send(scene, 'GET', '/certificates', undefined, { cookie: second })).status, 401);
  t.match(scene.lines.at(-1), { event: 'signed_out', who: 'person ada' });
});

t.test('over after a time without use, and after its life', async (t) => {
  const scene = await withPeople(t, { ada: 'view' });
  const cookie = cookieIn(await signIn(scene, 'ada'));
  const { idleMs, lifeMs } = sessionBounds;
  for (let ms = 0; ms + idleMs - 1 < lifeMs; ms += idleMs - 1) {
    t.match(await whoIs(scene, cookie), { name: 'ada' });
    scene.pass(idleMs - 1);
  }
  scene.pass(idleMs - 1);
  t.match(await whoIs(scene, cookie), { name: null }, 'although it was used all the time');
  const other = cookieIn(await signIn(scene, 'ada'));
  scene.pass(idleMs);
  t.match(await whoIs(scene, other), { name: null });
});

t.test('ended by another role, another password, removal; of that person alone', async (t) => {
  const scene = await withPeople(t, { ada: 'administer', bob: 'operate' });
  const begin = async (name: string, typed = password) =>
    cookieIn(await signIn(scene, name, typed));
  const [ada, bob] = [await begin('ada'), await begin('bob')];
  await changePeople(scene.directory, setRole('bob', 'view'));
  t.match(await whoIs(scene, bob), { name: null });
  t.match(scene.lines.at(-1), {
    event: 'people_changed',
    changed: [{ name: 'bob', role: 'view' }],
  });
  const again = await begin('bob');
  const change = (body: object, cookie: string) =>
    send(scene, 'PUT', '/session/password', body, { cookie, ...own });
  t.match(await change({ current: 'wrong', next }, again), { status: 403 });
  t.match(await change({ current: password, next: 'short' }, again), { status: 422 });
  t.match(await whoIs(scene, again), { name: 'bob' });
  const elsewhere = await begin('bob');
  const changed = await change({ current: password, next }, again);
  t.equal(changed.status, 200);
  t.match(
    [
      await whoIs(scene, again),
      await whoIs(scene, elsewhere),
      await whoIs(scene, cookieIn(changed)),
    ],
    [{ name: null }, { name: null }, { name: 'bob', role: 'view' }],
  );
  t.equal((await signIn(scene, 'bob')).status, 401);
  t.equal((await signIn(scene, 'bob', next)).status, 200);
  await changePeople(scene.directory, remove('bob'));
  t.match(await whoIs(scene, cookieIn(changed)), { name: null });
  t.match(await whoIs(scene, ada), { name: 'ada' });
  const text = JSON.stringify(scene.lines);
  t.match(text, /"password_changed","who":"person bob"/);
  for (const secret of [password, next, 'short']) t.notOk(text.includes(secret), secret);
});

t.test('listed and ended: by their person, and all by who administers', async (t) => {
  const scene = await withPeople(t, { ada: 'administer', bob: 'view' });
  const [ada, bob] = [cookieIn(await signIn(scene, 'ada')), cookieIn(await signIn(scene, 'bob'))];
  const phone = cookieIn(await signIn(scene, 'bob', password, '192.0.2.9'));
  const list = async (cookie: string) => {
    const { json } = await send(scene, 'GET', '/sessions', undefined, { cookie });
    return json.sessions as unknown as {
      id: string;
      name: string;
      isOwn: boolean;
      address: string;
    }[];
  };
  t.same(
    (await list(bob)).map(({ name }) => name),
    ['bob', 'bob'],
  );
  t.same((await list(ada)).map(({ name }) => name).sort(), ['ada', 'bob', 'bob']);
  const idOf = async (cookie: string) => (await list(cookie)).find(({ isOwn }) => isOwn)?.id;
  const end = async (id: string | undefined, cookie: string) =>
    (await send(scene, 'DELETE', `/sessions/${id}`, undefined, { cookie, ...own })).status;
  t.equal(await end(await idOf(ada), bob), 404, 'not those of others');
  t.equal(await end(await idOf(phone), bob), 200);
  t.match(await whoIs(scene, phone), { name: null });
  t.equal(await end(await idOf(bob), ada), 200);
  t.match(await whoIs(scene, bob), { name: null });
  t.match(scene.lines.at(-1), { event: 'api_changed', who: 'person ada', method: 'DELETE' });
  const local = await ask(scene.local, '/sessions');
  t.same(
    (local.json.sessions as unknown as { name: string }[]).map(({ name }) => name),
    ['ada'],
  );
});

t.test('a stream ends with its session, whoever ends that', async (t) => {
  const scene = await withPeople(t, { ada: 'administer', bob: 'view' });
  const ada = cookieIn(await signIn(scene, 'ada'));
  const follow = async (cookie: string): Promise<() => Promise<void>> => {
    const short = (path: string): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        const headers = { ...from(home), cookie };
        const options = {
          socketPath: path,
          path: `${prefix}/events`,
          headers,
          agent: false as const,
        };
        request(options, resolve).on('error', reject).end();
      });
    const response = await withShortPath(scene.directory, 'proxy.sock', short);
    const closed = new Promise<void>((resolve) => response.once('close', resolve));
    response.on('error', () => {}).resume();
    return () => closed;
  };
  const out = cookieIn(await signIn(scene, 'bob'));
  const ofOut = await follow(out);
  const ofAda = await follow(ada);
  await send(scene, 'DELETE', '/session', undefined, { cookie: out, ...own });
  await ofOut();
  const by = { cookie: ada, ...own };
  const changes: [method: string, path: string, body: object | undefined][] = [
    ['PUT', '/people/bob/role', { role: 'operate' }],
    ['PUT', '/people/bob/password', { password: `${password} again` }],
  ];
  for (const [method, path, body] of changes) {
    const cookie = cookieIn(await signIn(scene, 'bob'));
    const stream = await follow(cookie);
    t.equal((await send(scene, method, path, body, by)).status, 200, path);
    await stream();
  }
  await send(scene, 'PUT', '/people/bob/password', { password }, by);
  const changing = cookieIn(await signIn(scene, 'bob'));
  const ofChanging = await follow(changing);
  const wish = { current: password, next: `${password} once more` };
  const asBob = { cookie: changing, ...own };
  t.equal((await send(scene, 'PUT', '/session/password', wish, asBob)).status, 200);
  await ofChanging();
  await send(scene, 'PUT', '/people/bob/password', { password }, by);
  const elsewhere = cookieIn(await signIn(scene, 'bob'));
  const ofElsewhere = await follow(elsewhere);
  const { json: list } = await send(scene, 'GET', '/sessions', undefined, by);
  const bobs = (list.sessions as unknown as { id: string; name: string }[]).find(
    ({ name }) => name === 'bob',
  );
  t.equal((await send(scene, 'DELETE', `/sessions/${bobs?.id}`, undefined, by)).status, 200);
  await ofElsewhere();
  const removed = cookieIn(await signIn(scene, 'bob'));
  const ofRemoved = await follow(removed);
  await changePeople(scene.directory, remove('bob'));
  await ofRemoved(); // Without a request.
  let isOpen = true;
  void ofAda().then(() => {
    isOpen = false;
  });
  await whoIs(scene, ada);
  t.ok(isOpen, 'those of others go on');
});

t.test('a cookie changes nothing for the page of another site', async (t) => {
  const scene = await withPeople(t, { ada: 'administer' });
  const cookie = cookieIn(await signIn(scene, 'ada'));
  const statusOf = async (method: string, path: string, headers: Record<string, string>) =>
    (await send(scene, method, path, method === 'GET' ? undefined : {}, { cookie, ...headers }))
      .status;
  t.equal(await statusOf('POST', '/drain', {}), 403, 'who says nothing of where it is from');
  for (const site of ['cross-site', 'same-site']) {
    t.equal(await statusOf('POST', '/drain', { 'sec-fetch-site': site }), 403, site);
    t.equal(await statusOf('GET', '/certificates', { 'sec-fetch-site': site }), 403, site);
  }
  t.equal(await statusOf('POST', '/drain', { origin: 'https://evil.example' }), 403);
  t.same(scene.calls, [], 'nothing was done');
  t.equal(await statusOf('GET', '/certificates', {}), 200);
  t.equal(await statusOf('GET', '/certificates', own), 200);
  t.equal(await statusOf('POST', '/drain', { origin: 'https://device.example' }), 202);
  t.equal(await statusOf('POST', '/drain', own), 202);
  const { json: refused } = await send(
    scene,
    'POST',
    '/session',
    { name: 'ada', password },
    {
      'sec-fetch-site': 'cross-site',
    },
  );
  t.match(refused, { status: 403 }, 'nor does it sign anybody in');
});

t.test('the token and the local socket stay for programs; they have no session', async (t) => {
  const scene = await withPeople(t, { ada: 'view' });
  const token = { authorization: `Bearer ${await makeToken(scene.directory)}` };
  const cookie = cookieIn(await signIn(scene, 'ada'));
  t.match((await send(scene, 'GET', '/session', undefined, token)).json, {
    name: null,
    role: 'administer',
  });
  t.match((await send(scene, 'GET', '/session', undefined, { ...token, cookie })).json, {
    name: null,
  });
  t.equal((await send(scene, 'POST', '/drain', {}, token)).status, 202, 'without an origin');
  t.equal((await send(scene, 'DELETE', '/session', undefined, token)).status, 403);
  t.equal((await send(scene, 'PUT', '/session/password', {}, token)).status, 403);
  t.match((await ask(scene.local, '/session')).json, { name: null, role: 'administer' });
});

t.test('wrong passwords: longer and longer, to an end, and nobody is locked out', async (t) => {
  const scene = await withPeople(t, { ada: 'view', bob: 'view' });
  const { freeMax, nameMsMax } = delayBounds;
  await signIn(scene, 'bob', password, '192.0.2.77');
  for (let i = 0; i <= freeMax; i += 1)
    t.equal((await signIn(scene, 'ada', `wrong ${i}`)).status, 401);
  const waits = await signIn(scene, 'ada');
  t.match(waits, { status: 429, headers: { 'retry-after': '1' } }, 'not even the right one');
  t.match(await signIn(scene, 'ada', password, '192.0.2.2'), { status: 429 }, 'by name');
  t.match(await signIn(scene, 'bob'), { status: 429 }, 'by address');
  t.match(await signIn(scene, 'bob', password, '192.0.2.3'), { status: 200 }, 'neither');
  // From everywhere, for a long time, at bob.
  for (let i = 0; i < 12; i += 1) {
    scene.pass(nameMsMax);
    t.equal((await signIn(scene, 'bob', 'wrong', `198.51.100.${i}`)).status, 401);
  }
  t.match(await signIn(scene, 'bob', password, '198.51.100.99'), { status: 429 });
  t.match(await signIn(scene, 'bob', password, '192.0.2.77'), { status: 200 }, 'where he has been');
  scene.pass(nameMsMax);
  t.match(await signIn(scene, 'ada'), { status: 200 }, 'a minute is the most');
  const text = JSON.stringify(scene.lines);
  t.match(text, /"sign_in_refused","address":"192.0.2.1","name":"ada"/);
  t.notMatch(text, /wrong/);
});

t.test('a name that is nobody’s is answered alike, costs alike, and is not logged', async (t) => {
  const scene = await withPeople(t, { ada: 'view' });
  const [known, unknown] = [await signIn(scene, 'ada', 'x'), await signIn(scene, password, 'x')];
  t.same([known.status, known.text], [unknown.status, unknown.text]);
  t.match(scene.lines, [{ name: 'ada' }, { event: 'sign_in_refused' }]);
  t.notOk('name' in (scene.lines[1] ?? {}));
  for (let i = 0; i < delayBounds.freeMax; i += 1) await signIn(scene, 'eve', 'x', `192.0.2.2${i}`);
  await signIn(scene, 'eve', 'x', '192.0.2.30');
  t.equal((await signIn(scene, 'eve', 'x', '192.0.2.31')).status, 429, 'it waits alike');
});

t.test('many at once are as many, and some are asked to come again', async (t) => {
  const scene = await withPeople(t, { ada: 'view' });
  const all = await Promise.all(Array.from({ length: 20 }, () => signIn(scene, 'ada', 'wrong')));
  const listenedTo = all.filter(({ status }) => status === 401).length;
  t.ok(listenedTo <= delayBounds.freeMax + 1, `${listenedTo}`);
  const others = await Promise.all(
    Array.from({ length: 20 }, (_, i) => signIn(scene, `p${i}`, 'wrong', `198.51.100.${i}`)),
  );
  const statuses = others.map(({ status, headers }) => [status, headers['retry-after']].join(' '));
  t.same([...new Set(statuses)].sort(), ['401 ', '503 2']);
});

t.test('a damaged file lets nobody in, and no claim', async (t) => {
  const scene = await withPeople(t, { ada: 'administer' });
  const cookie = cookieIn(await signIn(scene, 'ada'));
  writeFileSync(join(scene.directory, 'people'), 'damage');
  t.equal((await send(scene, 'GET', '/certificates', undefined, { cookie })).status, 500);
  t.equal((await signIn(scene, 'ada')).status, 500);
  const claim = { code: scene.people.code, name: 'eve', password };
  t.equal((await send(scene, 'POST', '/claim', claim)).status, 500);
  t.equal((await ask(scene.local, '/certificates')).status, 200, 'the device itself goes on');
});
