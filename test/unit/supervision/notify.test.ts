// SPDX-License-Identifier: Apache-2.0
// src/supervision/notify.ts and systemd.ts without a manager, with one, and with one that is gone.

import t from 'tap';
import { takeNotifySocket } from '../../../src/supervision/notify.js';
import { createSupervisor } from '../../../src/supervision/systemd.js';

t.test('without NOTIFY_SOCKET nothing happens', async (t) => {
  const nothing = (): never => {
    throw new Error('something happened');
  };
  for (const env of [{}, { NOTIFY_SOCKET: '' }]) {
    const socket = takeNotifySocket(env, nothing, nothing);
    const supervisor = createSupervisor(socket, nothing);
    t.notOk(supervisor.isPresent);
    socket.notifySystemd('WATCHDOG=1');
    await supervisor.ready('x');
    await supervisor.reloading();
    supervisor.status('x');
    supervisor.stopping('x');
    supervisor.extendTimeout(1000);
  }
});

t.test('messages, and an environment without the socket', async (t) => {
  const env = { NOTIFY_SOCKET: '@manager', HOME: '/' };
  const sent: unknown[] = [];
  const unexpected = (error: unknown): void => void t.fail(String(error));
  const socket = takeNotifySocket(env, (...message) => void sent.push(message), unexpected);
  t.same(env, { HOME: '/' }, 'no child can speak for the service');
  const supervisor = createSupervisor(socket, unexpected);
  t.ok(supervisor.isPresent);
  socket.notifySystemd('FDSTORE=1', [7]);
  supervisor.status('two\nlines\0READY=1');
  supervisor.stopping('x'.repeat(5000));
  supervisor.extendTimeout(1500.2);
  const stopping = `STOPPING=1\nSTATUS=${'x'.repeat(1000)}`;
  t.same(sent, [
    ['@manager', 'FDSTORE=1', [7]],
    ['@manager', 'STATUS=two lines READY=1', undefined],
    ['@manager', stopping, undefined],
    ['@manager', 'EXTEND_TIMEOUT_USEC=1501000', undefined],
  ]);
});

t.test('what cannot be sent is told, and stops nothing', async (t) => {
  const failures: unknown[] = [];
  const gone = new Error('cannot notify');
  const send = (): never => {
    throw gone;
  };
  const socket = takeNotifySocket({ NOTIFY_SOCKET: '/gone' }, send, (error) =>
    failures.push(error),
  );
  socket.notifySystemd('STATUS=x');
  t.same(failures, [gone]);
});
