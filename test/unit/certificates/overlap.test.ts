// SPDX-License-Identifier: Apache-2.0
// Installed pairs for one name: served together when their keys differ in type, refused with a clear
// line when one of them could never be chosen. `config check` and a start say the same.

import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { StartError } from '../../../src/base/start-error.js';
import { CertificateManager } from '../../../src/certificates/manager.js';
import { unreachablePairs } from '../../../src/certificates/overlap.js';
import { make, type Wanted } from './certificates.js';

const setting = 'tls.more_certificates';

async function judged(...wanted: Wanted[]): Promise<string[]> {
  const pairs = await Promise.all(
    wanted.map(async (one, i) => ({
      options: { certificate: `${i}.pem`, privateKey: `${i}.key`, setting },
      certificate: new X509Certificate((await make(one)).pem),
    })),
  );
  return unreachablePairs(pairs);
}

t.test('what can be chosen', async (t) => {
  const ec = (...dns: string[]): Wanted => ({ dns });
  const rsa = (...dns: string[]): Wanted => ({ dns, key: 'RSA-2048' });
  t.same(await judged(ec('a.test')), []);
  t.same(await judged(ec('a.test'), rsa('a.test')), [], 'two types of key');
  t.same(await judged(ec('a.test'), ec('a.test', 'b.test')), [], 'one name is its own');
  t.same(await judged(ec('a.b.test'), ec('*.b.test')), [], 'the star has more names');
  t.same(await judged(ec('10.0.0.1'), rsa('10.0.0.1')), [], 'beside the default');
  t.same(await judged(ec('a.test'), { dns: ['a.test'], key: 'Ed25519' }), []);
});

t.test('what can not', async (t) => {
  const ec = (...dns: string[]): Wanted => ({ dns });
  t.match(await judged(ec('a.test'), ec('a.test')), [
    /^tls.more_certificates: 1.pem can never be served: clients get 0.pem for a.test, which has an ECDSA key as well; .*one pair with an RSA key and one with an ECDSA key/,
  ]);
  t.match(await judged(ec('a.test'), { dns: ['a.test'], key: 'P-384' }), [/1.pem can never/]);
  t.match(await judged(ec('*.b.test'), ec('a.b.test', 'A.B.test')), [/1.pem can never/]);
  t.match(await judged(ec('a.test'), ec('b.test'), ec('a.test', 'b.test')), [
    /2.pem can never be served: clients get 0.pem, 1.pem for a.test, b.test/,
  ]);
  t.match(await judged(ec('a.test.'), ec('a.test')), [/1.pem can never/], 'the same name');
  t.match(await judged(ec('a.test'), ec('10.0.0.1')), [/1.pem .* it has no DNS name/]);
});

function managerOf(t: Test, directory: string, names: string[]): CertificateManager {
  const [certificate, ...more] = names.map((name) => ({
    certificate: join(directory, `${name}.pem`),
    privateKey: join(directory, `${name}.key`),
  }));
  const installed = [
    { ...certificate, setting: 'tls.certificate' },
    ...more.map((one) => ({ ...one, setting })),
  ] as { certificate: string; privateKey: string; setting: string }[];
  const stateDir = join(directory, 'state');
  const manager = new CertificateManager(
    { stateDir, installed },
    { onReport: () => {}, onChange: () => {} },
  );
  t.teardown(() => manager.close());
  return manager;
}

t.test('a start and a reload refuse it, and serve two types together', async (t) => {
  const [one, same, rsa] = [await make(), await make(), await make({ key: 'RSA-2048' })];
  const files = { one, same, rsa };
  const directory = t.testdir(
    Object.fromEntries(
      Object.entries(files).flatMap(([name, { pem, privateKey }]) => [
        [`${name}.pem`, pem],
        [`${name}.key`, privateKey],
      ]),
    ),
  );
  const refused = managerOf(t, directory, ['one', 'same']).start();
  await t.rejects(refused, StartError);
  await t.rejects(refused, /^tls.more_certificates: .*same.pem can never be served/);
  const manager = managerOf(t, directory, ['one', 'rsa']);
  await manager.start();
  const [first, second] = manager.current();
  t.same([first?.standsAlone, second?.standsAlone], [false, false]);
  const installed = ['one', 'rsa', 'same'].map((name) => ({
    certificate: join(directory, `${name}.pem`),
    privateKey: join(directory, `${name}.key`),
    setting,
  }));
  const stateDir = join(directory, 'state');
  await t.rejects(manager.prepare({ stateDir, installed }), /same.pem can never be served/);
  t.equal(manager.current().length, 2, 'and nothing changed');
});
