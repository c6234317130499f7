// SPDX-License-Identifier: Apache-2.0
// Who gets in through the proxy's socket, with what, and how often they may be wrong.

import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { GuessThrottle, networkOf, throttleBounds } from '../../../src/api/throttle.js';
import { makeToken, revokeToken, roleOfToken } from '../../../src/api/token.js';
import { ask, from, json } from './client.js';
import { startScene } from './scene.js';

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const subject = (name: string) => ({ 'x-client-certificate-subject': name });
const fingerprint = (hex: string) => ({ 'x-client-certificate-fingerprint': hex });

t.test('the device itself may read figures, and nothing else', async (t) => {
  const { proxy, local } = await startScene(t);
  const statusFor = async (path: string, address: string) =>
    (await ask(proxy, path, { headers: from(address) })).status;
  for (const path of ['/status', '/metrics']) {
    for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) {
      t.equal(await statusFor(path, address), 200, `${path} ${address}`);
    }
    for (const address of ['192.0.2.1', '::2', 'fe80::1', '::ffff:192.0.2.1']) {
      t.equal(await statusFor(path, address), 401, `${path} ${address}`);
    }
  }
  for (const path of ['/certificates', '/configuration', '/log?follow=false', '/openapi.json']) {
    t.equal(await statusFor(path, '127.0.0.1'), 401, path);
  }
  const refused = await ask(proxy, '/certificates', { headers: from('192.0.2.1') });
  t.match(refused.headers, { 'www-authenticate': 'Bearer realm="spliced"' });
  t.match(refused.json, { detail: /^Sign in, .*"spliced token"/ });
  t.equal((await ask(local, '/certificates', { headers: from('192.0.2.1') })).status, 200);
});

t.test('what is not from the proxy is refused', async (t) => {
  const { proxy } = await startScene(t);
  const cases: Record<string, string | string[]>[] = [
    {},
    { 'x-forwarded-for': '127.0.0.1' },
    { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http' },
    from('127.0.0.1, 192.0.2.1'),
    from('localhost'),
    { ...from('127.0.0.1'), 'x-forwarded-for': ['127.0.0.1', '127.0.0.1'] },
    { ...from('127.0.0.1'), 'x-client-certificate-subject': ['CN=a', 'CN=b'] },
  ];
  for (const headers of cases) {
    const answer = await ask(proxy, '/status', { headers });
    t.match(answer, { status: 400, json: { title: 'Bad proxy' } }, JSON.stringify(headers));
  }
});

t.test('client certificates', async (t) => {
  const hex = 'ab'.repeat(32);
  const colons = 'CD:'.repeat(31).concat('CD');
  const administrators = ['CN=admin,O=Example', hex, colons];
  const { proxy, lines } = await startScene(t, { administrators });
  const statusWith = async (more: Record<string, string>) =>
    (await ask(proxy, '/certificates', { headers: from('192.0.2.1', more) })).status;
  t.equal(await statusWith(subject('CN=admin,O=Example')), 200);
  t.equal(await statusWith(fingerprint(hex)), 200);
  t.equal(await statusWith(fingerprint('cd'.repeat(32))), 200);
  for (const other of ['CN=admin', 'CN=admin,O=Example,C=DE', 'cn=admin,o=example', '', hex]) {
    t.equal(await statusWith(subject(other)), 401, other);
  }
  t.equal(await statusWith(fingerprint('ef'.repeat(32))), 401);
  t.equal(await statusWith(fingerprint('CN=admin,O=Example')), 401);
  const headers = from('192.0.2.1', { ...subject('CN=admin,O=Example'), 'x-request-id': 'r1' });
  const renewal = { method: 'POST', headers: { ...headers, ...json }, body: '{}' };
  t.equal((await ask(proxy, '/certificates/renewal', renewal)).status, 202);
  const who = 'certificate CN=admin,O=Example';
  t.match(lines, [{ event: 'api_changed', who, address: '192.0.2.1', requestId: 'r1' }]);
});

t.test('the token: kept as a hash, good at once, and gone at once', async (t) => {
  const { proxy, directory } = await startScene(t);
  const statusWith = async (token: string) =>
    (await ask(proxy, '/certificates', { headers: from('192.0.2.1', bearer(token)) })).status;
  t.equal(await statusWith(''), 401, 'there is none by default');
  const first = await makeToken(directory);
  t.match(first, /^spliced_[\w-]{43}$/);
  const file = join(directory, 'api-token');
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.notMatch(readFileSync(file, 'latin1'), first.slice('spliced_'.length));
  t.equal(await statusWith(first), 200);
  const second = await makeToken(directory);
  t.same([await statusWith(first), await statusWith(second)], [401, 200]);
  t.equal(await revokeToken(directory, 'administer'), true);
  t.equal(await statusWith(second), 401);
  t.equal(await revokeToken(directory, 'administer'), false);
  t.equal(await roleOfToken(directory, second), undefined);
});

t.test('a token for each role: no more than that, and each by itself', async (t) => {
  const { proxy, directory, lines } = await startScene(t);
  const tokens = {
    view: await makeToken(directory, 'view'),
    operate: await makeToken(directory, 'operate'),
    administer: await makeToken(directory),
  };
  const renewal = { method: 'POST', body: '{}' };
  const allowed = { view: [200, 403, 403], operate: [200, 202, 403], administer: [200, 202, 200] };
  for (const role of ['view', 'operate', 'administer'] as const) {
    t.equal(await roleOfToken(directory, tokens[role]), role);
    const headers = from('192.0.2.1', bearer(tokens[role]));
    const sent = { headers: { ...headers, ...json } };
    t.match((await ask(proxy, '/session', { headers })).json, { by: 'token', role });
    const got = [
      (await ask(proxy, '/metrics', { headers })).status,
      (await ask(proxy, '/certificates/renewal', { ...renewal, ...sent })).status,
      (await ask(proxy, '/people', { headers })).status,
    ];
    t.same(got, allowed[role], role);
    const file = join(directory, role === 'administer' ? 'api-token' : `api-token-${role}`);
    t.equal(statSync(file).mode & 0o777, 0o600);
  }
  const changes = lines.filter(({ event }) => event === 'api_changed');
  t.same(
    changes.map(({ who, status }) => [who, status]),
    [
      ['token operate', 202],
      ['token', 202],
    ],
  );
  await makeToken(directory, 'view');
  t.equal(await roleOfToken(directory, tokens.view), undefined, 'replaced');
  t.equal(await roleOfToken(directory, tokens.operate), 'operate', 'the others go on');
  t.ok(await revokeToken(directory, 'operate'));
  t.equal(await roleOfToken(directory, tokens.operate), undefined);
  t.equal(await roleOfToken(directory, tokens.administer), 'administer');
  writeFileSync(join(directory, 'api-token-view'), 'damaged');
  t.equal(await roleOfToken(directory, tokens.administer), 'administer', 'locks nobody else out');
  await t.rejects(roleOfToken(directory, 'x'), /api-token-view is damaged.*--role view/);
});

t.test('a damaged token file is no open door', async (t) => {
  const { proxy, directory } = await startScene(t);
  const headers = from('192.0.2.1', bearer('x'));
  for (const text of ['', 'sha256 \n', `sha256 ${'0'.repeat(63)}\n`]) {
    writeFileSync(join(directory, 'api-token'), text);
    const answer = await ask(proxy, '/certificates', { headers });
    t.match(answer, { status: 500, json: { detail: /is damaged; make a new token/ } });
  }
  if (process.getuid?.() === 0) return;
  chmodSync(join(directory, 'api-token'), 0);
  t.match(await ask(proxy, '/certificates', { headers }), { status: 500 });
});

t.test('wrong tokens: a few, then the address waits', async (t) => {
  const { proxy, directory, lines, pass } = await startScene(t);
  const token = await makeToken(directory);
  const guess = (address: string, guessed: string) =>
    ask(proxy, '/status', { headers: from(address, bearer(guessed)) });
  for (let i = 0; i < throttleBounds.failuresMax; i += 1) {
    t.match(await guess('192.0.2.1', 'wrong'), {
      status: 401,
      headers: { 'www-authenticate': 'Bearer realm="spliced", error="invalid_token"' },
    });
  }
  const blocked = await guess('192.0.2.1', token);
  t.match(blocked, { status: 429, headers: { 'retry-after': '60' } }, 'not even the right one');
  t.equal((await guess('192.0.2.2', token)).status, 200, 'another address is not concerned');
  t.equal((await guess('127.0.0.1', 'wrong')).status, 401, 'nor a wrong one from the device');
  const events = lines.map(({ event, address }) => `${event} ${address}`);
  t.same(events, [
    ...Array(throttleBounds.failuresMax).fill('api_token_refused 192.0.2.1'),
    'api_throttled 192.0.2.1',
    'api_token_refused 127.0.0.1',
  ]);
  t.notMatch(JSON.stringify(lines), /wrong/, 'what was guessed is not logged');
  pass(throttleBounds.windowMs);
  t.equal((await guess('192.0.2.1', token)).status, 200);
});

t.test('wrong tokens from everywhere: no more log, and the right one still counts', async (t) => {
  const { proxy, directory, lines } = await startScene(t);
  const token = await makeToken(directory);
  const guess = async (host: number, guessed: string) => {
    const headers = from(`192.0.2.${host}`, bearer(guessed));
    return (await ask(proxy, '/status', { headers })).status;
  };
  const { failuresInAllMax } = throttleBounds;
  for (let i = 0; i < failuresInAllMax; i += 1) t.equal(await guess(i, 'wrong'), 401);
  const before = lines.length;
  t.equal(lines.at(-1)?.event, 'api_throttled');
  t.equal(lines.at(-1)?.address, 'all');
  t.equal(await guess(200, 'wrong'), 429);
  t.equal(await guess(201, token), 200);
  t.equal(lines.length, before);
});

t.test('the table of addresses has a bound', async (t) => {
  let nowMs = 0;
  const throttle = new GuessThrottle(() => nowMs);
  for (let i = 0; i < 3 * throttleBounds.addressesMax; i += 1)
    throttle.failed(`10.0.${i >> 8}.${i & 255}`);
  t.equal(throttle.size, throttleBounds.addressesMax);
  t.ok(throttle.waitInAllS() > 0);
  nowMs = throttleBounds.windowMs;
  t.equal(throttle.waitInAllS(), 0);
});

t.test('an IPv6 network is one guesser', async (t) => {
  const cases: [string, string][] = [
    ['2001:db8:1:2::1', '2001:db8:1:2'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:0db8:1::', '2001:db8:1:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['192.0.2.1', '192.0.2.1'],
  ];
  for (const [address, network] of cases) t.equal(networkOf(address), network, address);
  const throttle = new GuessThrottle(() => 0);
  for (let i = 0; i < throttleBounds.failuresMax; i += 1) throttle.failed(`2001:db8::${i}`);
  t.equal(throttle.waitS('2001:db8::ffff'), 60);
  t.equal(throttle.waitS('2001:db8:0:1::1'), 0);
});
