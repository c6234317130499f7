// SPDX-License-Identifier: Apache-2.0
// What a chain and its key are checked for: every defect by itself, and all of them at once.

import { spawnSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkCertificate, type Finding } from '../../../src/certificates/check.js';
import { weaknessOf } from '../../../src/certificates/weak-signature.js';
import { type Made, make } from './certificates.js';

const dayMs = 24 * 3_600_000;
const nowMs = Date.now();
const common = { nowMs, buildDateMs: nowMs - 100 * dayMs };
const count = (text: string | undefined): number => text?.match(/BEGIN CERTIFICATE/g)?.length ?? 0;

async function hierarchy() {
  const root = await make({ isAuthority: true, commonName: 'Root' });
  const middle = await make({ isAuthority: true, commonName: 'Middle', issuer: root });
  const leaf = await make({ issuer: middle });
  return { root, middle, leaf };
}

const texts = (findings: Finding[]) => findings.map(({ kind, text }) => `${kind}: ${text}`);

t.test('a good chain has no findings, and is served in order', async (t) => {
  const { root, middle, leaf } = await hierarchy();
  const input = { ...common, privateKey: leaf.privateKey, wantedNames: ['gate'] };
  const good = await checkCertificate({ ...input, chain: leaf.pem + middle.pem + root.pem });
  t.same(good.findings, []);
  t.equal(count(good.pair?.chain), 3);

  const wrongOrder = [root.pem + middle.pem + leaf.pem, leaf.pem + root.pem + middle.pem];
  for (const chain of wrongOrder) {
    const { findings, pair } = await checkCertificate({ ...input, chain });
    t.match(texts(findings), [/^warning: .*(is not the first one|out of order)/]);
    t.equal(pair?.chain, good.pair?.chain);
  }
  const other = await make({ isAuthority: true, commonName: 'Other' });
  const extra = await checkCertificate({ ...input, chain: leaf.pem + other.pem + middle.pem });
  t.match(texts(extra.findings), [/^warning: left out, .* CN=Other/]);
  t.equal(count(extra.pair?.chain), 2);
  const oneFile = leaf.privateKey + leaf.pem;
  const combined = await checkCertificate({ ...input, chain: oneFile, privateKey: oneFile });
  t.same(combined.findings, []);
  t.equal(combined.pair?.privateKey, leaf.privateKey, 'the key alone is passed on');
});

t.test('two intermediates of one key: what is valid is served', async (t) => {
  const root = await make({ isAuthority: true, commonName: 'Root' });
  const wanted = { isAuthority: true, commonName: 'Middle', issuer: root };
  const middle = await make(wanted);
  const leaf = await make({ issuer: middle });
  const again = (notBeforeDays: number, notAfterDays: number) =>
    make({
      ...wanted,
      publicKey: middle.certificate.publicKey,
      notBefore: new Date(nowMs + notBeforeDays * dayMs),
      notAfter: new Date(nowMs + notAfterDays * dayMs),
    });
  const [expired, older, future] = [await again(-9, -1), await again(-9, 3), await again(9, 99)];
  const served = async (given: Made[], dates: object = {}) => {
    const chain = given.map(({ pem }) => pem).join('');
    const { findings, pair } = await checkCertificate({
      ...common,
      ...dates,
      chain,
      privateKey: leaf.privateKey,
    });
    const order = pair?.certificates.map(
      ({ raw }) => given.find(({ pem }) => new X509Certificate(pem).raw.equals(raw)) ?? leaf,
    );
    return { findings: texts(findings), order };
  };
  for (const worse of [expired, older, future]) {
    for (const given of [
      [leaf, worse, middle],
      [leaf, middle, worse],
      [leaf, worse, middle, root],
    ]) {
      const { findings, order } = await served(given);
      t.match(findings, [/^warning: left out, because the file has a better one .*CN=Middle/]);
      t.same(
        order,
        given.filter((one) => one !== worse),
      );
    }
  }
  const alone = await served([leaf, expired]);
  t.match(alone.findings, [/^date: CN=Middle ended on/], 'nothing better is there');
  t.same(alone.order, [leaf, expired]);
  const unset = await served([leaf, expired, middle], { buildDateMs: nowMs + dayMs });
  t.same(unset.order, [leaf, middle], 'a clock that is not set: the one that ends last');
  const twice = await served([leaf, middle, middle]);
  t.same(twice.findings, []);
  t.equal(twice.order?.length, 2);
});

t.test('cross-signed siblings stay, in order', async (t) => {
  const [newRoot, oldRoot] = [
    await make({ isAuthority: true, commonName: 'New Root' }),
    await make({ isAuthority: true, commonName: 'Old Root' }),
  ];
  const middle = await make({ isAuthority: true, commonName: 'Middle', issuer: newRoot });
  const { publicKey } = middle.certificate;
  const sibling = { isAuthority: true, commonName: 'Middle', publicKey };
  const cross = await make({ ...sibling, issuer: oldRoot });
  const dead = await make({ ...sibling, issuer: oldRoot, notAfter: new Date(nowMs - dayMs) });
  const leaf = await make({ issuer: middle });
  const serve = async (...given: Made[]) => {
    const chain = given.map(({ pem }) => pem).join('');
    const { findings, pair } = await checkCertificate({
      ...common,
      chain,
      privateKey: leaf.privateKey,
    });
    const order = pair?.certificates.map(({ raw }) =>
      given.findIndex(({ pem }) => new X509Certificate(pem).raw.equals(raw)),
    );
    return { findings: texts(findings), order };
  };
  const inOrder = [
    [leaf, middle, cross],
    [leaf, cross, middle],
    [leaf, middle, newRoot, cross, oldRoot],
    [leaf, middle, cross, newRoot, oldRoot],
  ];
  for (const given of inOrder) {
    t.same(await serve(...given), { findings: [], order: given.map((_, index) => index) });
  }
  const mixed = await serve(leaf, oldRoot, middle, cross);
  t.match(mixed.findings, [/^warning: the chain was out of order/]);
  t.same(mixed.order, [0, 2, 3, 1]);
  const ended = await serve(leaf, dead, middle, newRoot);
  t.match(ended.findings, [/^warning: left out, .*ended on/]);
  t.same(ended.order, [0, 2, 3]);
});

t.test('keys and curves', async (t) => {
  const judge = async (made: Made) => {
    const chain = made.pem;
    return checkCertificate({ ...common, chain, privateKey: made.privateKey });
  };
  for (const key of ['P-256', 'P-384', 'RSA-2048'] as const) {
    const { findings, pair } = await judge(await make({ key }));
    t.same(findings, [], key);
    t.ok(pair);
  }
  const ed = await judge(await make({ key: 'Ed25519' }));
  t.match(texts(ed.findings), [/^warning: .*ed25519, which no browser accepts/]);
  t.ok(ed.pair);
  const weak = await judge(await make({ key: 'RSA-1024' }));
  t.match(texts(weak.findings), [/^bad: the RSA key of CN=gate has 1024 bits; at least 2048/]);
  t.notOk(weak.pair);
  const issuer = await make({ key: 'RSA-SHA-1', isAuthority: true });
  const old = await judge(await make({ issuer }));
  t.match(texts(old.findings), [/^bad: CN=gate is signed with SHA-1$/]);
  t.notOk(old.pair);
});

t.test('a curve that TLS clients do not know', async (t) => {
  const key = join(t.testdir(), 'key');
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'];
  const all = ['req', '-x509', '-subj', '/CN=gate', '-addext', 'subjectAltName=DNS:gate'];
  const { stdout: chain } = spawnSync('openssl', [...all, '-nodes', '-keyout', key, ...curve], {
    encoding: 'utf8',
  });
  const input = { ...common, nowMs: Date.now(), chain, privateKey: readFileSync(key, 'utf8') };
  const { findings, pair } = await checkCertificate(input);
  t.match(texts(findings)[0], /^bad: the key of CN=gate is on secp256k1; use P-256$/);
  t.notOk(pair);
});

t.test('signatures of the past, made by OpenSSL', async (t) => {
  const directory = t.testdir();
  const pss = ['-sigopt', 'rsa_padding_mode:pss'];
  const cases: [string[], string | undefined][] = [
    [['-newkey', 'rsa:2048', '-md5'], 'MD5'],
    [['-newkey', 'rsa:2048', '-sha1'], 'SHA-1'],
    [['-newkey', 'rsa:2048', '-sha1', ...pss], 'SHA-1'],
    [['-newkey', 'rsa:2048', '-sha256', ...pss], undefined],
    [['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-sha1'], 'SHA-1'],
    [['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-sha256'], undefined],
  ];
  for (const [args, weakness] of cases) {
    const key = ['-nodes', '-keyout', join(directory, 'key')];
    const all = ['req', '-x509', '-subj', '/CN=gate', ...key, ...args];
    const { stdout, stderr } = spawnSync('openssl', all, { encoding: 'utf8' });
    t.match(stdout, /BEGIN/, stderr);
    t.equal(await weaknessOf(new X509Certificate(stdout).raw), weakness, args.join(' '));
  }
});

t.test('a forged chain', async (t) => {
  const { middle, leaf } = await hierarchy();
  const forged = await make({ isAuthority: true, commonName: 'Middle' });
  const input = { ...common, privateKey: leaf.privateKey };
  const bad = await checkCertificate({ ...input, chain: leaf.pem + forged.pem });
  t.match(texts(bad.findings), [/^bad: the signature of CN=gate was not made with .*CN=Middle/]);
  t.notOk(bad.pair);
  const both = await checkCertificate({ ...input, chain: leaf.pem + forged.pem + middle.pem });
  t.ok(both.pair, 'the right one of two with the same name is found');
});

t.test('dates, and a clock that cannot judge them', async (t) => {
  const ended = await make({ notBefore: new Date(nowMs - 9 * dayMs), notAfter: new Date(nowMs) });
  const future = await make({ notBefore: new Date(nowMs + 2 * dayMs) });
  for (const [made, text] of [
    [ended, /^date: CN=gate ended on /],
    [future, /^date: CN=gate is not valid before /],
  ] as const) {
    const input = { ...common, chain: made.pem, privateKey: made.privateKey };
    const judged = await checkCertificate(input);
    t.match(texts(judged.findings), [text]);
    t.ok(judged.pair, 'could be served');
    const epoch = await checkCertificate({ ...input, nowMs: 0 });
    t.same(epoch.findings, [], 'in 1970 no date is judged');
  }
});

t.test('files that hold something else', async (t) => {
  const { middle, leaf } = await hierarchy();
  const input = { ...common, chain: leaf.pem, privateKey: leaf.privateKey };
  const encrypted = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' },
  }).privateKey;
  const broken = leaf.pem.replace(/\n[\w+/]{10}/, '\nAAAAAAAAAA');
  const cases: [object, RegExp][] = [
    [{ chain: '' }, /^bad: there is no certificate in PEM form/],
    [{ chain: broken }, /^bad: certificate 1 of the file cannot be parsed/],
    [{ chain: leaf.pem.repeat(11) }, /^bad: there are 11 certificates; .* at most 10/],
    [{ privateKey: '' }, /^bad: there is no private key in PEM form/],
    [{ privateKey: leaf.privateKey.slice(0, 100) }, /^bad: there is no private key/],
    [{ privateKey: leaf.privateKey.replace(/\n\w{9}/, '\nAAAAAAAAA') }, /^bad: there is no priv/],
    [{ privateKey: encrypted }, /^bad: the private key is encrypted/],
    [{ privateKey: middle.privateKey }, /^mismatch: the private key does not match .* CN=gate/],
  ];
  for (const [change, text] of cases) {
    const { findings, pair } = await checkCertificate({ ...input, ...change });
    t.match(texts(findings)[0], text);
    t.notOk(pair);
    t.notMatch(JSON.stringify(findings), /MI[GH]|BEGIN/, 'no part of the key');
  }
});

t.test('what it may be used for, and its names', async (t) => {
  const judge = async (made: Made, wantedNames: string[] = []) =>
    texts(
      (
        await checkCertificate({
          ...common,
          chain: made.pem,
          privateKey: made.privateKey,
          wantedNames,
        })
      ).findings,
    );
  t.match(await judge(await make({ uses: ['1.3.6.1.5.5.7.3.2'] })), [/^bad: .* lacks serverAuth/]);
  t.same(await judge(await make({ uses: [] })), []);
  t.match(await judge(await make({ dns: [] })), [/^warning: .*no subject alternative name/]);
  const made = await make({ dns: ['gate', '*.example.org', '192.0.2.1'] });
  t.same(await judge(made, ['gate', 'a.example.org', '192.0.2.1']), []);
  t.match(await judge(made, ['gate', 'door', '192.0.2.2']), [
    /^warning: .*cover door, 192\.0\.2\.2/,
  ]);
  t.match(await judge(await make({ isAuthority: true })), [
    /^warning: .*of an authority/,
    /no subj/,
  ]);
});

t.test('everything that is wrong is said at once', async (t) => {
  const issuer = await make({ key: 'RSA-SHA-1', isAuthority: true });
  const made = await make({
    issuer,
    key: 'RSA-1024',
    notAfter: new Date(nowMs - 1),
    dns: ['other'],
  });
  const { findings } = await checkCertificate({
    ...common,
    chain: made.pem,
    privateKey: (await make()).privateKey,
    wantedNames: ['gate'],
  });
  t.match(texts(findings), [/^mismatch/, /^bad: .*1024/, /^date/, /^bad: .*SHA-1/, /cover gate$/]);
});
