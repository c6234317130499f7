// SPDX-License-Identifier: Apache-2.0
// src/supervision/socket-activation.ts and descriptor-store.ts: whose sockets they are, what each is
// for, and what is taken, given up and stored.

import t from 'tap';
import {
  chooseFromStore,
  dropFromStore,
  storeListeners,
} from '../../../src/supervision/descriptor-store.js';
import { rolesOf, takeInheritedSockets } from '../../../src/supervision/socket-activation.js';
import { storeNameOf } from '../../../src/supervision/store-name.js';

const take = (env: NodeJS.ProcessEnv) => takeInheritedSockets(env, 42);

t.test('takeInheritedSockets', async (t) => {
  const env = { LISTEN_PID: '42', LISTEN_FDS: '2', LISTEN_FDNAMES: 'https:admin', HOME: '/' };
  t.same(take(env), [
    { name: 'https', fd: 3 },
    { name: 'admin', fd: 4 },
  ]);
  t.same(env, { HOME: '/' }, 'no child sees them');
  const foreign = { LISTEN_PID: '43', LISTEN_FDS: '2' };
  t.same(take(foreign), []);
  t.same(foreign, {});
  t.same(take({}), []);
  for (const LISTEN_FDS of ['0', '-1', 'x', '1.5', '']) {
    t.same(take({ LISTEN_PID: '42', LISTEN_FDS }), [], LISTEN_FDS);
  }
  t.same(take({ LISTEN_PID: '42', LISTEN_FDS: '1' }), [{ name: 'unknown', fd: 3 }]);
  t.equal(take({ LISTEN_PID: '42', LISTEN_FDS: '1000000' }).length, 64);
});

t.test('rolesOf', async (t) => {
  const socket = (name: string) => ({ name, fd: 3 });
  const https = ['https', 'https-lan', 'spliced.socket', 'unknown'].map(socket);
  const http = ['http', 'http-lan'].map(socket);
  const stored = ['listen-0.0.0.0-443'].map(socket);
  const storedHttp = ['listen_http-0.0.0.0-80'].map(socket);
  const unknown = ['httpsx', 'httpx', 'ssh', 'listen_https-x'].map(socket);
  t.same(rolesOf([...https, ...http, ...stored, ...storedHttp, ...unknown]), {
    listen: { given: https, stored },
    listen_http: { given: http, stored: storedHttp },
    unknown,
  });
});

t.test('the store', async (t) => {
  const wanted = [
    { address: '0.0.0.0', port: 443 },
    { address: '::1', port: 8443 },
    { address: '127.0.0.1', port: 0 },
  ];
  t.equal(storeNameOf('listen', { address: '2001:db8::1', port: 443 }), 'listen-2001.db8..1-443');
  t.equal(storeNameOf('listen_http', { address: '0.0.0.0', port: 0 }), undefined);
  const stored = [
    { name: 'listen-192.0.2.1-443', fd: 3 },
    { name: 'listen-..1-8443', fd: 4 },
  ];
  const choice = chooseFromStore('listen', wanted, stored);
  t.same(choice.listeners, [wanted[0], { fd: 4 }, wanted[2]]);
  t.same(choice.retired, [stored[0]]);

  const told: unknown[] = [];
  const notify = (message: string, fds?: number[]) => told.push([message, fds]) > 0;
  storeListeners('listen', wanted, choice, [{ fd: 10 }, { fd: 4 }, { fd: 12 }], notify);
  t.same(told, [['FDSTORE=1\nFDNAME=listen-0.0.0.0-443', [10]]]);
  told.length = 0;
  dropFromStore(choice.retired, (fd) => void told.push(fd), notify);
  t.same(told, [3, ['FDSTOREREMOVE=1\nFDNAME=listen-192.0.2.1-443', undefined]]);
});
