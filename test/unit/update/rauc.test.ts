// SPDX-License-Identifier: Apache-2.0
// The adapter for RAUC and the installations of others: what begins, what goes on, what was over before
// it could be looked at. With a bus and a busctl of our own; the real ones: test/guest/update.test.ts.

import t from 'tap';
import { signal } from './bus.js';
import { until } from './others.js';
import { busy, done, idle, watch } from './rauc-scene.js';

t.test('one that begins, to its end', async (t) => {
  const { bus, begun, follow, told, tokens } = await watch(t, idle);
  await until(() => bus.heard.length === 1);
  const heard = bus.heard[0]?.toString('latin1') ?? '';
  const user = Buffer.from(String(process.getuid?.())).toString('hex');
  t.ok(heard.startsWith(`\0AUTH EXTERNAL ${user}\r\nBEGIN\r\n`));
  // So long are the fields of a Hello with these four (110 bytes), without what pads the last one:
  // dbus-daemon hangs up on any other length.
  t.match(bus.heard[0]?.toString('hex'), /0d0a6c01000100000000010000006e000000.*48656c6c6f00/);
  t.match(heard, /type='signal',sender='de\.pengutronix\.rauc',path='\/'/);
  t.equal(begun.length, 0);
  bus.rauc(busy);
  bus.send(signal('PropertiesChanged'));
  await until(() => begun.length > 0);
  const end = follow(begun[0]);
  await until(() => told.length > 1);
  t.same(tokens, [':1.7']);
  t.match(told[0], { percent: 20, message: 'Checking' });
  bus.send(signal('PropertiesChanged'));
  // Another installation was refused meanwhile: RAUC then calls itself idle.
  bus.rauc({ ...busy, operation: 'idle', percent: 60 });
  await until(() => told.at(-1)?.percent === 60);
  const toldBefore = told.length;
  await until(() => told.length > toldBefore + 3);
  bus.send(signal('Completed'));
  bus.rauc(done);
  t.equal(await end, 'installed');
  t.equal(begun.length, 1, 'its own signals are no news');
});

t.test('one that fails, and one that was over at once', async (t) => {
  const { bus, begun, follow } = await watch(t, busy);
  await until(() => begun.length > 0);
  t.pass('under way when the service started');
  bus.rauc({ ...done, lastError: 'signature verification failed' });
  t.equal(await follow(begun[0]), 'signature verification failed');

  bus.rauc({ ...done, lastError: 'Compatible mismatch' });
  bus.send(signal('PropertiesChanged'));
  bus.send(signal('Completed'));
  bus.send(signal('PropertiesChanged'));
  await until(() => begun.length > 1);
  t.equal(await follow(begun[1]), 'Compatible mismatch');
  bus.rauc(done);
  bus.send(signal('Completed', 'B'));
  await until(() => begun.length > 2);
  t.equal(await follow(begun[2]), 'installed');
  t.equal(begun.length, 3);
});

t.test('RAUC ends, or is not there at all', async (t) => {
  const { bus, begun, follow } = await watch(t, { ...idle, owner: '' });
  await until(() => bus.heard.length === 1);
  bus.send(signal('PropertiesChanged'));
  bus.rauc(busy);
  bus.send(signal('PropertiesChanged'));
  await until(() => begun.length > 0);
  const end = follow(begun[0]);
  bus.rauc({ ...idle, owner: ':1.9' });
  t.equal(await end, "RAUC's service ended during the installation.");
});

t.test('ours is not taken for another one', async (t) => {
  const { bus, installer, begun, callbacks, told } = await watch(t, idle);
  await until(() => bus.heard.length === 1);
  const end = installer.install('/b', callbacks);
  await until(() => told.length > 0);
  bus.rauc(busy);
  bus.send(signal('PropertiesChanged'));
  await until(() => told.at(-1)?.percent === 20);
  bus.send(signal('Completed'));
  bus.rauc(done);
  await end;
  t.same(begun, []);
});

t.test('a bus that refuses, hangs up, or says nonsense', async (t) => {
  for (const [mood, reason] of [
    ['refuses', /refuses to tell of signals/],
    ['hangs up', /does not know the user of this service/],
  ] as const) {
    const { troubles } = await watch(t, idle, mood);
    await until(() => troubles.length > 0);
    t.match(troubles, [reason]);
  }
  const endless = Buffer.from('6c04010100000000070000000000ff7f', 'hex');
  for (const [nonsense, reason] of [
    [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), /not of D-Bus/],
    [endless, /more than a signal/],
  ] as const) {
    const { bus, troubles } = await watch(t, idle);
    await until(() => bus.heard.length === 1);
    bus.send(nonsense);
    await until(() => troubles.length > 0);
    t.match(troubles, [reason]);
  }
});
