// SPDX-License-Identifier: Apache-2.0
// The description against OpenAPI's own schema, against the routes that the application really has,
// and against real answers.

import { Validator } from '@seriousme/openapi-schema-validator';
import t from 'tap';
import { createApp } from '../../../src/api/app.js';
import { type Answer, ask, json, post, prefix } from './client.js';
import { descriptionOf, judgeBy, type Operation } from './described.js';
import { startScene } from './scene.js';

t.test('it is valid OpenAPI 3.1', async (t) => {
  const { local } = await startScene(t);
  const description = await descriptionOf(local);
  const { valid, errors } = await new Validator().validate(description as never);
  t.equal(valid, true, JSON.stringify(errors));
  const broken = { ...description, paths: { '/status': { get: { responses: 'none' } } } };
  t.equal((await new Validator().validate(broken as never)).valid, false);
  const ids = Object.values(description.paths).flatMap(Object.values<Operation>);
  t.equal(new Set(ids.map(({ operationId }) => operationId)).size, ids.length, 'each id once');
});

t.test('it has exactly the routes of the application', async (t) => {
  const { local } = await startScene(t);
  const { paths, servers } = await descriptionOf(local);
  const described = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${servers[0]?.url}${path}`),
  );
  const parts = { access: {}, log: {}, service: {}, streams: {} } as never;
  const real = createApp(parts).routes.map(({ method, path }) => {
    return `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`;
  });
  t.same(described.sort(), real.sort());
  t.ok(real.length >= 15);
});

t.test('real answers are as described', async (t) => {
  const { local, proxy, tail, people } = await startScene(t);
  tail.push('{}');
  const description = await descriptionOf(local);
  const { problemOf, seen, isSchema } = judgeBy(description);
  const check = (method: string, path: string, answer: Answer): void =>
    void t.equal(problemOf(method, path, answer), '', `${method} ${path} ${answer.status}`);

  const gets = [
    '/status',
    '/system',
    '/system/history',
    '/device',
    '/metrics',
    '/certificates',
    '/certificates/requests',
  ];
  const more = ['/certificates/authority', '/configuration', '/openapi.json'];
  const update = ['/update', '/update/uploads', '/session', '/sessions', '/claim'];
  for (const path of [...gets, ...more, ...update]) check('get', path, await ask(local, path));
  check('get', '/log', await ask(local, '/log?follow=false'));
  check('get', '/log', await ask(local, '/log?lines=x'));
  const put = (body: object) => {
    const asked = { method: 'PUT', headers: json, body: JSON.stringify(body) };
    return ask(local, '/certificates/uploaded', asked);
  };
  const bodies = [{ chain: 'good', privateKey: 'x' }, { chain: 'bad' }, { chain: 'orphan' }, {}];
  for (const body of bodies) check('put', '/certificates/uploaded', await put(body));
  for (const [path, body] of [
    ['/certificates/requests', { names: ['a'] }],
    ['/certificates/requests', { names: ['a'] }],
    ['/certificates/requests', { names: ['!'] }],
    ['/certificates/renewal', {}],
    ['/reload', {}],
    ['/drain', {}],
    ['/device/restart', {}],
    ['/device/power-off', {}],
    ['/device/power-off', {}],
    ['/update/install', {}],
    ['/update/install', { file: 'none' }],
    ['/update/restart', {}],
    ['/update/restart', {}],
    ['/drain', { x: 1 }],
    ['/update/uploads', { name: 'bundle', length: 5, sha256: 'ab'.repeat(32) }],
    ['/update/uploads', { name: 'bundle', length: 5 }],
    ['/update/uploads', { name: 'bundle', length: '5' }],
    ['/update/uploads', { name: 'busy', length: 5 }],
    ['/update/uploads', { name: 'too long', length: 5 }],
    ['/update/uploads', { name: 'no space', length: 5 }],
    ['/update/uploads', { name: 'bad', length: 5 }],
    ['/session', { name: 'ada', password: 'x' }],
    ['/claim', { code: 'wrong', name: 'ada', password: 'four words are good' }],
    ['/claim', { code: 'wrong', name: 'a b', password: 'four words are good' }],
    ['/claim', { code: people.code, name: 'ada', password: 'four words are good' }],
    ['/claim', { code: people.code, name: 'ada', password: 'four words are good' }],
    ['/session', { name: 'ada', password: 'four words are good' }],
    ['/session', { name: 'ada', password: 'another five words' }],
  ] as const) {
    check('post', path, await post(local, path, body));
  }
  for (const [slot, mark] of [
    ['rootfs.0', 'good'],
    ['none', 'bad'],
    ['a%20b', 'good'],
  ]) {
    const path = `/update/slots/{name}/${mark}`;
    check('post', path, await post(local, path.replace('{name}', slot ?? '')));
  }
  check('get', '/events', await ask(local, '/events', { method: 'HEAD' }));
  check('get', '/certificates/requests', await ask(local, '/certificates/requests'));
  for (const path of [
    '/certificates/requests',
    '/certificates/uploaded',
    '/certificates/uploaded',
    '/update/uploads',
    '/update/uploads',
  ]) {
    check('delete', path, await ask(local, path, { method: 'DELETE' }));
  }
  check('get', '/people', await ask(local, '/people'));
  const eve = { name: 'eve', role: 'view', password: 'four words are good' };
  for (const body of [eve, eve, { ...eve, role: 'none' }, { name: 'eve' }])
    check('post', '/people', await post(local, '/people', body));
  for (const [what, body] of [
    ['role', { role: 'operate' }],
    ['role', { role: 'none' }],
    ['password', { password: 'five words are better' }],
    ['password', { password: 'short' }],
  ] as const) {
    const asked = { method: 'PUT', headers: json, body: JSON.stringify(body) };
    for (const name of ['eve', 'nobody'])
      check('put', `/people/{name}/${what}`, await ask(local, `/people/${name}/${what}`, asked));
  }
  for (const name of ['eve', 'eve', 'ada'])
    check('delete', '/people/{name}', await ask(local, `/people/${name}`, { method: 'DELETE' }));
  check('get', '/sessions', await ask(local, '/sessions'));
  check('delete', '/session', await ask(local, '/session', { method: 'DELETE' }));
  const nobodys = await ask(local, '/sessions/0123456789abcdef', { method: 'DELETE' });
  check('delete', '/sessions/{id}', nobodys);
  const passwords = { method: 'PUT', headers: json, body: '{}' };
  check('put', '/session/password', await ask(local, '/session/password', passwords));
  const toml = { method: 'POST', headers: { 'content-type': 'application/toml' }, body: 'x = 1' };
  check('post', '/configuration/check', await ask(local, '/configuration/check', toml));
  const wrongType = await ask(local, '/configuration/check', { ...toml, headers: json });
  check('post', '/configuration/check', wrongType);
  const long = { ...toml, body: 'x'.repeat(70_000) };
  check('post', '/configuration/check', await ask(local, '/configuration/check', long));
  check('get', '/status', await ask(proxy, '/status'));
  const stranger = { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'https' };
  check('get', '/status', await ask(proxy, '/status', { headers: stranger }));

  const all = Object.values(description.paths).flatMap(Object.values<Operation>);
  t.same(
    [...seen].sort(),
    all.map(({ operationId }) => operationId).sort(),
    'each route was asked',
  );
  t.equal(prefix, description.servers[0]?.url);
  t.notOk(isSchema('Problem', { status: 400 }), 'a check that can fail');
});
