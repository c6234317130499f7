// SPDX-License-Identifier: Apache-2.0
// What the constructor refuses: an Error with a code and one clear line, and nothing left behind.

import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { loadNative, type ServiceOptions } from '../../src/engine/native.js';
import { newPair, serviceOptions } from './service.js';

type Case = [name: string, change: Record<string, unknown>, code: string, message?: RegExp];

const countFds = (): number => readdirSync('/proc/self/fd').length;

t.test('wrong options', async (t) => {
  const root = t.testdir({ 'file.txt': 'text' });
  const [pair, other] = [await newPair(), await newPair()];
  const { Service } = loadNative();
  const mixed = [{ chain: pair.chain, privateKey: other.privateKey }];
  const busy = createServer();
  const busyPort = await new Promise<number>((resolve) => {
    busy.listen(0, '127.0.0.1', () => resolve((busy.address() as { port: number }).port));
  });
  t.teardown(() => busy.close());
  const clients = (change: Record<string, unknown>) => ({
    clientCertificates: { ca: pair.chain, crl: '', require: [], checkTimes: true, ...change },
  });
  const cases: Case[] = [
    ['root of a wrong type', { root: 7 }, 'EINVAL_OPTION', /root/],
    ['root with a NUL', { root: 'a\0b' }, 'EINVAL_OPTION', /root/],
    ['no root', { root: join(root, 'absent') }, 'EROOT', /absent/],
    ['a file as root', { root: join(root, 'file.txt') }, 'EROOT', /file\.txt/],
    ['no listeners', { listeners: [] }, 'EINVAL_OPTION', /listeners/],
    ['nine listeners', { listeners: Array(9).fill({ address: '::1', port: 0 }) }, 'EINVAL_OPTION'],
    ['a port too high', { listeners: [{ address: '::1', port: 65536 }] }, 'EINVAL_OPTION', /port/],
    ['a port of text', { listeners: [{ address: '::1', port: '1' }] }, 'EINVAL_OPTION', /port/],
    ['a standard stream', { listeners: [{ fd: 2 }] }, 'EINVAL_OPTION', /fd/],
    ['a socket twice', { listeners: [{ fd: 99 }, { fd: 99 }] }, 'EINVAL_OPTION', /once/],
    ['no socket', { listeners: [{ fd: 999 }] }, 'ELISTEN', /descriptor 999/],
    ['a name', { listeners: [{ address: 'localhost', port: 0 }] }, 'ELISTEN', /localhost/],
    ['not ours', { listeners: [{ address: '192.0.2.1', port: 0 }] }, 'ELISTEN', /192\.0\.2\.1/],
    [
      'a busy port beside a free one',
      {
        listeners: [
          { address: '127.0.0.1', port: 0 },
          { address: '127.0.0.1', port: busyPort },
        ],
      },
      'ELISTEN',
      /in use/i,
    ],
    ['no certificates', { certificates: [] }, 'EINVAL_OPTION', /certificates/],
    ['no certificate in it', { certificates: [{ ...pair, chain: 'x' }] }, 'ECERTIFICATE'],
    ['no key in it', { certificates: [{ ...pair, privateKey: '' }] }, 'ECERTIFICATE'],
    ['a key of another', { certificates: mixed }, 'ECERTIFICATE', /match/],
    ['clients of a wrong type', { clientCertificates: 'ca' }, 'EINVAL_OPTION', /clientCert/],
    ['no CA for clients', clients({ ca: '' }), 'EINVAL_OPTION', /"ca"/],
    ['no list of clients', clients({ crl: undefined }), 'EINVAL_OPTION', /"crl"/],
    ['no word on dates', clients({ checkTimes: 1 }), 'EINVAL_OPTION', /checkTimes/],
    ['a prefix of nothing', clients({ require: ['a'] }), 'EINVAL_OPTION', /"require"/],
    ['prefixes of a wrong type', clients({ require: [1] }), 'EINVAL_OPTION', /"require"/],
    ['65 prefixes', clients({ require: Array(65).fill('/') }), 'EINVAL_OPTION', /at most 64/],
    ['not one prefix', clients({ require: '/' }), 'EINVAL_OPTION', /"require"/],
    ['no CA in it', clients({ ca: 'x' }), 'ECLIENTCERTIFICATES', /no certificate in PEM form/],
    ['not a CA', clients({ ca: pair.chain }), 'ECLIENTCERTIFICATES', /no CA certificate/],
    ['offload', { tlsOffload: 'yes' }, 'EINVAL_OPTION', /tlsOffload/],
    ['groups of a wrong type', { tlsGroups: 'P-256' as never }, 'EINVAL_OPTION', /tlsGroups/],
    ['no group that there is', { tlsGroups: ['x'] }, 'ECERTIFICATE', /none of the groups/],
    ['ring', { ring: 'uring' }, 'EINVAL_OPTION', /ring/],
    ['zero connections', { connectionsMax: 0 }, 'EINVAL_OPTION', /connectionsMax/],
    ['a fraction', { connectionsMax: 1.5 }, 'EINVAL_OPTION', /connectionsMax/],
    ['not a number', { pendingWindowBytes: Number.NaN }, 'EINVAL_OPTION', /pendingWindowBytes/],
    ['a negative wait', { idleTimeoutMs: -1 }, 'EINVAL_OPTION', /idleTimeoutMs/],
    ['an endless wait', { drainTimeoutMs: Infinity }, 'EINVAL_OPTION', /drainTimeoutMs/],
    ['an absent wait', { headTimeoutMs: undefined }, 'EINVAL_OPTION', /headTimeoutMs/],
  ];
  const before = countFds();
  for (const [name, change, code, message] of cases) {
    const options = { ...serviceOptions(root, pair), ...change } as unknown as ServiceOptions;
    try {
      new Service(options).close();
      t.fail(`${name}: accepted`);
    } catch (error) {
      const { code: found, message: text } = error as NodeJS.ErrnoException;
      t.equal(found, code, `${name}: ${text}`);
      if (message) t.match(text, message, name);
      t.notMatch(text, /\n|PRIVATE|BEGIN/, `${name}: one line, no key`);
    }
  }
  t.throws(() => new (Service as unknown as new () => unknown)(), { code: 'EINVAL_OPTION' });
  t.throws(() => new (Service as unknown as new (x: null) => unknown)(null), {
    code: 'EINVAL_OPTION',
  });
  t.throws(() => (Service as unknown as () => unknown)(), /./, 'called without new');
  t.equal(countFds(), before, 'no descriptor is left');
});

t.test('wrong calls', async (t) => {
  const pair = await newPair();
  const { Service } = loadNative();
  const service = new Service(serviceOptions(t.testdir(), pair));
  t.throws(() => (service.start as (x: unknown) => void)('x'), { code: 'EINVAL_OPTION' });
  t.throws(() => (service.stop as (x: unknown) => void)('x'), { code: 'EINVAL_OPTION' });
  t.throws(() => service.stop(-1), { code: 'EINVAL_OPTION' });
  t.throws(() => (service.replaceCertificates as (x: unknown) => void)({}), {
    code: 'EINVAL_OPTION',
  });
  service.start(() => {});
  t.throws(() => service.start(() => {}), /started/, 'a second start');
  service.close();
  for (const call of [() => service.stats(), () => service.listeners(), () => service.stop(0)]) {
    t.throws(call, /closed/, 'after close');
  }
});
