// SPDX-License-Identifier: Apache-2.0
// Installations that another program began: what is said, what waits and is refused meanwhile, what
// becomes of a bundle of our own, and what the next process and the next boot find.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Slot } from '../../../src/update/installer.js';
import { type Scene, settled, startScene } from './scene.js';

const slots = (booted: 'A' | 'B'): Slot[] =>
  (['A', 'B'] as const).map((bootname, i) => ({
    name: `rootfs.${i}`,
    bootname,
    state: bootname === booted ? 'booted' : 'inactive',
    status: 'good',
    version: null,
  }));

const linesOf = ({ lines }: Scene): unknown[] => lines.map(({ event, by }) => [event, by]);

t.test('begun, refused meanwhile, over', async (t) => {
  const scene = await startScene(t);
  const { manager, installer, last, lines } = scene;
  await installer.othersBegin();
  t.match(last(), { state: 'installing', begunBy: 'other', bundle: null });
  for (const refusal of [
    manager.receiveRefusal(),
    manager.install(),
    manager.restart(),
    manager.powerRefusal(),
    await manager.installFile('x.raucb'),
  ]) {
    t.match(refusal, /^Another program is installing an update: wait for its end\.$/);
  }
  installer.callbacks.onProgress({ percent: 40, message: 'Copying' });
  t.match(last(), { progress: { percent: 40, message: 'Copying' } });
  await installer.othersBegin();
  installer.callbacks.onProgress({ percent: 41, message: 'Copying' });
  t.match(last(), { progress: { percent: 41 } }, 'one at a time');
  await installer.end();
  t.match(last(), { state: 'installed', begunBy: 'other', progress: null, restartNeeded: true });
  t.match(manager.install(), /Restart the device, or send another bundle/);

  await installer.othersBegin();
  await installer.end('signature verification failed');
  t.match(last(), { state: 'failed', begunBy: 'other', error: 'signature verification failed' });
  t.equal(manager.receiveRefusal(), undefined);
  t.same(linesOf(scene), [
    ['update_started', 'another program'],
    ['update_installed', 'another program'],
    ['update_started', 'another program'],
    ['update_failed', 'another program'],
  ]);
  installer.trouble('The system bus: gone.');
  t.match(lines.at(-1), { event: 'update_installer_unavailable', reason: /gone/ });
});

t.test('a bundle of our own waits, and is lost in no case', async (t) => {
  const scene = await startScene(t);
  const { manager, installer, last } = scene;
  const bundle = scene.file('own');
  await manager.received(bundle);
  await installer.othersBegin();
  t.match(last(), { state: 'installing', begunBy: 'other', bundle: { name: 'own' } });
  await installer.end('no space left');
  t.match(last(), { state: 'failed', begunBy: 'other', bundle: { name: 'own' } });
  t.ok(bundle.isThere());
  await installer.othersBegin();
  await installer.end();
  t.match(last(), { state: 'installed', begunBy: 'other', bundle: { name: 'own' } });
  t.ok(bundle.isThere());
  t.equal(manager.install(), undefined, 'behind it, ours');
  await settled();
  t.match(last(), { state: 'installing', begunBy: 'spliced' });
  await installer.end();
  t.match(last(), { state: 'installed', begunBy: 'spliced' });
  t.notOk(bundle.isThere());
});

t.test('an upload that ends meanwhile waits', async (t) => {
  const scene = await startScene(t);
  const { manager, installer, last } = scene;
  manager.uploadChanged({ name: 'next', length: 4, offset: 2 });
  t.equal(last().begunBy, null);
  await installer.othersBegin();
  t.match(last(), { state: 'installing', upload: { offset: 2 } });
  const [first, next] = [scene.file('first'), scene.file('next')];
  await manager.received(first);
  await manager.received(next);
  t.match(last(), {
    state: 'installing',
    begunBy: 'other',
    upload: null,
    bundle: { name: 'next' },
  });
  t.notOk(first.isThere(), 'what it replaces is removed');
  t.notMatch(installer.calls, [/inspect/], 'the installer is busy');
  installer.callbacks.onProgress({ percent: 40, message: '' });
  t.match(last(), { state: 'installing', progress: { percent: 40 } });
  await installer.end();
  t.ok(manager.forget());
  t.match(last(), { state: 'installed', begunBy: 'other', bundle: null, restartNeeded: true });
  t.notOk(next.isThere());
  t.notOk(manager.forget(), 'what another program installed is not ours to discard');
  await manager.received(next);
  t.match(last(), { state: 'received', begunBy: null });
});

t.test('the next process follows it, and so does the next', async (t) => {
  const scene = await startScene(t);
  const own = scene.file('own');
  await scene.manager.received(own);
  await scene.installer.othersBegin();
  const second = await scene.next();
  t.match(second.last(), { state: 'installing', begunBy: 'other', bundle: { name: 'own' } });
  t.same(second.installer.calls.slice(0, 1), ['resume theirs']);
  const third = await second.next({ run: 'run-3' });
  t.match(third.installer.calls, ['resume theirs']);
  await third.installer.end();
  t.match(third.last(), { state: 'installed', begunBy: 'other' });
  const fourth = await third.next({ run: 'run-4' });
  t.match(fourth.last(), { state: 'installed', begunBy: 'other', restartNeeded: true });
  const after = await fourth.next({ run: 'run-5', bootId: 'boot-2' });
  t.match(after.last(), { state: 'received', begunBy: null, bundle: { name: 'own' } });
  t.ok(own.isThere());
});

t.test('the boot behind it: judged by the slots', async (t) => {
  const scene = await startScene(t);
  const { manager, installer, directory } = scene;
  installer.deviceAnswer = { compatible: 'gate', slots: slots('A') };
  await manager.current();
  await installer.othersBegin();
  const installing = readFileSync(join(directory, 'update.json'));
  await installer.end();
  const installed = readFileSync(join(directory, 'update.json'));
  manager.restart();
  const booted = { event: 'update_booted', by: 'another program', slot: 'rootfs.1' };
  const fellBack = { event: 'update_fell_back', by: 'another program', slot: 'rootfs.0' };
  for (const [record, slot, state, line] of [
    [installed, 'B', 'idle', booted],
    [installed, 'A', 'failed', fellBack],
    [installing, 'B', 'idle', booted],
    [installing, 'A', 'failed', fellBack],
  ] as const) {
    writeFileSync(join(directory, 'update.json'), record);
    installer.deviceAnswer = { compatible: 'gate', slots: slots(slot) };
    const loadInstaller = async () => installer;
    const after = await scene.next({ bootId: 'boot-2', loadInstaller });
    await settled();
    t.match(after.last(), { state, begunBy: state === 'idle' ? null : 'other' });
    t.match(after.lines.at(-1), line);
  }
});

t.test('while the device restarts nobody else is listened to', async (t) => {
  const env = { RUNTIME_DIRECTORY: t.testdir() };
  const { signal: stop } = new AbortController();
  const restart = { kind: 'reboot' as const, env, endForRestart: () => {}, stop };
  const { manager, installer, last } = await startScene(t, { restart });
  t.equal(manager.restart(), undefined);
  await installer.othersBegin();
  t.equal(last().state, 'restarting');
});

t.test('ours is not taken for another one', async (t) => {
  const scene = await startScene(t);
  await scene.manager.received(scene.file());
  scene.manager.install();
  await settled();
  await scene.installer.othersBegin();
  t.match(scene.last(), { state: 'installing', begunBy: 'spliced' });
  await scene.installer.end();
  t.match(scene.last(), { state: 'installed', begunBy: 'spliced' });
});
