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
import { StartError } from '../../../src/base/start-error.js';
import { readAuthorityCertificate } from '../../../src/certificates/authority.js';
import { ensureDeviceCertificate } from '../../../src/certificates/device.js';
import { issueCertificate } from '../../../src/certificates/issue.js';
import { deviceNames, namesFrom } from '../../../src/certificates/names.js';

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
  const authority = new X509Certificate(
    readAuthorityCertificate(join(stateDir, 'certificates')) ?? '',
  );
  t.ok(certificate.verify(authority.publicKey), "signed by the device's authority");
  t.equal(certificate.subject, 'CN=gate');
  t.match(certificate.issuer, /^CN=gate device CA [0-9a-f]{8}$/);
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
  t.equal(mode(stateDir), 0o700);
  t.same(readdirSync(certificates).sort(), ['authority', 'device']);
  for (const owner of ['authority', 'device']) {
    const current = join(certificates, owner, 'current');
    t.ok(lstatSync(current).isSymbolicLink());
    t.equal(readlinkSync(current), 'generations/1', 'relative, so that the state can be moved');
    const files = ['chain.pem', 'key.pem', 'meta.json'];
    t.same(readdirSync(current).sort(), files);
    for (const name of files) t.equal(mode(join(current, name)), 0o600);
    t.equal(mode(join(certificates, owner)), 0o700);
    t.equal(mode(current), 0o700);
  }
});

t.test('kept while it is good', async (t) => {
  const stateDir = t.testdir();
  const first = await ensureDeviceCertificate({ stateDir, ...common });
  const keyPath = join(stateDir, 'certificates/device/current/key.pem');
  chmodSync(keyPath, 0o644);
  const later = { ...common, nowMs: nowMs + 243 * dayMs };
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
    truncateSync(join(stateDir, 'certificates/device/current', path), 0);
  const cases: [string, (stateDir: string) => void, object, RegExp][] = [
    ['two thirds', () => {}, { nowMs: nowMs + 244 * dayMs }, /two thirds of its life/],
    ['after its end', () => {}, { nowMs: nowMs + 400 * dayMs }, /has ended/],
    ['50 years on', () => {}, { nowMs: nowMs + 50 * 365 * dayMs }, /has ended/],
    ['from the future', () => {}, { nowMs: nowMs - 2 * dayMs }, /begins in the future/],
    ['a new address', () => {}, { names: { ...names, ip: ['10.0.0.9'] } }, /name 10\.0\.0\.9$/],
    ['a new name', () => {}, { names: { ...names, dns: ['door'] } }, /does not name door$/],
    ['an empty key', spoil('key.pem'), {}, /key\.pem is damaged/],
    ['an empty certificate', spoil('chain.pem'), {}, /chain\.pem is damaged/],
    [
      'no link',
      (stateDir) => rmSync(join(stateDir, 'certificates/device/current')),
      {},
      /there was none/,
    ],
  ];
  for (const [name, change, options, reason] of cases) {
    const stateDir = join(t.testdir(), name.replaceAll(' ', '-'));
    const before = await ensureDeviceCertificate({ stateDir, ...common });
    change(stateDir);
    const after = await ensureDeviceCertificate({ stateDir, ...common, ...options });
    t.match(after.renewedBecause, reason, name);
    t.not(after.fingerprint, before.fingerprint, name);
    t.same(readdirSync(join(stateDir, 'certificates/device')).sort(), ['current', 'generations']);
    const kept = readdirSync(join(stateDir, 'certificates/device/generations'));
    t.ok(kept.length <= 2, 'this generation and the one before');
    const again = await ensureDeviceCertificate({ stateDir, ...common, ...options });
    t.equal(again.fingerprint, after.fingerprint, `${name}: the new one is kept`);
  }
});

t.test('a key of another certificate is never served', async (t) => {
  const stateDir = t.testdir();
  await ensureDeviceCertificate({ stateDir, ...common });
  const other = await issueCertificate(names, nowMs);
  writeFileSync(join(stateDir, 'certificates/device/current/key.pem'), other.privateKey);
  const { chain, privateKey, renewedBecause } = await ensureDeviceCertificate({
    stateDir,
    ...common,
  });
  t.match(renewedBecause, /key\.pem is damaged/);
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
  const torn = join(stateDir, 'certificates/device/generations/7');
  mkdirSync(torn);
  writeFileSync(join(torn, 'key.pem'), '');
  const second = await ensureDeviceCertificate({ stateDir, ...common });
  t.equal(second.fingerprint, first.fingerprint);
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
  t.same(deviceNames('Gate.example.', {}).dns, ['gate.example', 'gate.local', 'localhost']);
});

t.test('a host name that is an address, or only looks like one', (t) => {
  const own = ['127.0.0.1', '::1'];
  const addresses = ['192.168.1.5', '192.168.1.5.', '2001:DB8::7', '[2001:db8::7]', 'fe80::1%eth0'];
  for (const host of addresses) {
    const { commonName, dns, ip } = deviceNames(host, {});
    t.same(dns, ['localhost'], host);
    t.same(ip.slice(0, 2), own);
    t.match(ip[2], /^(192\.168\.1\.5|2001:db8::7|fe80::1)$/, host);
    t.equal(commonName, ip[2]);
  }
  t.same(deviceNames('127.0.0.1', {}).ip, own, 'once');
  t.same(deviceNames('12345', {}).dns, ['12345.local', 'localhost']);
  t.same(deviceNames('0x7f', {}).dns, ['0x7f.local', 'localhost']);
  t.same(deviceNames('board.300', {}).dns, ['board.local', 'localhost']);
  t.same(deviceNames('imx8.example', {}).dns, ['imx8.example', 'imx8.local', 'localhost']);
  const names = namesFrom(['Gate.example.', 'gate.example', '10.0.0.1', '[::1]', 'fe80::2%eth0']);
  t.same(names.dns, ['gate.example']);
  t.same(names.ip, ['10.0.0.1', '::1', 'fe80::2']);
  t.end();
});

t.test('the certificate of a host whose name is an address', async (t) => {
  const names = deviceNames('192.168.1.5', {});
  const { chain } = await ensureDeviceCertificate({ stateDir: join(t.testdirName, 'a'), names });
  const certificate = new X509Certificate(chain);
  t.match(certificate.subjectAltName, /IP Address:192\.168\.1\.5/);
  t.notMatch(certificate.subjectAltName, /DNS:192|192\.local/);
  t.equal(certificate.checkIP('192.168.1.5'), '192.168.1.5');
});
