// SPDX-License-Identifier: Apache-2.0
// Private keys in a token: SoftHSM's, by OpenSSL's provider for PKCS #11, in the Node that runs this.

import { createHash, createPrivateKey, webcrypto, X509Certificate } from 'node:crypto';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import t from 'tap';
import { checkInstalled, refusalOf } from '../../src/certificates/installed.js';
import { certificateRequest } from '../../src/commands/certificate.js';
import { loadNative } from '../../src/engine/native.js';
import { matchTokenKey } from '../../src/tls/token-key.js';
import { get, newPair, startService } from './service.js';
import { newToken, pin, softHsm } from './token.js';

const module = softHsm;
const token = newToken(t, ['device', 'locked', 'late']);
const { directory, file: inDirectory, pinFile, softHsmUtil: hsm, uriOf } = token;

const ec = await token.newPair('tls', '01', 'ec');
const rsa = await token.newPair('rsa', '02', 'rsa');
const { matchKey } = loadNative();

t.test('the token signs the handshakes, and Node goes on as before', async (t) => {
  for (const [label, one] of Object.entries({ ec, rsa })) {
    const { chain, privateKey } = one;
    const running = await startService(t, { 'a.txt': 'hello' }, { certificates: [one] });
    running.pair = { chain, privateKey };
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const versions = { minVersion: version, maxVersion: version };
      const answer = await get(running, { path: '/a.txt', ...versions });
      t.equal(answer.body.toString(), 'hello', `${label}, ${version}`);
      t.equal(answer.fingerprint, new X509Certificate(chain).fingerprint256);
    }
    t.equal(JSON.parse(running.service.stats()).tls.handshakes.full, 2);
    running.service.close();
  }
  const pem = (await newPair()).privateKey;
  t.equal(createPrivateKey(pem).asymmetricKeyType, 'ec');
  const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  t.equal(createHash('sha256').update('').digest('hex'), empty);
});

t.test('a pair in the token beside one in a file, swapped while it serves', async (t) => {
  const running = await startService(t, { 'a.txt': 'hello' });
  const first = await get(running, { path: '/a.txt' });
  running.service.replaceCertificates([ec, rsa]);
  running.pair = ec;
  const second = await get(running, { path: '/a.txt' });
  t.not(first.fingerprint, second.fingerprint);
  const lost = { chain: ec.chain, privateKey: uriOf('lost') };
  t.throws(() => running.service.replaceCertificates([lost]), { code: 'ECERTIFICATE' });
  t.equal((await get(running, { path: '/a.txt' })).fingerprint, second.fingerprint, 'kept');
});

t.test('which certificate the key belongs to', async (t) => {
  t.equal(await matchKey(uriOf('tls'), [rsa.chain, ec.chain]), 1);
  t.equal(await matchKey(uriOf('tls'), [rsa.chain]), -1);
  const dates = [Date.now(), 0] as const;
  const good = { certificate: ec.file, privateKey: uriOf('tls') };
  const checked = await checkInstalled(good, ...dates);
  t.same(checked.findings, []);
  t.equal(checked.pair?.privateKey, uriOf('tls'));
  const mixed = { certificate: rsa.file, privateKey: uriOf('tls') };
  const refused = await checkInstalled(mixed, ...dates);
  t.equal(refused.pair, undefined);
  t.match(refusalOf(mixed, refused), /pkcs11:token=device;object=tls cannot be used: .* not match/);
  t.notMatch(refusalOf(mixed, refused), /pin-source/);
});

t.test('what is wrong is said, with the module and the token, and never a PIN', async (t) => {
  const wrongPin = inDirectory('wrong-pin', '000000');
  const otherModule = join(directory, 'module.so');
  copyFileSync('/dev/null', otherModule);
  const cases: [string, string, RegExp][] = [
    ['no such object', uriOf('lost'), /libsofthsm2\.so has no key for .*object=lost.*token is/],
    [
      'no such token',
      uriOf('tls').replace('token=device', 'token=other'),
      /libsofthsm2\.so has no key for pkcs11:token=other/,
    ],
    // Who is logged in needs no PIN any more, so this is another token.
    [
      'a wrong PIN',
      uriOf('tls').replace('device', 'locked').replace(pinFile, wrongPin),
      /no key for .*token=locked.* PIN/,
    ],
    ['no PIN file', uriOf('tls').replace(pinFile, '/nowhere'), /no PIN .*pin-source/],
    [
      'no module',
      uriOf('tls').replace(module, '/nowhere.so'),
      /nowhere\.so is not there.*module-p/,
    ],
    [
      'a module that is none',
      uriOf('tls').replace(module, otherModule),
      /module\.so does not start/,
    ],
    ['a PIN in the open', uriOf('tls', `&pin-value=${pin}`), /pin-source=file.*not pin-value/],
    ['no credentials', uriOf('tls').replace(`file:${pinFile}`, 'credential:pin'), /LoadCredential/],
    ['a credential elsewhere', 'pkcs11:?pin-source=credential:../pin', /no name of a credential/],
    ['a broken module-path', 'pkcs11:?module-path=%2', /percent-encoded/],
  ];
  for (const [label, uri, expected] of cases) {
    const error = await matchKey(uri, [ec.chain]).then(
      () => undefined,
      (reason) => reason,
    );
    t.match(error, { code: 'EKEY', message: expected }, label);
    t.notMatch(error?.message, new RegExp(`${pin}|000000|${pinFile}|${wrongPin}`), label);
  }
  process.env.OPENSSL_MODULES = '/nowhere';
  const fresh = uriOf('tls').replace(module, join(directory, 'second.so'));
  copyFileSync(module, join(directory, 'second.so'));
  await t.rejects(matchKey(fresh, [ec.chain]), /install the package pkcs11-provider/);
});

t.test('a credential of the service manager has the PIN', async (t) => {
  process.env.CREDENTIALS_DIRECTORY = directory;
  const uri = uriOf('tls').replace(`file:${pinFile}`, 'credential:pin');
  t.equal(await matchKey(uri, [ec.chain]), 0);
});

t.test('requests for certificates are signed in the token', async (t) => {
  for (const pair of [ec, rsa]) {
    const out: string[] = [];
    const told: string[] = [];
    const streams = {
      stdout: { write: (text: string) => out.push(text) },
      stderr: { write: (text: string) => told.push(text) },
    };
    const command = { names: ['gate.example', '192.0.2.7'], privateKeyFile: pair.privateKey };
    t.equal(await certificateRequest(command, streams), 0);
    const request = new Pkcs10CertificateRequest(out.join(''));
    t.ok(await request.verify(webcrypto as never), 'the signature is right');
    const { publicKey } = new X509Certificate(pair.chain);
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    t.ok(Buffer.from(request.publicKey.rawData).equals(spki), "and by the token's key");
    t.match(told.join(), /^Used pkcs11:token=device;object=\w+, which stays where it is\.\n$/);
    t.notMatch(out.join(), /PRIVATE/);
  }
  const lost = { names: ['gate.example'], privateKeyFile: uriOf('lost') };
  const silent = { stdout: { write: () => {} }, stderr: { write: () => {} } };
  await t.rejects(certificateRequest(lost, silent), /libsofthsm2\.so has no key for .*object=lost/);
});

t.test('a refusal is kept until somebody asks', async (t) => {
  const file = inDirectory('late-pin', '000000');
  const uri = uriOf('rsa').replace('device', 'late').replace(pinFile, file);
  const p8 = join(directory, 'rsa.p8');
  hsm('--import', p8, '--token', 'late', '--label', 'rsa', '--id', '02', '--pin', pin);
  await t.rejects(matchTokenKey(uri, [rsa.chain], true), /no key/);
  writeFileSync(file, pin);
  await t.rejects(
    matchTokenKey(uri, [rsa.chain], false),
    /no key/,
    'the token was not asked again',
  );
  t.equal(await matchTokenKey(uri, [rsa.chain], true), 0);
});
