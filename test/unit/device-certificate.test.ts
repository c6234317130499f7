// SPDX-License-Identifier: Apache-2.0
// The device's own certificate: what it holds, when it is kept, when it is made anew, and that a
// generation is complete or absent.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ensureDeviceCertificate } from '../../src/certificates/device.js';
import { issueCertificate } from '../../src/certificates/issue.js';
import { deviceNames } from '../../src/certificates/names.js';
import { StartError } from '../../src/start-error.js';

const dayMs = 24 * 3_600_000;
const buildDateMs = Date.parse('2026-06-01T00:00:00Z');
const nowMs = Date.parse('2026-11-22T12:00:00Z');
const names = {
  commonName: 'gate',
  dns: ['gate', 'gate.local', 'localhost'],
  ip: ['127.0.0.1', '::1'],
};
const common = { nowMs, buildDateMs, names };

const mode = (path: string): number => statSync(path).mode & 0o777;

t.test('what the certificate holds', async (t) => {
  const stateDir = join(t.testdir(), 'state');
  const { chain, privateKey, renewedBecause } = await ensureDeviceCertificate({
    stateDir,
    ...common,
  });
  t.equal(renewedBecause, 'there was none');
  const certificate = new X509Certificate(chain);
  t.ok(certificate.checkPrivateKey(createPrivateKey(privateKey)));
  t.ok(certificate.verify(certificate.publicKey), 'signed by itself');
  t.equal(certificate.subject, 'CN=gate');
  t.equal(certificate.issuer, 'CN=gate');
  t.notOk(certificate.ca);
  t.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  t.equal(
    certificate.subjectAltName,
    'DNS:gate, DNS:gate.local, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
  );
  t.same(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1'], 'extended key usage: serverAuth');
  t.equal(Date.parse(certificate.validFrom), nowMs);
  t.equal(Date.parse(certificate.validTo), nowMs + 365 * dayMs);
  t.match(certificate.serialNumber, /^[4-7][0-9A-F]{31}$/);
});

t.test('where it is kept, and with which permissions whatever the umask', async (t) => {
  const stateDir = join(t.testdir(), 'state');
  const umask = process.umask(0);
  try {
    await ensureDeviceCertificate({ stateDir, ...common });
  } finally {
    process.umask(umask);
  }
  const certificates = join(stateDir, 'certificates');
  const current = join(certificates, 'current');
  t.ok(lstatSync(current).isSymbolicLink());
  t.match(readlinkSync(current), /^generation-[0-9a-f]{12}$/, 'relative, so that state can move');
  t.same(readdirSync(current).sort(), ['certificate.pem', 'private-key.pem']);
  t.equal(mode(stateDir), 0o700);
  t.equal(mode(certificates), 0o700);
  t.equal(mode(join(current, 'private-key.pem')), 0o600);
  t.equal(mode(join(current, 'certificate.pem')), 0o600);
});

t.test('kept while it is good', async (t) => {
  const stateDir = t.testdir();
  const first = await ensureDeviceCertificate({ stateDir, ...common });
  const keyPath = join(stateDir, 'certificates/current/private-key.pem');
  chmodSync(keyPath, 0o644);
  const later = { ...common, nowMs: nowMs + 334 * dayMs };
  const second = await ensureDeviceCertificate({ stateDir, ...later });
  t.equal(second.fingerprint, first.fingerprint);
  t.equal(second.renewedBecause, undefined);
  t.equal(mode(keyPath), 0o600, 'a key that others could read is closed again');
  const fewer = { ...common, names: { ...names, ip: ['127.0.0.1'] } };
  const third = await ensureDeviceCertificate({ stateDir, ...fewer });
  t.equal(third.fingerprint, first.fingerprint, 'a name too many does no harm');
});

t.test('made anew, with the reason, when it is not', async (t) => {
  const spoil = (path: string) => (stateDir: string) =>
    truncateSync(join(stateDir, 'certificates/current', path), 0);
  const cases: [string, (stateDir: string) => void, object, RegExp][] = [
    ['30 days left', () => {}, { nowMs: nowMs + 335 * dayMs }, /within 30 days/],
    ['after its end', () => {}, { nowMs: nowMs + 400 * dayMs }, /within 30 days/],
    ['from the future', () => {}, { nowMs: nowMs - 2 * dayMs }, /begins in the future/],
    ['a new address', () => {}, { names: { ...names, ip: ['10.0.0.9'] } }, /name 10\.0\.0\.9$/],
    ['a new name', () => {}, { names: { ...names, dns: ['door'] } }, /does not name door$/],
    ['an empty key', spoil('private-key.pem'), {}, /cannot be used/],
    ['an empty certificate', spoil('certificate.pem'), {}, /cannot be used/],
    ['no link', (stateDir) => rmSync(join(stateDir, 'certificates/current')), {}, /there was none/],
  ];
  for (const [name, change, options, reason] of cases) {
    const stateDir = join(t.testdir(), name.replaceAll(' ', '-'));
    const before = await ensureDeviceCertificate({ stateDir, ...common });
    change(stateDir);
    const after = await ensureDeviceCertificate({ stateDir, ...common, ...options });
    t.match(after.renewedBecause, reason, name);
    t.not(after.fingerprint, before.fingerprint, name);
    const kept = readdirSync(join(stateDir, 'certificates')).sort();
    t.equal(kept.length, 2, 'the link and one generation are left');
    const again = await ensureDeviceCertificate({ stateDir, ...common, ...options });
    t.equal(again.fingerprint, after.fingerprint, `${name}: the new one is kept`);
  }
});

t.test('a key of another certificate is never served', async (t) => {
  const stateDir = t.testdir();
  await ensureDeviceCertificate({ stateDir, ...common });
  const other = await issueCertificate(names, nowMs);
  writeFileSync(join(stateDir, 'certificates/current/private-key.pem'), other.privateKey);
  const { chain, privateKey, renewedBecause } = await ensureDeviceCertificate({
    stateDir,
    ...common,
  });
  t.match(renewedBecause, /does not match/);
  t.ok(new X509Certificate(chain).checkPrivateKey(createPrivateKey(privateKey)));
});

t.test('a clock that has not been set yet', async (t) => {
  const stateDir = t.testdir();
  const epoch = { ...common, nowMs: 5_000 };
  const first = await ensureDeviceCertificate({ stateDir, ...epoch });
  t.equal(Date.parse(new X509Certificate(first.chain).validFrom), buildDateMs);
  const set = await ensureDeviceCertificate({ stateDir, ...common });
  t.equal(set.fingerprint, first.fingerprint, 'setting the clock changes nothing');
  const rebooted = join(t.testdir(), 'rebooted');
  const good = await ensureDeviceCertificate({ stateDir: rebooted, ...common });
  const unset = await ensureDeviceCertificate({ stateDir: rebooted, ...epoch });
  t.equal(unset.fingerprint, good.fingerprint, 'in 1970 again: the stored one is kept');
});

t.test('what a power cut left half done is not used, and goes away', async (t) => {
  const stateDir = t.testdir();
  const first = await ensureDeviceCertificate({ stateDir, ...common });
  const torn = join(stateDir, 'certificates/generation-torn');
  mkdirSync(torn);
  writeFileSync(join(torn, 'private-key.pem'), '');
  const second = await ensureDeviceCertificate({ stateDir, ...common });
  t.equal(second.fingerprint, first.fingerprint);
  await ensureDeviceCertificate({ stateDir, ...common, nowMs: nowMs + 350 * dayMs });
  t.notOk(existsSync(torn));
});

t.test('a state directory that cannot be one', async (t) => {
  const stateDir = join(t.testdir({ file: 'text' }), 'file');
  try {
    await ensureDeviceCertificate({ stateDir, ...common });
    t.fail('accepted a file as a directory');
  } catch (error) {
    t.ok(error instanceof StartError);
    t.match((error as Error).message, /^--state-dir: cannot be used: /);
  }
  t.equal(readFileSync(stateDir, 'utf8'), 'text');
});

t.test('the names of a device', async (t) => {
  const entry = (address: string, internal: boolean) =>
    ({ address, internal }) as NonNullable<
      ReturnType<typeof import('node:os').networkInterfaces>['']
    >[0];
  const interfaces = {
    lo: [entry('127.0.0.1', true), entry('::1', true)],
    eth0: [entry('192.0.2.7', false), entry('fe80::1%eth0', false)],
  };
  t.same(deviceNames('Gate-7', interfaces), {
    commonName: 'gate-7',
    dns: ['gate-7', 'gate-7.local', 'localhost'],
    ip: ['127.0.0.1', '::1', '192.0.2.7', 'fe80::1'],
  });
  t.same(deviceNames('a.example.org', {}).dns, ['a.example.org', 'a.local', 'localhost']);
  t.same(deviceNames('localhost', {}).dns, ['localhost']);
  t.same(deviceNames('(none)', {}), {
    commonName: 'localhost',
    dns: ['localhost'],
    ip: ['127.0.0.1', '::1'],
  });
  t.equal(deviceNames('x'.repeat(63), {}).commonName.length, 63);
});
