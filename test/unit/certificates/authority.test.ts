// SPDX-License-Identifier: Apache-2.0
// The device's authority as clients see it: real OpenSSL and curl trust it once, and every later
// certificate of the device with it; and what it cannot vouch for.

import { execFile, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { promisify } from 'node:util';
import t from 'tap';
import { ensureAuthority, readAuthorityCertificate } from '../../../src/certificates/authority.js';
import { dayMs } from '../../../src/certificates/clock.js';
import { ensureDeviceCertificate } from '../../../src/certificates/device.js';
import { issueCertificate } from '../../../src/certificates/issue.js';

const buildDateMs = Date.now() - 30 * dayMs;
const names = {
  commonName: 'gate',
  dns: ['gate', 'gate.local', 'localhost'],
  ip: ['127.0.0.1', '::1'],
};
const common = { names, buildDateMs };

const authorityOf = (stateDir: string): string => {
  const certificate = readAuthorityCertificate(join(stateDir, 'certificates'));
  if (certificate === undefined) throw new Error('there is no authority');
  return certificate;
};

t.test('openssl verify and curl trust what the authority signed, now and later', async (t) => {
  const stateDir = t.testdir();
  const first = await ensureDeviceCertificate({ ...common, stateDir });
  const trusted = join(stateDir, 'ca.pem');
  writeFileSync(trusted, authorityOf(stateDir));
  const later = await ensureDeviceCertificate({ ...common, stateDir, force: 'a test' });
  t.not(later.fingerprint, first.fingerprint);
  for (const { chain, privateKey } of [first, later]) {
    const leaf = join(stateDir, 'leaf.pem');
    writeFileSync(leaf, chain);
    const args = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', trusted];
    const verified = spawnSync('openssl', [...args, leaf], { encoding: 'utf8' });
    t.equal(verified.stdout.trim(), `${leaf}: OK`, verified.stderr);

    const server = createServer({ cert: chain, key: privateKey }, (socket) => {
      socket.on('error', () => {});
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      for (const host of ['gate', 'gate.local', '127.0.0.1']) {
        const to = ['--resolve', `${host}:${port}:127.0.0.1`, `https://${host}:${port}/`];
        const curl = ['-sS', '--noproxy', '*', '--max-time', '20', '--cacert', trusted, ...to];
        t.equal((await promisify(execFile)('curl', curl)).stdout, 'ok', host);
      }
    } finally {
      server.close();
    }
  }
});

t.test('the certificate of the authority', async (t) => {
  const stateDir = t.testdir();
  await ensureDeviceCertificate({ ...common, stateDir });
  const authority = new X509Certificate(authorityOf(stateDir));
  t.ok(authority.ca);
  t.equal(Date.parse(authority.validFrom), Math.floor(buildDateMs / 1000) * 1000);
  t.match(authority.validTo, /9999 GMT$/);
  const text = spawnSync('openssl', ['x509', '-noout', '-text'], {
    input: authorityOf(stateDir),
    encoding: 'utf8',
  }).stdout;
  t.match(text, /Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
  t.match(text, /Name Constraints: critical\s+Permitted:\s+DNS:local\s+DNS:localhost\s+DNS:gate\n/);
  t.match(text, /Key Usage: critical\s+Certificate Sign\n/);
  const other = t.testdir({ other: {} });
  await ensureDeviceCertificate({ ...common, stateDir: join(other, 'other') });
  const unlike = new X509Certificate(authorityOf(join(other, 'other')));
  t.not(unlike.subject, authority.subject, 'each device has its own');
});

t.test('it cannot vouch for the names of others', async (t) => {
  const stateDir = t.testdir();
  await ensureDeviceCertificate({ ...common, stateDir });
  const authority = await ensureAuthority(join(stateDir, 'certificates'), names, buildDateMs);
  t.equal(authority.madeBecause, undefined);
  const verify = async (dns: string): Promise<string> => {
    const subject = { commonName: 'x', dns: [dns], ip: ['192.0.2.1'] };
    const { certificate } = await issueCertificate(subject, Date.now() - dayMs, authority);
    writeFileSync(join(stateDir, 'ca.pem'), authority.certificate);
    const args = ['verify', '-CAfile', join(stateDir, 'ca.pem')];
    const result = spawnSync('openssl', args, { input: certificate, encoding: 'utf8' });
    return `${result.stdout}${result.stderr}`;
  };
  t.match(await verify('www.gate'), /OK/);
  t.match(await verify('printer.local'), /OK/);
  t.match(await verify('bank.example'), /permitted subtree violation/);
});

t.test('a new host name needs a new authority, and the certificate follows', async (t) => {
  const stateDir = t.testdir();
  const first = await ensureDeviceCertificate({ ...common, stateDir });
  const before = authorityOf(stateDir);
  const local = { ...names, dns: ['localhost', 'door.local'] };
  await ensureDeviceCertificate({ ...common, stateDir, names: local });
  t.equal(authorityOf(stateDir), before, 'a name in .local is covered');
  const renamed = { ...names, dns: ['door', 'door.local'] };
  await ensureDeviceCertificate({ ...common, stateDir, names: renamed });
  t.not(authorityOf(stateDir), before);

  // A power cut between the new authority and the certificate that it was made for.
  const { chain, privateKey } = first;
  t.ok(chain && privateKey);
  const torn = join(stateDir, 'torn');
  await ensureDeviceCertificate({ ...common, stateDir: torn });
  await ensureAuthority(join(torn, 'certificates'), renamed, buildDateMs);
  const followed = await ensureDeviceCertificate({ ...common, stateDir: torn });
  t.match(followed.renewedBecause, /authority is a new one/);
  rmSync(join(torn, 'certificates/authority'), { recursive: true });
  const lost = await ensureDeviceCertificate({ ...common, stateDir: torn });
  t.match(lost.renewedBecause, /authority that signed it is lost/);
});

t.test('addresses that come and go', async (t) => {
  const stateDir = t.testdir();
  const withAddress = (...ip: string[]) => ({ ...common, stateDir, names: { ...names, ip } });
  await ensureDeviceCertificate(withAddress('192.0.2.1', '2001:db8::1'));
  const moved = await ensureDeviceCertificate(withAddress('192.0.2.2', '2001:db8::1'));
  t.match(moved.renewedBecause, /does not name 192\.0\.2\.2$/);
  const back = await ensureDeviceCertificate(withAddress('192.0.2.1', '2001:db8::1'));
  t.equal(back.renewedBecause, undefined, 'the former address is still covered');
  t.match(new X509Certificate(moved.chain).subjectAltName, /DB8:0:0:0:0:0:1, [^,]*192\.0\.2\.1$/);
  const { chain } = await ensureDeviceCertificate({ ...withAddress('192.0.2.2'), force: 'a test' });
  t.equal(new X509Certificate(chain).checkIP('192.0.2.1'), undefined, 'until the next renewal');
  for (let i = 3; i < 40; i += 1) await ensureDeviceCertificate(withAddress(`192.0.2.${i}`));
  const last = await ensureDeviceCertificate(withAddress('192.0.2.39'));
  const count = (new X509Certificate(last.chain).subjectAltName ?? '').match(/IP Address/g)?.length;
  t.equal(count, 17, 'a bounded number of them');
});

t.test('the state directory of version 0.1 is taken over', async (t) => {
  const stateDir = t.testdir();
  const generation = join(stateDir, 'certificates/generation-0123456789ab');
  mkdirSync(generation, { recursive: true });
  const former = await issueCertificate(names, Date.now() - dayMs);
  writeFileSync(join(generation, 'certificate.pem'), former.certificate);
  writeFileSync(join(generation, 'private-key.pem'), former.privateKey);
  symlinkSync('generation-0123456789ab', join(stateDir, 'certificates/current'));
  const damaged = join(stateDir, 'damaged');
  cpSync(join(stateDir, 'certificates'), join(damaged, 'certificates'), {
    recursive: true,
    verbatimSymlinks: true,
  });
  writeFileSync(join(damaged, 'certificates/current/private-key.pem'), '');

  const taken = await ensureDeviceCertificate({ ...common, stateDir });
  t.equal(taken.chain, former.certificate);
  t.equal(taken.renewedBecause, undefined);
  t.notOk(existsSync(generation));
  t.notOk(existsSync(join(stateDir, 'certificates/current')));
  const again = await ensureDeviceCertificate({ ...common, stateDir });
  t.equal(again.fingerprint, taken.fingerprint);
  const renewed = await ensureDeviceCertificate({ ...common, stateDir, force: 'a test' });
  t.ok(new X509Certificate(renewed.chain).checkIssued(new X509Certificate(authorityOf(stateDir))));

  const replaced = await ensureDeviceCertificate({ ...common, stateDir: damaged });
  t.match(replaced.renewedBecause, /cannot be used/);
  t.equal(
    (await ensureDeviceCertificate({ ...common, stateDir: damaged })).renewedBecause,
    undefined,
  );
  t.notOk(existsSync(join(damaged, 'certificates/current')));
});
