// SPDX-License-Identifier: Apache-2.0
// The commands on certificates: what they print, what they write, and their exit codes.

import { spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { deviceDirOf, ensureDeviceCertificate } from '../../../src/certificates/device.js';
import {
  certificateCa,
  certificateCheck,
  certificateRenew,
  certificateRequest,
  certificateShow,
} from '../../../src/commands/certificate.js';
import { make } from '../certificates/certificates.js';

function streams() {
  const texts = { out: '', err: '' };
  const write = (name: 'out' | 'err') => (text: string) => {
    texts[name] += text;
  };
  return { texts, stdout: { write: write('out') }, stderr: { write: write('err') } };
}

const names = { commonName: 'gate', dns: ['gate'], ip: ['127.0.0.1'] };

t.test('ca', async (t) => {
  const stateDir = t.testdir();
  const before = streams();
  t.equal(await certificateCa({ stateDir }, before), 1);
  t.match(before.texts, { out: '', err: /the first start makes it/ });
  const { chain } = await ensureDeviceCertificate({ stateDir, names });
  const io = streams();
  t.equal(await certificateCa({ stateDir }, io), 0);
  t.ok(new X509Certificate(chain).checkIssued(new X509Certificate(io.texts.out)));
});

t.test('request: read by OpenSSL, with a new key, and with the same key again', async (t) => {
  const privateKeyFile = join(t.testdir(), 'gate.key');
  const names = ['gate.example.org', '192.0.2.7', 'gate'];
  const first = streams();
  t.equal(await certificateRequest({ names, privateKeyFile }, first), 0);
  t.equal(statSync(privateKeyFile).mode & 0o777, 0o600);
  const key = readFileSync(privateKeyFile, 'utf8');
  t.equal(createPrivateKey(key).asymmetricKeyDetails?.namedCurve, 'prime256v1');
  const openssl = (input: string) =>
    spawnSync('openssl', ['req', '-verify', '-noout', '-text', '-pubkey'], {
      input,
      encoding: 'utf8',
    });
  const read = openssl(first.texts.out);
  t.equal(read.status, 0, read.stderr);
  t.match(read.stdout, /Subject: CN = gate\.example\.org/);
  t.match(read.stdout, /DNS:gate\.example\.org, DNS:gate, IP Address:192\.0\.2\.7/);
  const again = streams();
  t.equal(await certificateRequest({ names, privateKeyFile }, again), 0);
  t.equal(readFileSync(privateKeyFile, 'utf8'), key);
  const publicKey = /-----BEGIN PUBLIC KEY-----[^-]+/;
  t.equal(
    publicKey.exec(openssl(again.texts.out).stdout)?.[0],
    publicKey.exec(read.stdout)?.[0],
    'the same key',
  );
  t.notMatch(JSON.stringify([first.texts, again.texts]), /PRIVATE/);
  writeFileSync(privateKeyFile, (await make({ key: 'RSA-2048' })).privateKey);
  const refused = certificateRequest({ names, privateKeyFile }, streams());
  await t.rejects(refused, { name: 'StartError', message: /holds no ECDSA P-256 key/ });
  await t.rejects(certificateRequest({ names: [], privateKeyFile }, streams()), /give the names/);
  const absent = certificateRequest({ names, privateKeyFile: '/absent/key' }, streams());
  await t.rejects(absent, { name: 'StartError', message: /ENOENT/ });
});

t.test('show and check', async (t) => {
  const directory = t.testdir();
  const stateDir = join(directory, 'state');
  const made = await make({});
  const files = { certificate: join(directory, 'c.pem'), privateKey: join(directory, 'k.pem') };
  writeFileSync(files.certificate, made.pem);
  writeFileSync(files.privateKey, made.privateKey, { mode: 0o600 });
  await ensureDeviceCertificate({ stateDir, names });
  const json = streams();
  const installed = [files];
  t.equal(await certificateShow({ stateDir, installed, json: true }, json), 0);
  t.match(JSON.parse(json.texts.out), [
    { source: files.certificate, sans: ['DNS:gate'] },
    { source: 'device', subject: 'CN=gate', issuer: /device CA/, daysLeft: 364 },
    { source: 'authority' },
  ]);
  const text = streams();
  t.equal(await certificateShow({ stateDir, installed: [], json: false }, text), 0);
  t.match(text.texts.out, /^device\n {2}subject {6}CN=gate\n[\s\S]*\(364 days left\)/);
  t.notMatch(text.texts.out + json.texts.out, /PRIVATE/);

  const good = streams();
  t.equal(await certificateCheck({ ...files, wantedNames: ['door'] }, good), 0);
  t.match(good.texts, { out: /^ok: /, err: /^warning: .*does not cover door\n$/ });
  writeFileSync(files.privateKey, (await make({})).privateKey, { mode: 0o644 });
  const bad = streams();
  t.equal(await certificateCheck(files, bad), 1);
  t.match(bad.texts, { out: '', err: /^problem: .*does not match/ });
  const absent = certificateCheck({ ...files, privateKey: '/absent' }, streams());
  await t.rejects(absent, { name: 'StartError', message: /cannot read \/absent: ENOENT/ });
});

t.test('renew', async (t) => {
  const stateDir = t.testdir();
  const early = streams();
  t.equal(await certificateRenew({ stateDir }, early), 1);
  await ensureDeviceCertificate({ stateDir, names });
  const io = streams();
  t.equal(await certificateRenew({ stateDir }, io), 0);
  t.match(io.texts.out, /^Asked for: device\. .*systemctl reload spliced/);
  t.ok(existsSync(join(deviceDirOf(stateDir), 'renew-now')));
});
