// SPDX-License-Identifier: Apache-2.0
// People at a real service, over HTTPS and its own proxy route: claimed by the code that `spliced claim`
// shows, signed in by cookie, across a restart, until `spliced user` ends it.

import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import t from 'tap';
import { type Scene, socketOf, startWithApi } from './api.js';
import { logLines, runCli, type Server, startCli } from './server.js';

const password = 'four words are good';

interface Said {
  status: number;
  cookie: string | undefined;
  body: Record<string, unknown>;
}

interface Sent {
  method?: string;
  cookie?: string | undefined;
  body?: object;
}

function ask({ port }: Server, path: string, { method = 'GET', cookie, body }: Sent = {}) {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    'sec-fetch-site': 'same-origin',
    ...(cookie === undefined ? {} : { cookie }),
    ...(text === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': text.length }),
  };
  return new Promise<Said>((resolve, reject) => {
    const options = { host: '127.0.0.1', port, rejectUnauthorized: false, agent: false as const };
    const own = { path: `/.spliced/api/v1${path}`, method, headers };
    const outgoing = request({ ...options, ...own }, (response) => {
      let answer = '';
      response.on('data', (data) => {
        answer += data;
      });
      response.on('error', reject);
      response.on('end', () => {
        const [set] = response.headers['set-cookie'] ?? [];
        const { statusCode: status = 0 } = response;
        resolve({ status, cookie: set?.split(';', 1)[0], body: JSON.parse(answer) });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(text);
  });
}

const claimOf = ({ own }: Scene) => runCli(['claim', ...own]);

t.test('claimed, signed in, restarted, ended', async (t) => {
  const scene = await startWithApi(t);
  const { server, directory, stateDir, own } = scene;
  t.match(await ask(server, '/session'), { body: { name: null, hasPeople: false, claim: 'open' } });
  const shown = await claimOf(scene);
  t.match(shown, {
    code: 0,
    stdout: /^\w{4}-\w{4}-\w{4}\n$/,
    stderr: /good once, for 1\d minutes/,
  });
  const wish = { code: shown.stdout.trim(), name: 'ada', password };
  const claimed = await ask(server, '/claim', { method: 'POST', body: wish });
  t.match(claimed, { status: 201, body: { name: 'ada', role: 'administer' } });
  t.match(claimed.cookie, /^__Host-spliced=[\w-]{43}$/);
  t.match(await ask(server, '/claim', { method: 'POST', body: wish }), { status: 409 });
  t.match(await claimOf(scene), { code: 1, stdout: '', stderr: /the device is claimed/ });
  const { cookie } = claimed;
  t.equal((await ask(server, '/configuration', { cookie })).status, 200);
  t.equal((await ask(server, '/configuration')).status, 401);
  t.match(await ask(server, '/reload', { method: 'POST', cookie, body: {} }), { status: 200 });

  server.child.kill('SIGTERM');
  const { stdout } = await server.ended;
  const again = await startCli(directory, ['--root', join(directory, 'root')]);
  t.teardown(() => again.child.kill('SIGKILL'));
  await socketOf(stateDir);
  t.match(await ask(again, '/session', { cookie }), { body: { name: 'ada', claim: 'claimed' } });
  const other = await ask(again, '/session', { method: 'POST', body: { name: 'ada', password } });
  t.match(other, { status: 200 });
  t.equal((await ask(again, '/session', { method: 'DELETE', cookie: other.cookie })).status, 200);
  t.equal((await ask(again, '/update', { cookie: other.cookie })).status, 401);
  t.match(await runCli(['user', 'remove', '--all', ...own]), { code: 0 });
  t.equal((await ask(again, '/update', { cookie })).status, 401);
  again.child.kill('SIGTERM');
  const text = stdout + (await again.ended).stdout;
  const events = logLines(text).filter(({ who }) => who !== undefined);
  t.match(
    events.map(({ event, who }) => `${event} ${who}`),
    [
      'device_claimed person ada',
      'api_changed person ada',
      'signed_in person ada',
      'signed_out person ada',
      'people_changed local',
    ],
  );
  const kept = ['people', 'sessions'].map((name) => readFileSync(join(stateDir, name), 'utf8'));
  for (const secret of [password, wish.code, cookie?.split('=')[1] ?? '']) {
    for (const place of [text, ...kept]) t.notOk(place.includes(secret));
  }
});
