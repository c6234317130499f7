// SPDX-License-Identifier: Apache-2.0
// The application that is asked before the page and the API (`api.authorize`) hangs, dies, answers late, too
// much or twice: nobody passes by it, and the device serves others meanwhile. What it says is remembered
// where that is configured.

import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import { listen, rawApplication } from '../contract/proxy.js';
import type { Scene } from './api.js';
import { api, ask, behind, startAsking } from './application.js';
import { runCli } from './server.js';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n';
const timeoutMs = 300;

const misbehaving: [name: string, answer: (socket: Socket) => void, reason: string][] = [
  ['hangs', () => {}, 'timeout'],
  ['begins and hangs', (socket) => socket.write(`${ok}X-`), 'timeout'],
  ['dies', (socket) => socket.destroy(), 'unreachable'],
  ['says 500', (socket) => socket.write('HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n'), 'status'],
  [
    'answers late',
    (socket) =>
      setTimeout(() => socket.write(`${ok}Spliced-Role: administer\r\n\r\n`), timeoutMs * 2),
    'timeout',
  ],
  [
    'says too much',
    (socket) => socket.write(`${ok}Spliced-User: ${'x'.repeat(9000)}\r\n\r\n`),
    'long_fields',
  ],
  [
    'has a head without end',
    (socket) => socket.write(`${ok}X: ${'x'.repeat(40_000)}`),
    'unreachable',
  ],
];

/** Asks whoever answers like this. */
async function behindRaw(t: Test, onAsked: (socket: Socket) => void): Promise<Scene> {
  const raw = rawApplication(t, (socket) => socket.on('data', () => onAsked(socket)));
  const limit = { SPLICED_API_AUTHORIZE_TIMEOUT_MS: String(timeoutMs) };
  return startAsking(t, await listen(t, raw), limit);
}

async function tokenOf({ own }: Scene): Promise<Record<string, string>> {
  const { stdout } = await runCli(['token', ...own]);
  return { authorization: `Bearer ${/^[\w-]{40,}$/m.exec(stdout)?.[0]}` };
}

t.test('one that misbehaves', async (t) => {
  for (const [name, answer, reason] of misbehaving) {
    const scene = await behindRaw(t, answer);
    const headers = await tokenOf(scene);
    const forged = { 'spliced-role': 'administer', 'spliced-authorized': '1' };
    const waiting = [1, 2, 3].map(() => ask(scene, `${api}/people`, { headers: forged }));
    t.match(await ask(scene, `${api}/people`, { headers }), { status: 200 }, `${name}: the token`);
    t.match(await ask(scene, '/../index.html'), { status: 200 }, `${name}: files`);
    for (const { status } of await Promise.all(waiting)) t.equal(status, 502, name);
    scene.server.child.kill('SIGTERM');
    const { stdout } = await scene.server.ended;
    const line = new RegExp(`"authorize_failed","reason":"${reason}","route":"/.spliced/api"`);
    t.match(stdout, line, name);
  }
});

t.test('one that answers twice', async (t) => {
  const answer = (role: string) => `${ok}Spliced-Role: ${role}\r\n\r\n`;
  const scene = await behindRaw(t, (socket) => socket.write(answer('view') + answer('administer')));
  for (let i = 0; i < 4; i += 1) {
    const { json } = await ask(scene, `${api}/session`);
    t.match(json, { by: 'application', role: 'view' }, 'what nobody asked for answers nobody');
  }
});

t.test('remembered for so long as it may, by exactly what was asked', async (t) => {
  // Each engine has its own memory.
  const { scene, asked } = await behind(t, {
    SPLICED_API_AUTHORIZE_REMEMBER_MS: '60000',
    SPLICED_ENGINES: '1',
  });
  const get = (path: string, session: string) => ask(scene, path, { cookie: `session=${session}` });
  for (let i = 0; i < 3; i += 1) {
    t.match((await get(`${api}/session`, 'carol')).json, {
      name: 'Carol Example',
      role: 'operate',
    });
    t.equal((await get('/ui/', 'carol')).status, 200);
  }
  t.equal(asked.seen.length, 2, 'once for each');
  t.match((await get(`${api}/session`, 'eve')).json, { name: 'eve', role: 'view' });
  t.equal(asked.seen.length, 3, 'another session');
  t.match(await get(`${api}/session`, 'none'), { status: 302 });
  t.match(await get(`${api}/session`, 'none'), { status: 302 });
  t.equal(asked.seen.length, 5, 'a refusal is not remembered');
  const forged = { 'spliced-role': 'administer' };
  const twice = await ask(scene, `${api}/session`, { cookie: 'session=eve', headers: forged });
  t.match(twice.json, { role: 'view' });
  asked.stop();
  t.match((await get(`${api}/session`, 'carol')).json, { role: 'operate' }, 'it is not asked');
});
