// SPDX-License-Identifier: Apache-2.0
// Restart and power-off of the device as an operator asks for them: a real service, and the unit of
// systemd's played by the test. test/guest/systemd.test.ts has the real ones.

import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { ask, post } from '../unit/api/client.js';
import { startWithApi } from './api.js';
import { logLines, runCli } from './server.js';

async function startDevice(t: Test, env: NodeJS.ProcessEnv = {}) {
  const runtime = mkdtempSync(join(tmpdir(), 'spliced-runtime-'));
  t.teardown(() => rmSync(runtime, { recursive: true, force: true }));
  const scene = await startWithApi(t, [], { RUNTIME_DIRECTORY: runtime, ...env });
  const device = (...args: string[]) => runCli(['device', ...args, ...scene.own]);
  return { ...scene, runtime, device };
}

t.test('asked for, drained, and told', async (t) => {
  for (const [action, file, event, id] of [
    ['restart', 'reboot', 'device_restart', 'SPLICED-DEVICE-RESTART'],
    ['power-off', 'poweroff', 'device_power_off', 'SPLICED-DEVICE-POWER-OFF'],
  ] as const) {
    const { device, runtime, server, local } = await startDevice(t);
    const asked = device(action);
    while (!existsSync(join(runtime, file))) await setTimeout(20);
    t.match((await ask(local, '/device')).json, { draining: false, error: null });
    server.child.kill('SIGTERM'); // As systemd/spliced-*.service has it.
    t.match(await asked, { code: 0, stdout: /finishes what is active; then the device/ });
    const { code, stdout } = await server.ended;
    t.equal(code, 0);
    const lines = logLines(stdout);
    t.match(
      lines.find((line) => line.event === event),
      { securityEvent: id },
    );
    t.match(
      lines.find((line) => line.event === 'api_changed'),
      { who: 'local', method: 'POST', path: `/.spliced/api/v1/device/${action}`, status: 202 },
      'with who has asked',
    );
    const events = lines.map((line) => line.event);
    t.ok(events.indexOf('stopped') > events.indexOf(event));
  }
});

t.test('refused in words', async (t) => {
  const { device, runtime, local } = await startDevice(t, { RUNTIME_DIRECTORY: '' });
  t.match(await device('restart'), { code: 1, stderr: /has no runtime directory/ });
  t.match(await device('power-off'), { code: 1, stderr: /has no runtime directory/ });
  t.same(readdirSync(runtime), []);
  t.match(await device(), { code: 2, stderr: /say what; there are: restart, power-off/ });
  t.match(await device('poweroff'), { code: 2, stderr: /there is no device poweroff; there are/ });
  t.match(await device('restart', 'now'), { code: 2, stderr: /unexpected argument "now"/ });
  t.match((await post(local, '/device/power-off', { now: true })).json, { status: 400 });
});

t.test('from the network: nobody without a credential', async (t) => {
  const { proxy, runtime } = await startDevice(t);
  const stranger = { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'https' };
  const json = { 'content-type': 'application/json' };
  for (const path of ['/device/restart', '/device/power-off']) {
    const asked = { method: 'POST', body: '{}', headers: { ...stranger, ...json } };
    t.equal((await ask(proxy, path, asked)).status, 401);
    // Nor from the device itself, by its own loopback.
    asked.headers['x-forwarded-for'] = '127.0.0.1';
    t.equal((await ask(proxy, path, asked)).status, 401);
  }
  t.same(readdirSync(runtime), []);
});
