// SPDX-License-Identifier: Apache-2.0
// The state of an update, from the upload to the boot after it: what is said, what is refused, what
// the next process finds.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Slot } from '../../../src/update/installer.js';
import { settled, startScene } from './scene.js';

const slots = (booted: 'A' | 'B'): Slot[] =>
  (['A', 'B'] as const).map((bootname, i) => ({
    name: `rootfs.${i}`,
    bootname,
    state: bootname === booted ? 'booted' : 'inactive',
    status: 'good',
    version: null,
  }));

t.test('received, installed, restarted into', async (t) => {
  const directory = t.testdir();
  const env = { RUNTIME_DIRECTORY: directory };
  const restart = {
    kind: 'reboot' as const,
    env,
    endForRestart: () => {},
    stop: new AbortController().signal,
  };
  const scene = await startScene(t, { restart });
  const { manager, installer, last, lines, documents } = scene;
  installer.deviceAnswer = { compatible: 'gate', slots: slots('A') };
  t.match(last(), { state: 'idle', upload: null, bundle: null, restartNeeded: false });
  manager.uploadChanged({ name: 'bundle', length: 6, offset: 3 });
  t.match(last(), { state: 'receiving', upload: { offset: 3 } });
  const file = scene.file();
  await manager.received(file);
  t.match(last(), { state: 'received', upload: null, bundle: { name: 'bundle', version: '2' } });
  t.notMatch(JSON.stringify(last()), /\.part/, 'a path is nobody else his business');

  t.equal(manager.install(), undefined);
  await settled();
  t.match(last(), { state: 'installing', progress: { percent: 0 } });
  t.match(manager.install(), /wait for its end/);
  t.match(manager.restart(), /wait for its end/);
  t.match(manager.receiveRefusal(), /wait for its end/);
  t.notOk(manager.forget());
  installer.callbacks.onProgress({ percent: 40, message: 'Copying' });
  t.match(last(), { progress: { percent: 40, message: 'Copying' } });
  await installer.end();
  t.match(last(), { state: 'installed', progress: null, error: null, restartNeeded: true });
  t.notOk(file.isThere(), 'the bundle is removed');
  t.match(manager.install(), /Restart the device/);

  t.equal(manager.restart(), undefined);
  t.equal(last().state, 'restarting');
  t.ok(existsSync(join(directory, 'reboot')), 'asked for by a file');
  t.match(manager.receiveRefusal(), /restarts/);
  const told = documents.map(({ state }) => state).filter((state, i, all) => state !== all[i - 1]);
  t.same(told, ['idle', 'receiving', 'received', 'installing', 'installed', 'restarting']);
  t.same(
    lines.map(({ event }) => event),
    ['update_received', 'update_started', 'update_installed', 'update_restart'],
  );

  const after = await scene.next({ bootId: 'boot-2' });
  t.match(after.last(), { state: 'idle', bundle: null, bootId: 'boot-2' });
});

t.test('the boot loader has fallen back', async (t) => {
  const scene = await startScene(t);
  scene.installer.deviceAnswer = { compatible: 'gate', slots: slots('A') };
  await scene.manager.received(scene.file());
  scene.manager.install();
  await settled();
  await scene.installer.end();
  t.match(await scene.manager.current(), { state: 'installed' });
  for (const [booted, expected] of [
    ['B', { state: 'idle', error: null }],
    ['A', { state: 'failed', error: /runs rootfs\.0 as before.* fallen back/ }],
  ] as const) {
    const record = readFileSync(join(scene.directory, 'update.json'));
    scene.installer.deviceAnswer = { compatible: 'gate', slots: slots(booted) };
    const loadInstaller = async () => scene.installer;
    const after = await scene.next({ bootId: 'boot-2', loadInstaller });
    t.match(await after.manager.current(), expected, booted);
    writeFileSync(join(scene.directory, 'update.json'), record);
  }
});

t.test('a bundle that is refused, and then again', async (t) => {
  const { manager, installer, last, file, lines } = await startScene(t);
  installer.refusal = 'signature verification failed';
  const bad = file('bad');
  await manager.received(bad);
  t.match(last(), { state: 'failed', error: 'signature verification failed' });
  t.match(lines.at(-1), { event: 'update_failed', reason: /signature/ });
  t.notOk(
    installer.calls.some((call) => call.startsWith('install')),
    'before anything is written',
  );
  installer.refusal = undefined;
  const good = file('good');
  await manager.received(good);
  t.notOk(bad.isThere(), 'what it replaces is removed');
  manager.install();
  await settled();
  await installer.end('no space left');
  t.match(last(), { state: 'failed', error: 'no space left', restartNeeded: false });
  t.ok(good.isThere(), 'it can be tried again');
  t.equal(manager.install(), undefined);
  await settled();
  await installer.end();
  t.equal(last().state, 'installed');
});

t.test('what is given up is removed', async (t) => {
  const { manager, last, file } = await startScene(t);
  t.notOk(manager.forget());
  const bundle = file();
  await manager.received(bundle);
  t.ok(manager.forget());
  t.notOk(bundle.isThere());
  t.match(last(), { state: 'idle', bundle: null });
  t.match(manager.install(), /upload a bundle first/);
});

t.test('an installation that goes on without us is followed again', async (t) => {
  const scene = await startScene(t);
  await scene.manager.received(scene.file());
  scene.manager.install();
  await settled();
  scene.installer.callbacks.onToken(':1.7');
  const after = await scene.next();
  t.ok(scene.installer.isClosed);
  t.same(after.installer.calls, ['resume :1.7']);
  t.match(after.last(), { state: 'installing', bundle: { name: 'bundle' } });
  await after.installer.end();
  t.equal(after.last().state, 'installed');
  const again = await after.next();
  t.match(again.last(), { state: 'installed', restartNeeded: true }, 'the same boot');
});

t.test('one that ended with us has failed', async (t) => {
  const scene = await startScene(t);
  await scene.manager.received(scene.file());
  scene.manager.install();
  await settled();
  const after = await scene.next();
  t.match(after.last(), { state: 'failed', error: /./ });
  const third = await startScene(t, {}, join(t.testdir(), 'other'));
  await third.manager.received(third.file());
  third.manager.install();
  await settled();
  third.installer.callbacks.onToken(':1.7');
  const booted = await third.next({ bootId: 'boot-2' });
  t.match(booted.last(), { state: 'failed', error: /device ended during/ }, 'a power cut');
});

t.test('restarts: by whom, and when nobody does it', async (t) => {
  const at = (kind: 'service' | 'none' | 'reboot', more = {}) =>
    startScene(t, {
      restart: {
        kind,
        env: {},
        endForRestart: () => ended.push(kind),
        stop: new AbortController().signal,
      },
      ...more,
    });
  const ended: string[] = [];
  t.match((await at('none')).manager.restart(), /update\.restart is "none"/);
  t.match((await at('reboot')).manager.restart(), /has no runtime directory/);
  const service = await at('service');
  t.equal(service.manager.restart(), undefined);
  t.same(ended, ['service']);
  t.equal((await service.next()).last().state, 'idle');

  const env = { RUNTIME_DIRECTORY: t.testdir() };
  const restart = {
    kind: 'reboot' as const,
    env,
    endForRestart: () => {},
    stop: new AbortController().signal,
  };
  const scene = await startScene(t, { restart, restartPatienceMs: 5 });
  scene.manager.restart();
  while (scene.last().state === 'restarting') await new Promise((r) => setTimeout(r, 5));
  t.match(scene.last(), { state: 'failed', error: /spliced-reboot\.path/ });
});

t.test('without an adapter nothing is begun', async (t) => {
  const loadInstaller = () => Promise.reject(new Error('never asked for'));
  const { manager } = await startScene(t, { adapter: 'none', loadInstaller });
  t.match(await manager.current(), { adapter: 'none', state: 'idle', slots: [] });
  t.match(manager.receiveRefusal(), /set update\.adapter/);
  t.match(manager.install(), /set update\.adapter/);
  await t.rejects(manager.mark('a', 'good'), /cannot mark/);
});

t.test('slots are looked at when they are asked for', async (t) => {
  const { manager, installer, lines } = await startScene(t);
  t.same(installer.calls, [], 'not at the start');
  await Promise.all([manager.current(), manager.current()]);
  await manager.current();
  t.same(installer.calls, ['device'], 'once for all who ask');
  t.equal(await manager.mark('rootfs.0', 'good'), 'marked rootfs.0 good');
  t.same(installer.calls, ['device', 'device'], 'anew after a mark');
  t.match(lines.at(-1), { event: 'slot_marked', slot: 'rootfs.0', mark: 'good' });
  await t.rejects(manager.mark('nowhere', 'bad'), /no such slot/);
});

t.test('a file of the directory', async (t) => {
  const scene = await startScene(t);
  const { manager, installer, directory, last } = scene;
  mkdirSync(join(directory, 'folder'), { recursive: true });
  writeFileSync(join(directory, 'local'), 'bundle');
  symlinkSync('/etc/passwd', join(directory, 'link'));
  for (const bad of ['../update/local', '/etc/passwd', '.', '', 'update.json', 'a/b', '.local']) {
    t.match(await manager.installFile(bad), /no file of the update's directory/, bad);
  }
  t.match(await manager.installFile('absent'), /ENOENT/);
  t.match(await manager.installFile('link'), /ELOOP/);
  t.match(await manager.installFile('folder'), /no ordinary file/);
  installer.refusal = 'wrong compatible';
  t.equal(await manager.installFile('local'), 'wrong compatible');
  installer.refusal = undefined;
  t.equal(await manager.installFile('local'), undefined);
  await settled();
  const sha256 = createHash('sha256').update('bundle').digest('hex');
  t.match(last(), { state: 'installing', bundle: { name: 'local', length: 6, sha256 } });
  await installer.end();
});

t.test('the record: for its owner alone, and what is broken is nothing', async (t) => {
  const scene = await startScene(t);
  await scene.manager.received(scene.file());
  const path = join(scene.directory, 'update.json');
  t.equal(statSync(path).mode & 0o777, 0o600);
  for (const text of ['', '{', '[]', '{"state":1}']) {
    writeFileSync(path, text);
    t.match((await scene.next()).last(), { state: 'idle', bundle: null }, text);
  }
});
