// SPDX-License-Identifier: Apache-2.0
// src/power/power.ts, src/power/request.ts: what is asked for, what refuses it, and what is said when nobody
// does it. The unit that does it is played by the test.

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { PowerDocument } from '../../../src/power/document.js';
import { Power, type PowerParts } from '../../../src/power/power.js';
import { powerUnderWay } from '../../../src/power/request.js';

function startPower(t: Test, parts: Partial<PowerParts> = {}) {
  const directory = t.testdir();
  const env = { RUNTIME_DIRECTORY: directory };
  const documents: PowerDocument[] = [];
  const lines: object[] = [];
  const note = (line: object): void => void lines.push(line);
  const stop = new AbortController();
  const power = new Power({
    env,
    bootId: 'boot-1',
    log: { info: note, error: note } as PowerParts['log'],
    stop: stop.signal,
    refusal: async () => undefined,
    onChange: (document) => documents.push(document),
    ...parts,
  });
  t.teardown(() => power.close());
  return { power, env, directory, documents, lines, stop };
}

t.test('asked for, and followed until the service ends', async (t) => {
  for (const [action, file, state, event] of [
    ['restart', 'reboot', 'restarting', 'device_restart'],
    ['power-off', 'poweroff', 'powering-off', 'device_power_off'],
  ] as const) {
    const { power, env, directory, documents, lines, stop } = startPower(t);
    t.match(power.current(), { state: 'running', draining: false, error: null, bootId: 'boot-1' });
    t.equal(powerUnderWay(env), undefined);
    t.equal(await power.ask(action), undefined);
    t.same(readdirSync(directory), [file]);
    t.equal(statSync(join(directory, file)).mode & 0o777, 0o600);
    t.same(lines, [{ event }]);
    t.match(powerUnderWay(env), /restarts|powered off/);
    t.equal(await power.ask(action), undefined, 'once more is no mistake');
    stop.abort();
    const states = documents.map(({ state, draining }) => [state, draining]);
    t.same(states.at(0), ['running', false]);
    t.same(states.at(-1), [state, true]);
  }
});

t.test('one of the two at a time', async (t) => {
  const { power, directory } = startPower(t);
  t.equal(await power.ask('power-off'), undefined);
  t.equal(await power.ask('restart'), 'The device is being powered off.');
  t.same(readdirSync(directory), ['poweroff']);
  t.equal(power.current().state, 'powering-off');
});

t.test('refused in words', async (t) => {
  const none = startPower(t, { env: {} });
  t.match(await none.power.ask('restart'), /it can restart the device only as spliced\.service\./);
  t.match(
    await none.power.ask('power-off'),
    /it can power the device off only as spliced\.service\./,
  );
  const busy = startPower(t, { refusal: async () => 'An update is being installed.' });
  t.equal(await busy.power.ask('power-off'), 'An update is being installed.');
  t.same(readdirSync(busy.directory), []);
  const gone = startPower(t, { env: { RUNTIME_DIRECTORY: '/nowhere' } });
  t.match(await gone.power.ask('power-off'), /^The power-off cannot be asked for: ENOENT/);
  for (const { power, lines } of [none, busy, gone]) {
    t.match(power.current(), { state: 'running', error: null });
    t.same(lines, []);
  }
});

t.test('nobody does it: said, and not asked for any more', async (t) => {
  for (const [action, unit] of [
    ['restart', 'spliced-reboot.path'],
    ['power-off', 'spliced-poweroff.path'],
  ] as const) {
    const { power, directory, documents, lines } = startPower(t, { patienceMs: 5 });
    t.equal(await power.ask(action), undefined);
    while (power.current().error === null) await new Promise((r) => setTimeout(r, 5));
    const error = new RegExp(`nothing has happened: is ${unit} active\\?`);
    t.match(documents.at(-1), { state: 'running', error });
    t.match(lines.at(-1), { event: 'device_power_failed', action, reason: error });
    t.same(readdirSync(directory), [], 'the unit, started later, finds nothing');
    t.equal(await power.ask(action), undefined, 'again');
    t.match(power.current(), { error: null });
  }
});

t.test('a drain that takes longer is no failure', async (t) => {
  const { power, directory, stop } = startPower(t, { patienceMs: 5 });
  t.equal(await power.ask('restart'), undefined);
  stop.abort();
  t.equal(await power.ask('restart'), undefined, 'nor is asking while it drains');
  await new Promise((r) => setTimeout(r, 30));
  t.match(power.current(), { state: 'restarting', draining: true, error: null });
  t.ok(existsSync(join(directory, 'reboot')));
});
