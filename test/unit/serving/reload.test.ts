// SPDX-License-Identifier: Apache-2.0
// Reload as a transaction, with participants and a supervisor that write down what they are told:
// all of a good configuration, nothing of a bad one, and one run for requests that come together.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { StartError } from '../../../src/base/start-error.js';
import { loadConfiguration } from '../../../src/config/configuration.js';
import { schema, settingsOf } from '../../../src/config/schema.js';
import type { Log } from '../../../src/log/log.js';
import { changedKeys, type Participant, Reloader } from '../../../src/serving/reload.js';

interface Scene {
  /** Everything that happened, in order. */
  calls: string[];
  log: Record<string, unknown>[];
  write(text: string): void;
  reloader: Reloader;
}

/** Two participants, whose prepare and commit can be told to fail. */
function scene(t: Test, change: Partial<Record<string, () => void | Promise<void>>> = {}): Scene {
  const config = join(t.testdir(), 'spliced.toml');
  const calls: string[] = [];
  const lines: Record<string, unknown>[] = [];
  const write = (text: string): void => writeFileSync(config, text);
  const load = () => loadConfiguration({ config }, { env: {} });
  const step = (name: string): void | Promise<void> => {
    calls.push(name);
    return change[name]?.();
  };
  const participant = (name: string): Participant => ({
    prepare: async ({ configuration }) => {
      await step(`${name}.prepare`);
      return {
        commit: () => void step(`${name}.commit ${configuration.logLevel}`),
        rollBack: () => void step(`${name}.rollBack`),
      };
    },
  });
  write('');
  const reloader = new Reloader({
    running: load(),
    load,
    check: (next) => (next.configuration.root === '/bad' ? [{ text: 'root: is bad' }] : []),
    participants: [participant('one'), participant('two')],
    supervisor: {
      reloading: async () => void calls.push('reloading'),
      ready: async (status) => void calls.push(`ready ${status}`),
    },
    status: (refused: number) => (refused ? `Serving; refused ${refused}` : 'Serving'),
    log: {
      info: (line: object) => lines.push({ level: 'info', ...line }),
      warn: (line: object) => lines.push({ level: 'warn', ...line }),
      error: (line: object) => lines.push({ level: 'error', ...line }),
    } as unknown as Log,
  });
  return { calls, log: lines, write, reloader };
}

const refused = (errors: number) => `ready Serving; refused ${errors}`;

t.test('a good configuration', async (t) => {
  const { calls, log, write, reloader } = scene(t);
  write('root = "/new"\n[log]\nlevel = "warn"\n[timeouts]\nstop_ms = 5\nidle_ms = 5\n');
  const outcome = await reloader.request();
  const prepared = ['reloading', 'one.prepare', 'two.prepare'];
  t.same(calls, [...prepared, 'one.commit warn', 'two.commit warn', 'ready Serving']);
  const applied = ['timeouts.stop_ms', 'log.level'];
  const restart = ['root', 'timeouts.idle_ms'];
  t.same(log, [{ level: 'info', event: 'reloaded', applied, restart_required: restart }]);
  t.same(outcome, { errors: [], applied, restartRequired: restart });
  t.same(reloader.waiting, restart);
  t.equal(reloader.running.settings.get('log.level')?.value, 'warn');
  t.equal(reloader.running.settings.get('root')?.value, './public', 'until the restart');

  await reloader.request();
  t.match(log.at(-1), { applied: [], restart_required: restart }, 'a restart is still due');
  write('log.level = "warn"\n');
  await reloader.request();
  t.match(log.at(-1), { applied: ['timeouts.stop_ms'], restart_required: [] }, 'as it runs');
});

t.test('a bad one changes nothing and is told with every error', async (t) => {
  const { calls, log, write, reloader } = scene(t);
  write('rooot = 1\n[log]\nlevel = "loud"\n');
  const outcome = await reloader.request();
  t.match(outcome?.errors, [{ key: 'rooot' }, { key: 'log.level', origin: { line: 3 } }]);
  t.same(calls, ['reloading', refused(2)]);
  t.match(log, [
    { level: 'error', event: 'reload_failed', errors: [/:1: rooot/, /:3: log.level/] },
  ]);
  t.equal(log.length, 1);
  write('log.level = "warn"\n');
  await reloader.request();
  t.match(log.at(-1), { event: 'reloaded', applied: ['log.level'] }, 'a later good one works');
});

t.test('what the system or a participant refuses', async (t) => {
  const bad = scene(t);
  bad.write('root = "/bad"\n');
  await bad.reloader.request();
  t.same(bad.calls, ['reloading', refused(1)]);
  t.match(bad.log, [{ event: 'reload_failed', errors: ['root: is bad'] }]);

  const unprepared = scene(t, {
    'two.prepare': () => {
      throw new StartError('the key does not match');
    },
  });
  await unprepared.reloader.request();
  t.same(unprepared.calls, ['reloading', 'one.prepare', 'two.prepare', refused(1)]);
  t.match(unprepared.log, [{ event: 'reload_failed', errors: ['the key does not match'] }]);
});

t.test('a commit that fails takes back those before it', async (t) => {
  const { calls, log, write, reloader } = scene(t, {
    'two.commit warn': () => {
      throw new Error('ECERTIFICATE');
    },
  });
  write('log.level = "warn"\n');
  await reloader.request();
  const commits = ['one.commit warn', 'two.commit warn', 'one.rollBack'];
  t.same(calls.slice(3), [...commits, refused(1)]);
  t.match(log, [{ event: 'reload_failed', errors: ['ECERTIFICATE'] }]);
  write('log.level = "error"\n');
  await reloader.request();
  t.match(log.at(-1), { applied: ['log.level'] });
});

t.test('requests that come together become one more run', async (t) => {
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { calls, log, write, reloader } = scene(t, { 'one.prepare': () => held });
  const first = reloader.request();
  await new Promise(setImmediate);
  write('log.level = "warn"\n');
  const others = [reloader.request(), reloader.request(), reloader.request()];
  release();
  await Promise.all([first, ...others]);
  t.equal(calls.filter((call) => call === 'reloading').length, 2);
  t.equal(log.length, 2);
  t.match(log.at(-1), { applied: ['log.level'] }, 'the last run read what was written last');
  await reloader.request();
  t.equal(log.length, 3, 'and it works again afterwards');
});

t.test('nothing is committed once the service stops', async (t) => {
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { calls, log, reloader } = scene(t, { 'two.prepare': () => held });
  const request = reloader.request();
  await new Promise(setImmediate);
  reloader.close();
  release();
  await request;
  await reloader.request();
  t.same(calls, ['reloading', 'one.prepare', 'two.prepare']);
  t.same(log, []);
});

t.test('which settings are live', async (t) => {
  const live = [...settingsOf(schema)].filter(([, { isLive }]) => isLive).map(([key]) => key);
  t.same(live, [
    'tls.certificate',
    'tls.private_key',
    'tls.authority_key',
    'tls.make_private_key',
    'tls.more_certificates',
    ...[...settingsOf(schema).keys()].filter((key) => key.startsWith('enrolment.')),
    'client_certificates.ca',
    'client_certificates.crl',
    'client_certificates.require',
    'api.client_certificates',
    'api.authorize',
    'api.authorize_path',
    'api.authorize_timeout_ms',
    'api.authorize_remember_ms',
    'ui.enabled',
    'timeouts.stop_ms',
    'log.level',
  ]);
  const load = (options: Record<string, string | string[]>) =>
    loadConfiguration(options, { env: {}, defaultPath: '/nonexistent/x.toml' });
  t.same(changedKeys(load({}), load({ listen: ['0.0.0.0:8443'] })), { live: [], restart: [] });
  const pair = { certificate: 'c', 'private-key': 'k', listen: ['[::]:1'] };
  t.same(changedKeys(load({}), load(pair)), {
    live: ['tls.certificate', 'tls.private_key'],
    restart: ['listen'],
  });
});
