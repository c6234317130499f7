// SPDX-License-Identifier: Apache-2.0
// A start where one source of certificates cannot be loaded: the others are served, and it is looked
// at again.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { StartError } from '../../../src/base/start-error.js';
import { CertificateManager } from '../../../src/certificates/manager.js';
import type { Report } from '../../../src/certificates/source.js';
import { make } from './certificates.js';
import { FakeClock } from './fake-clock.js';

t.test('one bad pair beside a good one', async (t) => {
  const directory = t.testdir();
  const [one, two] = [await make(), await make()];
  const install = (name: string, pem: string) => {
    mkdirSync(join(directory, name));
    writeFileSync(join(directory, name, 'tls.crt'), pem);
    const privateKey = join(directory, name, 'tls.key');
    return { certificate: join(directory, name, 'tls.crt'), privateKey };
  };
  const [bad, good] = [install('1', two.pem), install('2', one.pem)];
  writeFileSync(good.privateKey, one.privateKey, { mode: 0o600 });
  const reports: Report[] = [];
  const start = async (installed: (typeof bad)[]) => {
    const options = { stateDir: join(directory, 'state'), installed };
    const onReport = (report: Report) => void reports.push(report);
    const hooks = {
      onChange: () => {},
      onReport,
      clock: new FakeClock(Date.now()),
      buildDateMs: 0,
    };
    const manager = new CertificateManager(options, hooks);
    t.teardown(() => manager.close());
    await manager.start();
    return manager;
  };
  const manager = await start([bad, good]);
  const keys = () => manager.current().map(({ privateKey }) => privateKey.trim());
  t.same(keys(), [one.privateKey.trim()]);
  const failed = reports.filter(({ event }) => event === 'certificate_source_failed');
  const reason = /tls\.private_key: cannot read .*1\/tls\.key: ENOENT/;
  t.match(failed, [{ severity: 'error', reason }]);
  t.match(manager.waiting(), [{ source: /1\/tls\.crt/, lastError: reason }]);
  await t.rejects(manager.prepare({ stateDir: directory, installed: [bad, good] }), StartError);
  writeFileSync(bad.privateKey, two.privateKey, { mode: 0o600 });
  await manager.reload();
  t.same(
    keys(),
    [two.privateKey, one.privateKey].map((key) => key.trim()),
    'in their order',
  );
  t.same(manager.waiting(), []);
  await t.rejects(start([{ ...bad, privateKey: '/absent' }]), StartError, 'nothing to serve');
});
