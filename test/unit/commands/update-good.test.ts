// SPDX-License-Identifier: Apache-2.0
// `spliced update wait-good`: which file an index is, and what keeps an update from being good, with a
// service that answers as the test says.

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { issueCertificate } from '../../../src/certificates/issue.js';
import { fileOf as fileFor } from '../../../src/commands/index-check.js';
import { ServiceDirectory } from '../../../src/commands/service-directory.js';
import { waitUntilGood } from '../../../src/commands/update-good.js';
import { loadConfiguration } from '../../../src/config/configuration.js';
import { startScene } from '../api/scene.js';
import { statusJson } from '../api/status.js';

const fileOf = (...args: Parameters<typeof fileFor>) => fileFor(...args)?.path;

const route = (path: string, more = {}) => ({
  path,
  host: '',
  action: 'static',
  root: '',
  index: 'index.html',
  ...more,
});

t.test('without routes', async (t) => {
  t.equal(fileOf('/', '/srv', []), '/srv/index.html');
  t.equal(fileOf('/ui/', '/srv', []), '/srv/ui/index.html');
  t.equal(fileOf('/a.js', '/srv', []), '/srv/a.js');
});

t.test('by the longest route, in whole segments', async (t) => {
  const routes = [
    route('/', { index: 'main.html' }),
    route('/ui', { root: '/data/ui' }),
    route('/ui', { root: '/data/other', host: 'other.example' }),
    route('/api', { action: 'respond' }),
  ];
  t.equal(fileOf('/', '/srv', routes), '/srv/main.html');
  t.equal(fileOf('/ui/', '/srv', routes), '/data/ui/index.html');
  t.equal(fileOf('/ui/a.js', '/srv', routes), '/data/ui/a.js');
  t.equal(fileOf('/uix/', '/srv', routes), '/srv/uix/main.html');
  t.equal(fileOf('/api', '/srv', routes), undefined, 'no file');
  t.equal(fileOf('/x', '/srv', [route('/ui')]), undefined, 'no route');
});

/** A service whose parts can be made wrong. */
async function startService(t: Test) {
  const now = {
    body: 'the page',
    canary: { ok: 0, failed: 0, lastMs: 0, lastError: '' },
    missing: [] as string[],
    fingerprint: '',
    index: '/',
    env: {} as NodeJS.ProcessEnv,
    root: '',
  };
  const status = () => {
    now.canary.ok += 1; // One has come back since the last time.
    const { canary, missing } = now;
    return JSON.stringify({ ...JSON.parse(statusJson), canary, watchdog: { missing } });
  };
  const served = () => [{ fingerprint: now.fingerprint }];
  const certificates = { list: () => ({ served: served(), waiting: [] }) };
  const configuration = {
    effective: () =>
      JSON.stringify({ files: [], settings: { root: { value: now.root || directory } } }),
  };
  const scene = await startScene(t, {
    service: { status, certificates, configuration } as never,
  });
  const { directory } = scene;
  writeFileSync(join(directory, 'index.html'), 'the page');
  const pair = await issueCertificate(
    { commonName: 'gate', dns: ['gate'], ip: [] },
    Date.now() - 60_000,
  );
  now.fingerprint = new X509Certificate(pair.certificate).fingerprint256;
  const server = createServer({ cert: pair.certificate, key: pair.privateKey }, (_, response) => {
    response.end(now.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const listeners = [{ address: '127.0.0.1', port }];
  const state = { pid: process.pid, startTicks: '1', listeners };
  const opened = ServiceDirectory.open(directory);
  if (opened === undefined) throw new Error('no directory');
  const uid = process.getuid?.() ?? 0;
  const wait = async (withinMs: number, holdMs = 20) => {
    const said: string[] = [];
    const parts = { holdMs, withinMs, index: now.index, say: (text: string) => said.push(text) };
    const code = await waitUntilGood({
      ...parts,
      find: () => ({ directory: opened, state }),
      processOf: async () => ({ pid: process.pid, startTicks: '1', uid }),
      own: loadConfiguration({}, { env: now.env, defaultPath: join(directory, 'none.toml') }),
    });
    return { code, said };
  };
  return { now, wait, listeners, directory };
}

t.test('each condition, in words', async (t) => {
  const { now, wait } = await startService(t);
  t.match(await wait(5_000), { code: 0, said: [/^good: ready/] });
  now.body = 'the pago';
  t.match(await wait(1), { code: 1, said: [/not good yet: index: \/ has other bytes than/, /./] });
  now.body = 'the page';
  const { fingerprint } = now;
  now.fingerprint = 'AB';
  t.match(await wait(1), { code: 1, said: [/index: another certificate answers/, /nothing is/] });
  now.fingerprint = fingerprint;
  now.missing = ['engine'];
  t.match(await wait(1), { code: 1, said: [/watchdog: it waits for engine/, /nothing is marked/] });
  now.missing = [];
  const failing = setInterval(() => {
    now.canary.failed += 1;
    now.canary.lastError = 'wrong bytes';
  }, 5);
  const failed = await wait(800, 500);
  clearInterval(failing);
  t.match(failed.said[0], /canary: wrong bytes/);
  t.match(await wait(5_000), { code: 0 }, 'and good again');
});

t.test('what the service names is not believed', async (t) => {
  const { now, wait, listeners, directory } = await startService(t);
  const fault = async () => (await wait(1)).said[0];
  t.match(await wait(5_000), { code: 0 });
  const [listener] = listeners;
  const isPlace = { ...listener };
  Object.assign(listener ?? {}, { address: '192.0.2.1' });
  t.match(await fault(), /index: 192\.0\.2\.1:\d+: nothing on this device listens there/);
  Object.assign(listener ?? {}, isPlace);
  now.env = { SPLICED_ROOT: '/srv/www' };
  t.match(await fault(), /another "root" than the configuration of this command/);
  now.env = { SPLICED_ROOT: directory };
  t.match(await wait(5_000), { code: 0 }, 'the two agree');
  now.env = {};
  now.root = join(directory, 'page');
  mkdirSync(now.root);
  symlinkSync(join(directory, 'index.html'), join(now.root, 'index.html'));
  t.match(await fault(), /index\.html is not beneath /, 'a link out of the root');
  now.root = '/proc/self';
  now.index = '/../../dev/zero';
  t.match(await fault(), /is not beneath|no such file|answered with/);
});
