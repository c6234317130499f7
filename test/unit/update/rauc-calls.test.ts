// SPDX-License-Identifier: Apache-2.0
// What the adapter for RAUC asks and how it takes the answers: slots, bundles, marks, the end of an
// installation; and what comes while it asks. With a busctl of our own; the real one: test/guest/update.test.ts.

import t from 'tap';
import { signal } from './bus.js';
import { until } from './others.js';
import { busy, done, idle, watch } from './rauc-scene.js';

const text = (data: string) => ({ type: 's', data });

t.test('the device and its slots', async (t) => {
  const { bus, installer } = await watch(t, idle);
  bus.answers('Compatible', 'gate');
  bus.answers('GetSlotStatus', [
    [
      ['rootfs.1', { state: text('inactive'), bootname: text('B'), 'boot-status': text('bad') }],
      [
        'rootfs.0',
        {
          state: text('booted'),
          bootname: text('A'),
          'boot-status': text('good'),
          'bundle.version': text('2'),
        },
      ],
      ['data.0', { state: text('active'), bootname: text('') }],
    ],
  ]);
  t.same(await installer.device(), {
    compatible: 'gate',
    slots: [
      { name: 'data.0', bootname: null, state: 'active', status: 'unknown', version: null },
      { name: 'rootfs.0', bootname: 'A', state: 'booted', status: 'good', version: '2' },
      { name: 'rootfs.1', bootname: 'B', state: 'inactive', status: 'bad', version: null },
    ],
  });
});

t.test('a bundle, by a RAUC that knows InspectBundle, and by one that does not', async (t) => {
  const { bus, installer } = await watch(t, idle);
  const update = { compatible: text('gate'), version: text('2'), description: text('') };
  bus.answers('InspectBundle', [{ update: { type: 'a{sv}', data: update } }]);
  t.same(await installer.inspect('/b'), { compatible: 'gate', version: '2', description: null });
  bus.refuses('InspectBundle', 'signature verification failed');
  await t.rejects(installer.inspect('/b'), { message: 'signature verification failed' });
  bus.refuses('InspectBundle', 'Unknown method InspectBundle or interface x.');
  bus.answers('Info', ['gate', '1']);
  t.same(await installer.inspect('/b'), { compatible: 'gate', version: '1', description: null });
  bus.refuses('Info', 'rauc info error');
  await t.rejects(installer.inspect('/b'), { message: /its signature is wrong, or it is damaged/ });
  bus.refuses('Info', 'no such file');
  await t.rejects(installer.inspect('/b'), { message: 'no such file' });
});

t.test('marks', async (t) => {
  const { bus, installer } = await watch(t, idle);
  bus.answers('Mark', ['rootfs.0', 'marked slot(s) rootfs.0 as good']);
  t.equal(await installer.mark('booted', 'good'), 'marked slot(s) rootfs.0 as good');
  t.match(bus.calls, / Mark ss good booted\n/);
  bus.answers('Mark', ['rootfs.0', '']);
  t.equal(await installer.mark('booted', 'bad'), 'marked slot rootfs.0 as bad');
  bus.refuses('Mark', 'no such slot');
  await t.rejects(installer.mark('nowhere', 'bad'), { message: 'no such slot' });
});

t.test('it begins nothing where RAUC is busy, and can be found again once it has', async (t) => {
  const { bus, installer, callbacks, tokens } = await watch(t, busy);
  await t.rejects(installer.install('/b', callbacks), { message: 'RAUC is busy: installing.' });
  t.same([bus.has('installs'), tokens], [false, []]);
  bus.rauc(idle);
  const before: boolean[] = [];
  const onToken = (): void => void before.push(bus.has('installs'));
  const end = installer.install('/b', { ...callbacks, onToken });
  await until(() => bus.has('installs'));
  t.same(before, [false], 'the token is known before RAUC is asked to begin');
  bus.rauc(done);
  await end;
});

t.test('the reason comes a moment behind the last percent', async (t) => {
  const { bus, begun } = await watch(t, busy);
  await until(() => begun.length > 0);
  const told: number[] = [];
  const onProgress = ({ percent }: { percent: number }): void => {
    told.push(percent);
    if (percent === 100) bus.rauc({ ...done, lastError: 'signature verification failed' });
  };
  bus.rauc({ ...busy, percent: -1 });
  const end = begun[0]?.({ onProgress, onToken: () => {} });
  await until(() => told.length > 0);
  t.equal(told[0], 0);
  bus.rauc(done);
  await t.rejects(end ?? Promise.resolve(), { message: 'signature verification failed' });
});

t.test('a question that fails once is no end', async (t) => {
  const { bus, begun, follow, told } = await watch(t, busy);
  await until(() => begun.length > 0);
  const end = follow(begun[0]);
  await until(() => told.length > 0);
  bus.failsOnce();
  await until(() => !bus.has('failing'));
  const before = told.length;
  await until(() => told.length > before);
  bus.rauc(done);
  t.equal(await end, 'installed');
});

t.test('what comes while it looks', async (t) => {
  const { bus, begun } = await watch(t, idle);
  await until(() => bus.heard.length === 1);
  const look = async (): Promise<() => void> => {
    const release = bus.holdOperation();
    bus.send(signal('PropertiesChanged'));
    await until(() => bus.has('held'));
    return release;
  };
  const seesIdle = await look();
  bus.rauc(busy);
  bus.send(signal('PropertiesChanged'));
  seesIdle();
  await until(() => begun.length === 1);
  t.pass('it looks again');

  // Over before its begin is known: told once, as over.
  const seesBusy = await look();
  bus.rauc(done);
  bus.send(signal('Completed'));
  await until(() => begun.length === 2);
  seesBusy();
  const asked = bus.calls.length;
  bus.send(signal('PropertiesChanged'));
  await until(() => bus.calls.length > asked);
  t.equal(begun.length, 2);
});

t.test('a stop ends what is followed, and the ear', async (t) => {
  const { bus, installer, begun, follow } = await watch(t, busy);
  await until(() => begun.length > 0);
  const end = follow(begun[0]);
  t.equal(bus.listeners, 1);
  installer.close();
  t.match(await end, /aborted/);
  await until(() => bus.listeners === 0);
});
