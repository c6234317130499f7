// SPDX-License-Identifier: Apache-2.0
// The page and the API behind an application's session (`api.authorize`), by the real service and a real
// application: who it lets pass has the role that it says, nobody else can say one, and the token goes on.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { startWithApi } from './api.js';
import { api, application, ask, behind, own } from './application.js';
import { runCli } from './server.js';

t.test('who it lets pass, and as what', async (t) => {
  const { scene, asked } = await behind(t);
  const who = async (cookie: string, headers: Record<string, string> = {}) =>
    (await ask(scene, `${api}/session`, { cookie, headers })).json;
  for (const path of ['/ui/', `${api}/session`, `${api}/status`])
    t.match(await ask(scene, path), { status: 302, location: '/sign-in' }, path);
  t.equal((await ask(scene, '/ui/', { cookie: 'session=eve' })).status, 200);
  t.match(await who('session=carol'), {
    by: 'application',
    name: 'Carol Example',
    role: 'operate',
  });
  t.match(await who('session=eve'), { by: 'application', name: 'eve', role: 'view' });
  for (const odd of ['odd', 'twice'])
    t.match(await who(`session=${odd}`), { by: 'application', name: null, role: 'view' }, odd);

  const forged = {
    'spliced-role': 'administer',
    'spliced-user': 'root',
    'spliced-authorized': '1',
  };
  t.match(await who('session=eve', forged), { name: 'eve', role: 'view' }, 'no client says a role');
  t.match(await who('session=odd', forged), { name: null, role: 'view' });
  t.match(await ask(scene, `${api}/session`, { headers: forged }), { status: 302 });
  const bearer = { ...forged, authorization: 'Bearer nonsense' };
  t.match(await ask(scene, `${api}/session`, { headers: bearer }), { status: 401 });
  t.match(await ask(scene, `${api}/certificates`, { headers: bearer }), { status: 401 });
  const basic = { authorization: 'Basic Y2Fyb2w6eA==' };
  t.match(await who('session=carol', basic), { role: 'operate' }, 'it was for the application');

  const change = (cookie: string, headers: Record<string, string>) =>
    ask(scene, `${api}/certificates/renewal`, { cookie, method: 'POST', headers });
  t.match(await change('session=eve', own), { status: 403, json: { role: 'view' } });
  t.match(await change('session=carol', {}), { status: 403 }, 'a cookie that browsers send');
  t.match(await change('session=carol', { 'sec-fetch-site': 'cross-site' }), { status: 403 });
  t.match(await change('session=carol', own), { status: 202 });
  t.match(await ask(scene, `${api}/people`, { cookie: 'session=carol' }), { status: 403 });
  t.match(await ask(scene, `${api}/people`, { cookie: 'session=root' }), { status: 200 });

  await who('session=eve; __Host-spliced=key');
  for (const { headers, url } of asked.seen) {
    t.equal(url, '/session/check');
    t.notMatch(headers.cookie ?? '', /__Host-spliced/, 'ours is not for it');
    t.notOk(Object.keys(headers).some((name) => name.startsWith('spliced-')));
  }
  t.match(asked.seen.at(-1)?.headers, { 'x-forwarded-uri': '/.spliced/api/v1/session' });
  scene.server.child.kill('SIGTERM');
  const { stdout } = await scene.server.ended;
  t.match(stdout, /"api_changed".*"who":"application Carol Example"/);
});

t.test('the token is not asked about, and goes on without the application', async (t) => {
  const { scene, asked } = await behind(t);
  const { stdout } = await runCli(['token', ...scene.own]);
  const token = /^[\w-]{40,}$/m.exec(stdout)?.[0] ?? '';
  const headers = { authorization: `Bearer ${token}` };
  t.match(await ask(scene, `${api}/session`, { headers }), {
    status: 200,
    json: { by: 'token', role: 'administer' },
  });
  const renewal = { method: 'POST', headers };
  t.match(await ask(scene, `${api}/certificates/renewal`, renewal), { status: 202 });
  t.equal(asked.seen.length, 0);
  t.match(await ask(scene, '/ui/', { headers }), { status: 302 }, 'the page has no token');
  asked.stop();
  t.match(await ask(scene, `${api}/session`, { headers }), { status: 200 });
});

t.test('while it does not answer, the page and the guard of our own are left', async (t) => {
  const { scene, asked } = await behind(t);
  const { stdout } = await runCli(['token', ...scene.own]);
  const token = { authorization: `Bearer ${/^[\w-]{40,}$/m.exec(stdout)?.[0]}` };
  const { stdout: claim } = await runCli(['claim', ...scene.own]);
  const code = /[0-9A-Z]{4}(?:-[0-9A-Z]{4})+/.exec(claim)?.[0] ?? '';
  asked.stop();
  t.equal((await ask(scene, '/ui/')).status, 200, 'the page tells nothing of the device');
  const forged = {
    'spliced-role': 'administer',
    'spliced-authorized': '1',
    'spliced-unanswered': '0',
  };
  for (const headers of [{}, forged]) {
    const sent = { cookie: 'session=root', headers };
    t.match(await ask(scene, `${api}/session`, sent), {
      status: 200,
      json: { by: null, role: null, isApplicationSilent: true },
    });
    for (const path of ['status', 'metrics', 'certificates', 'people']) {
      const refused = await ask(scene, `${api}/${path}`, sent);
      t.match(refused, { status: 502, json: { detail: /does not answer.*token/ } }, path);
    }
    const change = { ...sent, method: 'POST', headers: { ...headers, ...own } };
    t.equal((await ask(scene, `${api}/certificates/renewal`, change)).status, 502);
  }
  t.match(await ask(scene, `${api}/people`, { headers: token }), { status: 200 });
  t.match((await ask(scene, `${api}/session`, { headers: token })).json, {
    isApplicationSilent: false,
  });
  const wrong = { authorization: 'Bearer nonsense' };
  t.equal((await ask(scene, `${api}/people`, { headers: wrong })).status, 401);

  const wish = { code, name: 'alice', password: 'correct horse battery' };
  const claimed = await ask(scene, `${api}/claim`, { method: 'POST', headers: own, body: wish });
  t.equal(claimed.status, 201);
  t.match(await ask(scene, `${api}/people`, { cookie: claimed.cookie }), { status: 200 });
  const signIn = { method: 'POST', headers: own, body: { name: 'alice', password: wish.password } };
  const { status, cookie } = await ask(scene, `${api}/session`, signIn);
  t.equal(status, 200);
  t.match((await ask(scene, `${api}/session`, { cookie })).json, {
    by: 'person',
    name: 'alice',
    isApplicationSilent: true,
  });
});

t.test('by a reload, and over with it; without it nobody is believed', async (t) => {
  const asked = await application(t);
  const directory = mkdtempSync(join(tmpdir(), 'spliced-asked-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'spliced.toml');
  writeFileSync(file, '');
  const scene = await startWithApi(t, ['--config', file]);
  const forged = {
    'spliced-role': 'administer',
    'spliced-user': 'root',
    'spliced-authorized': '1',
    Spliced_Authorized: '1',
  };
  const isUnbelieved = async () => {
    const { json } = await ask(scene, `${api}/session`, {
      headers: forged,
      cookie: 'session=root',
    });
    t.match(json, { by: null, name: null, role: null });
    t.match(await ask(scene, `${api}/certificates`, { headers: forged }), { status: 401 });
  };
  await isUnbelieved();
  const reload = async (text: string, isDone: (status: number) => boolean) => {
    writeFileSync(file, text);
    scene.server.child.kill('SIGHUP');
    while (!isDone((await ask(scene, '/ui/')).status))
      await new Promise((resolve) => setTimeout(resolve, 50));
  };
  const table = `[api]\nauthorize = "${asked.address}"\nauthorize_path = "/check?x=1"\n`;
  await reload(table, (status) => status === 302);
  t.match(await ask(scene, `${api}/session`, { cookie: 'session=root' }), {
    json: { by: 'application', role: 'administer' },
  });
  t.equal(asked.seen.at(-1)?.url, '/check?x=1');
  await reload('', (status) => status === 200);
  await isUnbelieved();
  for (const [text, error] of [
    [table.replace(/authorize_path.*\n/, ''), /api\.authorize: needs api\.authorize_path/],
    [table.replace(/authorize = .*\n/, ''), /api\.authorize_path: needs api\.authorize/],
    [table.replace('unix:', 'http:'), /api\.authorize/],
    ['[api]\nauthorize_timeout_ms = 5\n', /api\.authorize_timeout_ms: needs api\.authorize/],
    ['[api]\nauthorize_remember_ms = 5\n', /api\.authorize_remember_ms: needs api\.authorize/],
    [`${table}authorize_timeout_ms = 0\n`, /api\.authorize_timeout_ms: must be .*1.*60000/],
    [`${table}authorize_remember_ms = 60001\n`, /api\.authorize_remember_ms: must be .*60000/],
  ] as const) {
    writeFileSync(file, text);
    t.match(await runCli(['config', 'check', '--config', file]), { code: 2, stderr: error });
  }
});
