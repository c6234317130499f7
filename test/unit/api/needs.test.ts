// SPDX-License-Identifier: Apache-2.0
// The table of who may what: every route is in it, nothing else, the documentation says the same, and
// the application does it.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { type Need, needs } from '../../../src/api/needs.js';
import { add } from '../../../src/api/people/changes.js';
import { changePeople } from '../../../src/api/people/file.js';
import { roles } from '../../../src/api/people/names.js';
import { hashPassword } from '../../../src/api/people/scrypt.js';
import { prefix, routes } from '../../../src/api/routes.js';
import { ask, from, json } from './client.js';
import { startScene } from './scene.js';

const cost = { n: 2 ** 14, r: 8, p: 1 };
const password = 'four words are good';

t.test('every route has its need, and every need its route', async (t) => {
  const ids = routes.map(({ operationId }) => operationId);
  t.same([...ids].sort(), Object.keys(needs).sort());
  for (const { operationId, method, changesNothing } of routes) {
    const need: Need = needs[operationId];
    const isChange = method !== 'get' && !changesNothing;
    if (isChange) t.not(need, 'measure', operationId);
    if (isChange && need === 'view')
      t.equal(operationId, 'endSession', 'who views changes nothing');
    const isOpen = ['getSession', 'signIn', 'claimDevice'].includes(operationId);
    t.equal(need === 'anybody', isOpen, operationId);
  }
});

t.test('docs/API.md has the same', async (t) => {
  const text = readFileSync('docs/API.md', 'utf8');
  for (const { operationId, method, path } of routes) {
    const row = `| ${method.toUpperCase()} \`${path.slice(1)}\` | ${needs[operationId]} |`;
    t.ok(text.includes(row), row);
  }
});

t.test('a role may what is asked of it or of those before it, and nothing more', async (t) => {
  const { directory, proxy, lines } = await startScene(t);
  const hash = await hashPassword(password, cost);
  const cookies: Record<string, string> = {};
  for (const role of roles) {
    await changePeople(directory, add({ name: role, role, hash }, cost));
    const headers = { ...from('192.0.2.1'), ...json };
    const body = JSON.stringify({ name: role, password });
    const { headers: answered } = await ask(proxy, '/session', { method: 'POST', headers, body });
    cookies[role] = String(answered['set-cookie']).split(';', 1)[0] ?? '';
  }
  const statusOf = async (method: string, path: string, cookie: string | undefined) => {
    const own = cookie === undefined ? {} : { cookie, 'sec-fetch-site': 'same-origin' };
    // No body that any route takes, nor a parameter: what gets past the door is 400, 409 or 415.
    const headers = from('192.0.2.1', own);
    const name = path.replace(/\{\w+\}/, 'none');
    const { status, json } = await ask(proxy, `${name}?none=1`, { method, headers });
    return { status, title: json.title };
  };
  for (const { method, path, operationId } of routes) {
    const need: Need = needs[operationId];
    const wanted = need === 'measure' ? 'view' : need;
    const stranger = await statusOf(method.toUpperCase(), path, undefined);
    const isShut = need === 'device' ? 403 : need === 'anybody' ? 400 : 401;
    t.equal(stranger.status, isShut, `a stranger: ${operationId}`);
    for (const role of roles) {
      const rank = roles.indexOf(wanted as 'view');
      const may =
        wanted === 'anybody' || wanted === 'person' || (rank >= 0 && roles.indexOf(role) >= rank);
      const { status, title } = await statusOf(method.toUpperCase(), path, cookies[role]);
      t.equal(status, may ? 400 : 403, `${role}: ${operationId}: ${title}`);
    }
  }
  t.notMatch(JSON.stringify(lines), /words are good/);
  t.equal(prefix, '/.spliced/api/v1');
});
