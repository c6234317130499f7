// SPDX-License-Identifier: Apache-2.0
// src/supervision/notify.ts, systemd.ts and status-carrier.ts without a manager, with one, and with one that is gone.

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
  await supervisor.ready('two\nlines\0READY=1');
  supervisor.stopping('x'.repeat(5000));
  supervisor.extendTimeout(1500.2);
  const stopping = `STOPPING=1\nSTATUS=${'x'.repeat(1000)}`;
  t.same(sent, [
    ['@manager', 'FDSTORE=1', [7]],
    ['@manager', 'READY=1\nSTATUS=two lines\\u0000READY=1', undefined],
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

/** A package whose program ends when it is told to. */
function fakeProgram() {
  const started: object[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const sockets: (string | undefined)[] = [];
  const notify = (message: object): Promise<void> => {
    started.push(message);
    sockets.push(process.env.NOTIFY_SOCKET);
    return new Promise((resolve, reject) => {
      ends.push((error) => (error === undefined ? resolve() : reject(error)));
    });
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const end = async (error?: Error) => {
    ends.shift()?.(error);
    await turn();
  };
  return { started, sockets, end, turn, load: async () => notify };
}

t.test('STATUS by the program: one at a time, the newest words', async (t) => {
  const sent: string[] = [];
  const unexpected = (error: unknown): void => void t.fail(String(error));
  const socket = takeNotifySocket(
    { NOTIFY_SOCKET: '@manager' },
    (_, message) => void sent.push(message),
    unexpected,
  );
  const program = fakeProgram();
  const supervisor = createSupervisor(socket, unexpected, program.load);
  await supervisor.ready('first');
  for (const words of ['one', 'two', 'three']) supervisor.status(words);
  await program.turn();
  t.same(program.started, [{ status: 'one' }]);
  await program.end();
  t.same(program.started.slice(1), [{ status: 'three' }], 'those that waited were replaced');
  t.same(program.sockets, ['@manager', '@manager'], 'the child has the socket');
  t.equal(process.env.NOTIFY_SOCKET, undefined, 'and nobody after it');
  supervisor.status('four');
  const ready = supervisor.ready('reloaded');
  await program.turn();
  t.equal(program.started.length, 2);
  await program.end();
  t.same(program.started.at(-1), { ready: true, status: 'reloaded' }, 'words of before are old');
  await program.end();
  await ready;
  supervisor.status('five');
  await program.turn();
  supervisor.stopping('the end');
  supervisor.status('too late');
  await program.end();
  t.equal(program.started.length, 4);
  const end = ['STOPPING=1\nSTATUS=the end', 'STATUS=the end'];
  t.same(sent, ['READY=1\nSTATUS=first', ...end], 'not the words that were under way');
});

t.test('a READY that cannot be sent goes by the program', async (t) => {
  const failures: unknown[] = [];
  const full = (): never => {
    throw new Error('EAGAIN');
  };
  const socket = takeNotifySocket({ NOTIFY_SOCKET: '@manager' }, full, (error) =>
    failures.push(error),
  );
  const program = fakeProgram();
  const supervisor = createSupervisor(socket, (error) => failures.push(error), program.load);
  const ready = supervisor.ready('first');
  await program.turn();
  t.same(program.started, [{ ready: true, status: 'first' }]);
  await program.end();
  await ready;
  t.equal(failures.length, 1);
});

t.test('without the program it is a datagram from then on', async (t) => {
  const sent: string[] = [];
  const failures: unknown[] = [];
  const socket = takeNotifySocket(
    { NOTIFY_SOCKET: '@manager' },
    (_, message) => void sent.push(message),
    (error) => void t.fail(String(error)),
  );
  const program = fakeProgram();
  const supervisor = createSupervisor(socket, (error) => failures.push(error), program.load);
  await supervisor.ready('first');
  supervisor.status('one');
  await program.turn();
  await program.end(new Error('spawn systemd-notify ENOENT'));
  await supervisor.ready('reloaded');
  supervisor.status('two');
  await program.turn();
  t.equal(program.started.length, 1);
  t.equal(failures.length, 1, 'said once');
  t.same(sent.slice(1), ['STATUS=one', 'READY=1\nSTATUS=reloaded', 'STATUS=two']);
});
