// SPDX-License-Identifier: Apache-2.0
// An update as an operator does it on the device: a real service, and a program as the installer.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { post } from '../unit/api/client.js';
import { startWithApi } from './api.js';
import { logLines, runCli } from './server.js';

const installer = `#!/bin/sh
echo '{"percent": 50, "message": "half of it"}'
grep -q nameless "$1" && { echo "{\\"error\\": \\"$1 has no name\\"}"; exit 1; }
grep -q good "$1" || { echo '{"error": "the signature is wrong"}'; exit 1; }
cp "$1" "$0.installed"
`;

async function startUpdating(t: Test, env: NodeJS.ProcessEnv = {}) {
  const program = join(t.testdirName, 'install');
  const scene = await startWithApi(t, [], {
    SPLICED_UPDATE_ADAPTER: 'command',
    SPLICED_UPDATE_COMMAND: program,
    SPLICED_UPDATE_RESTART: 'service',
    ...env,
  });
  writeFileSync(program, installer, { mode: 0o755 });
  const bundle = join(scene.directory, 'bundle');
  writeFileSync(bundle, 'a good bundle');
  const update = (...args: string[]) => runCli(['update', ...args, ...scene.own]);
  return { ...scene, program, bundle, update };
}

t.test('installed, and restarted into', async (t) => {
  const { update, bundle, program, stateDir, server } = await startUpdating(t);
  t.match(await update(), { code: 0, stdout: /^update +idle \(command\)$/m });
  const installed = await update('install', bundle);
  t.match(installed, { code: 0, stderr: '' });
  t.match(installed.stdout, /^50 % half of it\ninstalled; it runs after: spliced update restart$/m);
  t.equal(readFileSync(`${program}.installed`, 'utf8'), 'a good bundle');
  t.same(readdirSync(join(stateDir, 'update')), ['update.json'], 'no copy is left');
  const status = JSON.parse((await update('status', '--json')).stdout);
  t.match(status, { state: 'installed', restartNeeded: true, bundle: { length: 13 } });
  t.match(await update('restart'), { code: 0 });
  const { code, stdout } = await server.ended;
  t.equal(code, 75, 'the unit starts it again');
  const events = logLines(stdout).map(({ event }) => event);
  t.ok(events.indexOf('stopped') > events.indexOf('update_restart'), 'it has drained');
});

t.test('refused in words', async (t) => {
  const { update, directory, stateDir } = await startUpdating(t);
  const bad = join(directory, 'bad');
  writeFileSync(bad, 'another');
  const refused = await update('install', bad);
  t.match(refused, { code: 1, stderr: 'spliced: the signature is wrong\n' });
  t.match(await update('status'), { stdout: /^error +the signature is wrong$/m });
  t.same(readdirSync(join(stateDir, 'update')), ['update.json']);
  const nameless = join(directory, 'a bundle');
  writeFileSync(nameless, 'nameless');
  const own = await update('install', nameless);
  t.match(own, { code: 1, stderr: `spliced: ${nameless} has no name\n` }, 'not of the copy');
  t.match(await update('status'), { stdout: /local-[0-9a-f]{8}-a_bundle/ });
  t.match(await update('install', '/nowhere'), {
    code: 2,
    stderr: 'spliced: /nowhere: there is no such file\n',
  });
  t.match(await update('install'), { code: 2, stderr: /give the file/ });
  t.match(await update('instal', bad), { code: 2, stderr: /unexpected argument/ });
  t.match(await update('instal'), { code: 2, stderr: /there are: status, install/ });
  t.match(await update('mark-good'), { code: 1, stderr: /cannot mark slots/ });
});

t.test('a setting that was read and waits for a restart', async (t) => {
  const config = join(mkdtempSync(join(tmpdir(), 'spliced-update-')), 'spliced.toml');
  t.teardown(() => rmSync(dirname(config), { recursive: true, force: true }));
  writeFileSync(config, '');
  const { server, own, local, ...scene } = await startWithApi(t, ['--config', config]);
  const update = (...args: string[]) => runCli(['update', ...args, ...own]);
  const bundle = join(scene.directory, 'bundle');
  writeFileSync(bundle, 'a bundle');
  const before = await update('install', bundle);
  t.match(before, { code: 1, stderr: /No installer is configured/ });
  t.notMatch(before.stderr, /waits/);
  writeFileSync(config, '[update]\nadapter = "command"\ncommand = ["/bin/true"]\n');
  const { restartRequired } = (await post(local, '/reload')).json;
  t.same(restartRequired, ['update.adapter', 'update.command']);
  const waits = /New values of update\.adapter, update\.command wait for a restart of the service/;
  t.match(await update('install', bundle), { code: 1, stderr: waits });
  t.match(await update('mark-good'), { code: 1, stderr: waits });
  const upload = await post(local, '/update/uploads', { name: 'x', length: 1 });
  t.match(upload.json, { detail: waits });
  server.child.kill('SIGTERM');
  await server.ended;
});

t.test('a restart of the device needs the unit', async (t) => {
  const { update } = await startUpdating(t, { SPLICED_UPDATE_RESTART: 'reboot' });
  t.match(await update('restart'), { code: 1, stderr: /has no runtime directory/ });
});

t.test('good: ready, canaries, and the index with the bytes of its file', async (t) => {
  // Of a service manager: a canary each second.
  const { update } = await startUpdating(t, { WATCHDOG_USEC: '4000000' });
  const wait = ['wait-good', '--hold-s', '3', '--within-s', '12'];
  t.match(await update(...wait), { code: 0, stderr: /good: ready, the canary has passed/ });
  const missing = await update(...wait, '--within-s', '1', '--index', '/missing');
  t.match(missing, { code: 1, stderr: /index: \/missing is answered with 404/ });
});

t.test('without canaries nothing is good', async (t) => {
  const { update } = await startUpdating(t);
  const waited = await update('wait-good', '--hold-s', '1', '--within-s', '1');
  t.match(waited, { code: 1, stderr: /not good yet: canary: .*\n.*nothing is marked/ });
  const nobody = await runCli([
    'update',
    'wait-good',
    '--within-s',
    '1',
    '--state-dir',
    '/nowhere',
  ]);
  t.match(nobody, { code: 1, stderr: /not good yet: ready: nothing serves/ });
});
