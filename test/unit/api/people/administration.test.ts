// SPDX-License-Identifier: Apache-2.0
// People kept over the API: who may, what ends with it, what is refused, and what the log says of whom.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { add } from '../../../../src/api/people/changes.js';
import { changePeople, peopleBounds, readPeople } from '../../../../src/api/people/file.js';
import { hashPassword } from '../../../../src/api/people/scrypt.js';
import { makeToken } from '../../../../src/api/token.js';
import { ask, from, json, post } from '../client.js';
import { type Scene, startScene } from '../scene.js';

const cost = { n: 2 ** 14, r: 8, p: 1 };
const password = 'four words are good';
const next = 'five words are better yet';
const own = { 'sec-fetch-site': 'same-origin' };

async function send(scene: Scene, method: string, path: string, body?: object, cookie = '') {
  const credential = cookie === '' ? {} : { cookie, ...own };
  const headers = { ...from('192.0.2.1'), ...(body === undefined ? {} : json), ...credential };
  return ask(scene.proxy, path, { method, headers, body: body && JSON.stringify(body) });
}

async function signIn(scene: Scene, name: string, typed = password): Promise<string> {
  const { headers } = await send(scene, 'POST', '/session', { name, password: typed });
  return String(headers['set-cookie']).split(';', 1)[0] ?? '';
}

const nameOf = async (scene: Scene, cookie: string): Promise<unknown> =>
  (await send(scene, 'GET', '/session', undefined, cookie)).json.name;

async function withAda(t: Test): Promise<{ scene: Scene; ada: string }> {
  const scene = await startScene(t);
  const hash = await hashPassword(password, cost);
  await changePeople(scene.directory, add({ name: 'ada', role: 'administer', hash }, cost));
  return { scene, ada: await signIn(scene, 'ada') };
}

const said = ({ lines }: Scene) => lines.filter(({ event }) => event === 'people_changed');

t.test('added, listed, another role and password, removed; each ends the sessions', async (t) => {
  const { scene, ada } = await withAda(t);
  const asAda = (method: string, path: string, body?: object) =>
    send(scene, method, path, body, ada);
  const made = await asAda('POST', '/people', { name: ' Bob ', role: 'view', password });
  t.match(made, { status: 201, json: { name: 'bob', role: 'view' } });
  t.same((await asAda('GET', '/people')).json.people, [
    { name: 'ada', role: 'administer', isOwn: true },
    { name: 'bob', role: 'view', isOwn: false },
  ]);
  let bob = await signIn(scene, 'bob');
  t.equal(await nameOf(scene, bob), 'bob');
  t.match(await asAda('PUT', '/people/bob/role', { role: 'operate' }), { status: 200 });
  t.equal(await nameOf(scene, bob), null, 'another role');
  bob = await signIn(scene, 'bob');
  t.match(await asAda('PUT', '/people/bob/password', { password: next }), { status: 200 });
  t.equal(await nameOf(scene, bob), null, 'another password');
  t.equal((await send(scene, 'POST', '/session', { name: 'bob', password })).status, 401);
  bob = await signIn(scene, 'bob', next);
  t.equal(await nameOf(scene, bob), 'bob');
  t.match(await asAda('DELETE', '/people/bob'), { status: 200 });
  t.equal(await nameOf(scene, bob), null, 'removed');
  t.equal(await nameOf(scene, ada), 'ada', 'of that person alone');
  const by = { who: 'person ada', address: '192.0.2.1' };
  t.match(said(scene), [
    { ...by, added: [{ name: 'bob', role: 'view' }] },
    { ...by, changed: [{ name: 'bob', role: 'operate' }] },
    { ...by, changed: [{ name: 'bob', role: 'operate', password: 'changed' }] },
    { ...by, removed: ['bob'] },
  ]);
  t.equal(said(scene).length, 4, 'each once, and not as by another process');
  const text = JSON.stringify(scene.lines) + readFileSync(join(scene.directory, 'people'), 'utf8');
  for (const secret of [password, next]) t.notOk(text.includes(secret));
});

t.test('what is refused changes nothing', async (t) => {
  const { scene, ada } = await withAda(t);
  const before = JSON.stringify(await readPeople(scene.directory));
  const good = { name: 'bob', role: 'view', password };
  for (const [method, path, body, status, detail] of [
    ['POST', '/people', { ...good, name: 'a b' }, 422, /^A name has 1 to 64/],
    ['POST', '/people', { ...good, role: 'root' }, 422, /no role "root"; there are: view/],
    ['POST', '/people', { ...good, password: 'short' }, 422, /12 to 256 characters/],
    ['POST', '/people', { ...good, name: 'ADA' }, 409, /ada is there already/],
    ['POST', '/people', { name: 'bob', role: 'view' }, 400, /"password" must be/],
    ['DELETE', '/people/ada', undefined, 409, /last who may administer.*make another/],
    ['PUT', '/people/ada/role', { role: 'view' }, 409, /last who may administer/],
    ['PUT', '/people/ada/password', { password: next }, 409, /give the present one/],
    ['DELETE', '/people/bob', undefined, 404, /nobody by the name "bob"/],
    ['PUT', '/people/bob/role', { role: 'view' }, 404, /nobody/],
    ['PUT', '/people/bob/password', { password: next }, 404, /nobody/],
    ['PUT', '/people/__proto__/role', { role: 'view' }, 404, /nobody/],
  ] as const) {
    const answer = await send(scene, method, path, body, ada);
    t.match(answer, { status, json: { detail } }, `${method} ${path}`);
  }
  t.equal(JSON.stringify(await readPeople(scene.directory)), before);
  t.same(said(scene), []);
  t.equal(await nameOf(scene, ada), 'ada');
  const elsewhere = { ...from('192.0.2.1'), ...json, cookie: ada, 'sec-fetch-site': 'cross-site' };
  const forged = { method: 'POST', headers: elsewhere, body: JSON.stringify(good) };
  t.equal((await ask(scene.proxy, '/people', forged)).status, 403, 'the page of another site');
});

t.test('by the token and on the device as well, also for the first; a bound', async (t) => {
  const scene = await startScene(t);
  const authorization = `Bearer ${await makeToken(scene.directory)}`;
  const headers = { ...from('192.0.2.1'), ...json, authorization };
  const first = JSON.stringify({ name: 'ada', role: 'administer', password });
  t.equal(
    (await ask(scene.proxy, '/people', { method: 'POST', headers, body: first })).status,
    201,
  );
  t.match(await post(scene.local, '/people', { name: 'bob', role: 'administer', password }), {
    status: 201,
  });
  t.match(
    said(scene).map(({ who }) => who),
    ['token', 'local'],
  );
  t.match((await ask(scene.local, '/session')).json, { claim: 'claimed' });
  const ada = await signIn(scene, 'ada');
  t.match(await send(scene, 'PUT', '/people/ada/role', { role: 'view' }, ada), { status: 200 });
  t.equal(await nameOf(scene, ada), null, 'her own as well');
  const hash = await hashPassword(password, cost);
  for (let i = 2; i < peopleBounds.peopleMax; i += 1)
    await changePeople(scene.directory, add({ name: `p${i}`, role: 'view', hash }, cost));
  t.match(await post(scene.local, '/people', { name: 'eve', role: 'view', password }), {
    status: 409,
    json: { detail: /32 people already/ },
  });
});
