// SPDX-License-Identifier: Apache-2.0
// A request that waits for its certificate: one at a time, and its key stays on the device.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { issueCertificate } from '../../../src/certificates/issue.js';
import { PendingRequest } from '../../../src/certificates/pending-request.js';
import { signRequest } from './sign-request.js';

t.test('one at a time, also after a restart', async (t) => {
  const directory = t.testdir();
  const pending = new PendingRequest(directory);
  t.equal(pending.read(), undefined);
  t.equal(pending.keyFor('x'), undefined);
  const [first, second] = await Promise.all([
    pending.make(['gate.example', '192.0.2.1']),
    pending.make(['other.example']),
  ]);
  t.match(first?.request, /^-----BEGIN CERTIFICATE REQUEST-----/);
  t.notMatch(JSON.stringify(first), /PRIVATE/);
  t.equal(second, undefined);
  t.same(new PendingRequest(directory).read(), first);
  t.same(first?.names, ['gate.example', '192.0.2.1']);
  const key = join(directory, 'certificates/request/current/key.pem');
  t.equal(statSync(key).mode & 0o777, 0o600);
  await pending.remove();
  t.equal(pending.read(), undefined);
  t.ok(await pending.make(['other.example']), 'there is room for another');
});

t.test('the key goes with its own certificate alone', async (t) => {
  const directory = t.testdir();
  const pending = new PendingRequest(directory);
  const names = { commonName: 'gate', dns: ['gate'], ip: [] };
  const other = await issueCertificate(names, Date.now());
  const made = await pending.make(['gate']);
  const issued = signRequest(directory, made?.request ?? '');
  const key = createPrivateKey(pending.keyFor(issued) ?? '');
  t.ok(new X509Certificate(issued).checkPrivateKey(key));
  t.equal(pending.keyFor(other.certificate), undefined);
  t.equal(
    pending.keyFor('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'),
    undefined,
  );
});
