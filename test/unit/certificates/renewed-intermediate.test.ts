// SPDX-License-Identifier: Apache-2.0
// A chain that changes while the server's own certificate stays: by a new file, or by the calendar.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { dayMs } from '../../../src/certificates/clock.js';
import { CertificateManager } from '../../../src/certificates/manager.js';
import type { CertificatePair } from '../../../src/certificates/source.js';
import { type Made, make } from './certificates.js';
import { FakeClock } from './fake-clock.js';

const buildDateMs = Date.parse('2026-06-01T00:00:00Z');
const nowMs = Date.parse('2026-11-22T12:00:00Z');
const yearMs = 365 * dayMs;
const valid = { notBefore: new Date(nowMs - yearMs), notAfter: new Date(nowMs + yearMs) };

t.test('an intermediate that is renewed, or becomes valid, under a leaf that stays', async (t) => {
  const directory = t.testdir();
  const root = await make({ ...valid, isAuthority: true, commonName: 'Root' });
  const wanted = { ...valid, isAuthority: true, commonName: 'Middle', issuer: root };
  const middle = await make({ ...wanted, notAfter: new Date(nowMs + 30 * dayMs) });
  const { publicKey } = middle.certificate;
  const next = await make({ ...wanted, publicKey, notBefore: new Date(nowMs + 9 * dayMs) });
  const leaf = await make({ ...valid, issuer: middle });
  const files = { certificate: join(directory, 'crt'), privateKey: join(directory, 'key') };
  writeFileSync(files.certificate, leaf.pem + next.pem + middle.pem);
  writeFileSync(files.privateKey, leaf.privateKey, { mode: 0o600 });
  const clock = new FakeClock(nowMs);
  const changes: CertificatePair[][] = [];
  const manager = new CertificateManager(
    { stateDir: join(directory, 'state'), installed: [files] },
    { clock, buildDateMs, onReport: () => {}, onChange: (pairs) => changes.push(pairs) },
  );
  t.teardown(() => manager.close());
  await manager.start();
  const served = () => [...(manager.current()[0]?.chain.matchAll(/BEGIN/g) ?? [])].length;
  const has = (one: Made) => manager.current()[0]?.chain.includes(one.pem.trim().slice(100, 400));
  t.same([served(), has(middle), has(next)], [2, true, false]);
  await clock.advance(10 * dayMs);
  t.same([served(), has(middle), has(next)], [2, false, true], 'the files stayed as they are');
  t.ok(changes.at(-1)?.[0]?.chain.includes(next.pem.trim().slice(100, 400)), 'handed over');
  const count = changes.length;
  writeFileSync(files.certificate, leaf.pem + middle.pem);
  await manager.reload();
  t.equal(changes.length, count + 1, 'the chain alone has changed');
});
