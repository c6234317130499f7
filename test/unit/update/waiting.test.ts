// SPDX-License-Identifier: Apache-2.0
// Bundles that arrive while another one is in use: being installed, read, or what the next boot is judged
// by. Neither is lost, and each outcome is told of the one that it is about.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Scene, settled, startScene } from './scene.js';

/** The first is being installed, and the next has come. */
async function startBoth(t: Test) {
  const scene = await startScene(t);
  const [first, next] = [scene.file('first'), scene.file('next')];
  await scene.manager.received(first);
  t.equal(scene.manager.install(), undefined);
  await settled();
  await scene.manager.received(next);
  return { ...scene, scene, first, next };
}

const recordOf = ({ directory }: Pick<Scene, 'directory'>) =>
  JSON.parse(readFileSync(join(directory, 'update.json'), 'utf8'));

t.test('an upload that ends during our own installation waits', async (t) => {
  const { manager, installer, last, lines, first, next } = await startBoth(t);
  t.match(last(), {
    state: 'installing',
    begunBy: 'spliced',
    upload: null,
    bundle: { name: 'first' },
    waiting: { name: 'next' },
  });
  t.notMatch(JSON.stringify(last()), /\.part/, 'a path is nobody else his business');
  t.ok(first.isThere(), 'the installer reads it');
  t.notMatch(installer.calls, [/inspect.*next/], 'the installer is busy');
  installer.callbacks.onProgress({ percent: 40, message: '' });
  t.match(last(), { state: 'installing', progress: { percent: 40 } });
  await installer.end();
  t.match(last(), {
    state: 'installed',
    bundle: { name: 'first' },
    waiting: { name: 'next' },
    restartNeeded: true,
  });
  t.match(lines.at(-1), { event: 'update_installed', name: 'first' });
  t.same([first.isThere(), next.isThere()], [false, true]);

  t.equal(manager.install(), undefined, 'behind it, the next');
  await settled();
  t.equal(installer.calls.at(-1), `install ${next.path}`);
  t.match(last(), { state: 'installing', bundle: { name: 'next' }, waiting: null });
  await installer.end();
  t.match(last(), { state: 'installed', bundle: { name: 'next' }, waiting: null });
  t.notOk(next.isThere());
  t.match(manager.install(), /Restart the device/);
});

t.test('the first fails', async (t) => {
  const { manager, installer, last, lines, first, next } = await startBoth(t);
  await installer.end('no space left');
  t.match(last(), {
    state: 'failed',
    error: 'no space left',
    bundle: { name: 'first' },
    waiting: { name: 'next' },
  });
  t.match(lines.at(-1), { event: 'update_failed', name: 'first' });
  t.same([first.isThere(), next.isThere()], [true, true]);
  t.equal(manager.install(), undefined);
  t.notOk(first.isThere(), 'the newer one replaces it');
  t.match(last(), { state: 'installing', bundle: { name: 'next' }, waiting: null, error: null });
  await settled();
  t.equal(installer.calls.at(-1), `install ${next.path}`);
});

t.test('it is discarded, and the first goes on', async (t) => {
  const { manager, installer, last, first, next } = await startBoth(t);
  t.ok(manager.forget());
  t.match(last(), { state: 'installing', bundle: { name: 'first' }, waiting: null });
  t.same([first.isThere(), next.isThere()], [true, false]);
  t.notOk(manager.forget(), 'what is being installed stays');
  await installer.end('no space left');
  t.equal(manager.install(), undefined, 'it can be tried again');
  await settled();
  t.equal(installer.calls.at(-1), `install ${first.path}`);
});

t.test('a third one, and the same ones again', async (t) => {
  const { manager, scene, installer, last, first, next } = await startBoth(t);
  const third = scene.file('third');
  await manager.received(third);
  t.match(last(), { bundle: { name: 'first' }, waiting: { name: 'third' } });
  t.same(
    [first, next, third].map((one) => one.isThere()),
    [true, false, true],
  );
  await manager.received(first);
  t.match(
    last(),
    { bundle: { name: 'first' }, waiting: { name: 'third' } },
    'it is being installed',
  );
  await manager.received(third);
  t.match(last(), { bundle: { name: 'first' }, waiting: { name: 'third' } });
  t.same(
    [first, third].map((one) => one.isThere()),
    [true, true],
  );
  await installer.end();
  // Told again by the next process, when this one ended before it could forget the upload.
  await manager.received(third);
  t.match(last(), { state: 'installed', bundle: { name: 'first' }, waiting: { name: 'third' } });
  const fourth = scene.file('fourth');
  await manager.received(fourth);
  t.match(last(), { state: 'received', bundle: { name: 'fourth' }, waiting: null });
  t.same(
    [third, fourth].map((one) => one.isThere()),
    [false, true],
  );
});

t.test('the service ends in between', async (t) => {
  const { scene, installer, next } = await startBoth(t);
  installer.callbacks.onToken(':1.7');
  const second = await scene.next();
  t.same(second.installer.calls, ['resume :1.7']);
  t.match(second.last(), {
    state: 'installing',
    bundle: { name: 'first' },
    waiting: { name: 'next' },
  });
  await second.manager.received(next);
  t.match(second.last(), { bundle: { name: 'first' }, waiting: { name: 'next' } });
  await second.installer.end();
  const third = await second.next({ run: 'run-3' });
  t.match(third.last(), {
    state: 'installed',
    bundle: { name: 'first' },
    waiting: { name: 'next' },
  });
  const after = await third.next({ run: 'run-4', bootId: 'boot-2' });
  t.match(after.last(), { state: 'received', bundle: { name: 'next' }, waiting: null });
  t.ok(next.isThere());
});

t.test('the service ends, and the installation with it', async (t) => {
  const { scene, first, next } = await startBoth(t);
  const record = readFileSync(join(scene.directory, 'update.json'));
  const second = await scene.next();
  t.match(second.last(), { state: 'failed', bundle: { name: 'first' }, waiting: { name: 'next' } });
  writeFileSync(join(scene.directory, 'update.json'), record);
  const booted = await second.next({ run: 'run-3', bootId: 'boot-2' });
  t.match(booted.last(), { state: 'failed', bundle: { name: 'first' }, waiting: { name: 'next' } });
  t.same([first.isThere(), next.isThere()], [true, true]);
});

t.test('another program begins behind it', async (t) => {
  for (const refusal of [undefined, 'no space left']) {
    const { scene, manager, installer, last, first, next } = await startBoth(t);
    await installer.end(refusal);
    await installer.othersBegin();
    t.match(last(), {
      state: 'installing',
      begunBy: 'other',
      bundle: { name: 'next' },
      waiting: null,
    });
    t.same([first.isThere(), next.isThere()], [false, true]);
    const third = scene.file('third');
    await manager.received(third);
    t.match(last(), { begunBy: 'other', bundle: { name: 'third' }, waiting: null });
    t.notOk(next.isThere());
    await installer.end();
    t.match(last(), { state: 'installed', begunBy: 'other', bundle: { name: 'third' } });
  }
});

t.test('what is installed already does not wait behind another program', async (t) => {
  const { manager, installer, last, file } = await startScene(t);
  await manager.received(file());
  manager.install();
  await settled();
  await installer.end();
  await installer.othersBegin();
  t.match(last(), { state: 'installing', begunBy: 'other', bundle: null });
});

const withRestart = (t: Test) => ({
  kind: 'reboot' as const,
  env: { RUNTIME_DIRECTORY: t.testdir() },
  endForRestart: () => {},
  stop: new AbortController().signal,
});

t.test('an upload that ends while the device restarts', async (t) => {
  const slots = (['A', 'B'] as const).map((bootname, i) => ({
    name: `rootfs.${i}`,
    bootname,
    state: bootname === 'A' ? ('booted' as const) : ('inactive' as const),
    status: 'good' as const,
    version: null,
  }));
  const restart = withRestart(t);
  const scene = await startScene(t, { restart }, join(t.testdir(), 'update'));
  const { manager, installer, last } = scene;
  installer.deviceAnswer = { compatible: 'gate', slots };
  await manager.received(scene.file('first'));
  manager.install();
  await settled();
  await installer.end();
  await manager.current();
  t.equal(manager.restart(), undefined);
  const next = scene.file('next');
  await manager.received(next);
  t.match(last(), { state: 'restarting', bundle: { name: 'first' }, waiting: { name: 'next' } });
  t.equal(manager.restart(), undefined, 'it has begun');
  t.match(recordOf(scene), {
    state: 'restarting',
    bundle: { name: 'first' },
    bootedSlot: 'rootfs.0',
  });
  const loadInstaller = async () => installer;
  const after = await scene.next({ bootId: 'boot-2', loadInstaller });
  await settled();
  t.match(after.lines.at(-1), { event: 'update_fell_back', name: 'first' }, 'it is still judged');
  t.match(after.last(), { state: 'failed', bundle: { name: 'next' }, waiting: null });
  t.ok(next.isThere());
});

t.test('what was not installed survives a restart', async (t) => {
  const restart = withRestart(t);
  const scene = await startScene(t, { restart }, join(t.testdir(), 'update'));
  const bundle = scene.file();
  await scene.manager.received(bundle);
  t.equal(scene.manager.restart(), undefined);
  t.match(scene.last(), { state: 'restarting', bundle: null, waiting: { name: 'bundle' } });
  const after = await scene.next({ bootId: 'boot-2' });
  t.match(after.last(), { state: 'received', bundle: { name: 'bundle' }, waiting: null });
  t.ok(bundle.isThere());
  t.notMatch(after.lines, [{ event: 'update_booted' }], 'nothing was to be judged');
});

t.test('an upload that ends while a file of the directory is read', async (t) => {
  const scene = await startScene(t);
  const { manager, installer, directory, last } = scene;
  const next = scene.file('next');
  writeFileSync(join(directory, 'local'), 'local');
  const [refusal] = await Promise.all([manager.installFile('local'), manager.received(next)]);
  t.equal(refusal, undefined);
  await settled();
  t.match(last(), { state: 'installing', bundle: { name: 'local' }, waiting: { name: 'next' } });
  t.equal(installer.calls.at(-1), `install ${join(directory, 'local')}`);
  await installer.end();

  const other = await startScene(t, {}, join(t.testdir(), 'other'));
  const upload = other.file('upload');
  other.installer.refusal = 'wrong compatible';
  writeFileSync(join(other.directory, 'local'), 'local');
  const refused = other.manager.installFile('local');
  await Promise.all([refused, other.manager.received(upload)]);
  t.equal(await refused, 'wrong compatible');
  t.match(other.last(), { bundle: { name: 'upload' } }, 'it replaces what was refused');
});

t.test('the record of a version that knew none', async (t) => {
  const { scene } = await startBoth(t);
  const { waiting: _, ...before } = recordOf(scene);
  writeFileSync(join(scene.directory, 'update.json'), JSON.stringify(before));
  const next = await scene.next();
  t.match(next.last(), { state: 'failed', bundle: { name: 'first' }, waiting: null });
});

t.test('two that arrive at once', async (t) => {
  const { manager, file, last } = await startScene(t);
  const [one, two] = [file('one'), file('two')];
  await Promise.all([manager.received(one), manager.received(two)]);
  t.match(last(), { state: 'received', bundle: { name: 'two', version: '2' }, waiting: null });
  t.same([one.isThere(), two.isThere()], [false, true]);
});
