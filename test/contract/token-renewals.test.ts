// SPDX-License-Identifier: Apache-2.0
// Keys that are made in a token, and certificates that are renewed for them: the device's own, by EST and
// by ACME, each from a real server. The token is SoftHSM behind slow-token.c, which can be pulled.

import { execFileSync, spawnSync } from 'node:child_process';
import { createPublicKey, X509Certificate } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readAuthorityCertificate } from '../../src/certificates/authority.js';
import { ChallengeResponses } from '../../src/certificates/challenges.js';
import { dayMs, hourMs } from '../../src/certificates/clock.js';
import { certificatesDirOf, deviceDirOf } from '../../src/certificates/device.js';
import { DeviceSource } from '../../src/certificates/device-source.js';
import { EnrolmentSource, enrolmentDirOf } from '../../src/certificates/enrolment.js';
import type { EnrolmentOptions } from '../../src/certificates/enrolment-options.js';
import type { Report, Served, Source } from '../../src/certificates/source.js';
import { certificateCa } from '../../src/commands/certificate.js';
import { certificateKey } from '../../src/commands/certificate-key.js';
import { noHousekeeping } from '../../src/files/housekeeping.js';
import { makeTokenKey, type TokenKey } from '../../src/tls/token-key.js';
import { serveChallenges } from '../unit/certificates/acme-challenges.js';
import { startAcmeServer } from '../unit/certificates/acme-server.js';
import { operator, startEstServer } from '../unit/certificates/est-server.js';
import { FakeClock } from '../unit/certificates/fake-clock.js';
import { get, names, startService } from './service.js';
import { newToken } from './token.js';

const token = newToken(t, ['device'], 'slow-token.so');
const { directory, pinFile, uriOf } = token;
const cc = ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', join(directory, 'slow-token.so')];
execFileSync('cc', [...cc, 'test/contract/slow-token.c', '-ldl']);
const mood = token.file('mood', '0');
process.env.SLOW_TOKEN = mood;
const become = (text: string): void => writeFileSync(mood, text);

/** Boolean attributes of the private keys in SoftHSM's files, one set a key. */
function attributesInToken(): Record<string, string>[] {
  const found: Record<string, string>[] = [];
  const tokens = join(directory, 'tokens');
  for (const name of readdirSync(tokens, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.object') || name.endsWith('token.object')) continue;
    // It exits with 1 at the end of every file.
    const { stdout: dump } = spawnSync('softhsm2-dump-file', [join(tokens, name)], {
      encoding: 'utf8',
    });
    if (!dump.includes('CKO_PRIVATE_KEY')) continue;
    const pairs = dump.matchAll(/(CKA_\w+)\n.* boolean attribute\n.* (TRUE|FALSE)\n/g);
    found.push(Object.fromEntries([...pairs].map(([, key, value]) => [key, value])));
  }
  return found;
}

const fingerprintOf = (pem: string): string => new X509Certificate(pem).fingerprint256;
const keyIn = ({ certificate }: Served): string =>
  String(certificate.publicKey.export({ type: 'spki', format: 'pem' }));

const authorityOf = (state: string): string =>
  readAuthorityCertificate(certificatesDirOf(state)) ?? '';

/** Every file below that could hold a key. */
const keyFiles = (below: string): string[] =>
  readdirSync(below, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('key.pem'),
  );

/** An engine serves it, and who trusts `anchors` gets it. */
async function servesBy(t: Test, { chain, privateKey }: Served, anchors: string): Promise<void> {
  const certificates = [{ chain, privateKey }];
  const running = await startService(t, { 'a.txt': 'hello' }, { certificates });
  running.pair = { chain: anchors, privateKey: '' };
  t.equal((await get(running, { path: '/a.txt' })).fingerprint, fingerprintOf(chain));
  running.service.close();
}

function bench(t: Test) {
  const state = mkdtempSync(join(directory, 'state-')); // An engine's files are in the test's own.
  const clock = new FakeClock(Date.now());
  const reports: Report[] = [];
  const changes: string[] = [];
  const runtime = {
    clock,
    housekeeping: noHousekeeping,
    buildDateMs: Date.now() - 100 * dayMs,
    report: (report: Report) => reports.push(report),
    changed: (reason: string) => changes.push(reason),
  };
  const begin = async <T extends Source>(source: T): Promise<T> => {
    t.teardown(() => source.close());
    await source.start();
    return source;
  };
  return { state, clock, reports, changes, runtime, begin };
}

t.test('a key is made in the token, once, and cannot be taken out', async (t) => {
  const out: string[] = [];
  const told: string[] = [];
  const streams = {
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => told.push(text) },
  };
  const kinds = { a: ['P-256', 'ec'], b: ['P-384', 'ec'], c: ['RSA-2048', 'rsa'] };
  for (const [object, [type, kind]] of Object.entries(kinds)) {
    t.equal(await certificateKey({ reference: uriOf(object), isMade: true, type }, streams), 0);
    t.equal(createPublicKey(out.at(-1) ?? '').asymmetricKeyType, kind);
  }
  t.match(
    told[0],
    /^Made pkcs11:token=device;object=a \(P-256\), which cannot be taken out of its token\.$/m,
  );
  t.notMatch(out.join() + told.join(), /PRIVATE|pin-source/);
  const keys = attributesInToken();
  t.equal(keys.length, 3);
  const expected = {
    SENSITIVE: 'TRUE',
    EXTRACTABLE: 'FALSE',
    NEVER_EXTRACTABLE: 'TRUE',
    SIGN: 'TRUE',
  };
  for (const [name, value] of Object.entries(expected)) {
    for (const key of keys) t.equal(key[`CKA_${name}`], value, name);
  }
  const again = { reference: uriOf('a'), isMade: true };
  await t.rejects(certificateKey(again, streams), /object=a is there already; nothing was made/);
  t.equal(attributesInToken().length, 3);
  t.equal(await certificateKey({ reference: uriOf('a'), isMade: false }, streams), 0);
  t.equal(out.at(-1), out[0], 'the same public key');
});

t.test('what a key cannot be made of, and two who ask at once', async (t) => {
  const refused: [string, string, RegExp][] = [
    [uriOf('d'), 'P-224', /is of the kind P-256/],
    [uriOf('d').replace('token=device', 'token=other'), 'P-256', /no key for pkcs11:token=other/],
    [uriOf('d').replace(';object=d', ''), 'P-256', /say where the key is to be made/],
    [uriOf('d').replace(pinFile, '/nowhere'), 'P-256', /there is no PIN/],
  ];
  for (const [reference, kind, expected] of refused) {
    await t.rejects(makeTokenKey(reference, kind as 'P-256'), expected);
  }
  const before = attributesInToken().length;
  const both = await Promise.all([0, 1].map(() => makeTokenKey(uriOf('two'), 'P-256')));
  t.same(both.sort(), [false, true]);
  t.equal(attributesInToken().length, before + 1);
});

t.test("the device's own: made at the first start, and the key stays", async (t) => {
  const { state, clock, reports, changes, runtime, begin } = bench(t);
  const tokenKey = { reference: uriOf('own'), kindToMake: 'P-256' as const };
  const newSource = () => new DeviceSource(state, runtime, () => names, tokenKey);
  const source = await begin(newSource());
  const [first] = source.served() as [Served];
  t.equal(first.privateKey, tokenKey.reference);
  t.same(keyFiles(deviceDirOf(state)), [], 'no key is stored');
  const authority = readAuthorityCertificate(certificatesDirOf(state)) ?? '';
  await servesBy(t, first, authority);

  const [again] = (await begin(newSource())).served() as [Served];
  t.equal(again.chain, first.chain, 'kept over a restart');
  clock.wallMs += 250 * dayMs;
  await source.look('tick');
  const [renewed] = source.served() as [Served];
  t.same(changes, ['two thirds of its life are over']);
  t.not(renewed.chain, first.chain);
  t.equal(keyIn(renewed), keyIn(first));
  t.same(keyFiles(deviceDirOf(state)), []);
  t.same(reports, []);
  const [file] = (await begin(new DeviceSource(state, runtime, () => names))).served() as [Served];
  t.match(file.privateKey, /PRIVATE KEY/, 'without the setting it is a file again');
});

t.test('the authority: its key is made in the token, of each kind, and signs there', async (t) => {
  for (const kind of ['P-256', 'P-384', 'RSA-2048'] as const) {
    const { state, clock, reports, runtime, begin } = bench(t);
    const key = { reference: uriOf(`ca-${kind}`), kindToMake: kind };
    const source = await begin(new DeviceSource(state, runtime, () => names, undefined, key));
    const [served] = source.served() as [Served];
    const authority = authorityOf(state);
    t.same(keyFiles(join(certificatesDirOf(state), 'authority')), []);
    t.ok(served.certificate.verify(new X509Certificate(authority).publicKey), kind);
    t.match(served.privateKey, /PRIVATE KEY/, 'the key of the certificate is another matter');
    await servesBy(t, served, authority);
    clock.wallMs += 250 * dayMs;
    await source.look('tick');
    const [renewed] = source.served() as [Served];
    t.not(renewed.chain, served.chain);
    t.equal(authorityOf(state), authority, 'users go on trusting it');
    t.ok(renewed.certificate.verify(new X509Certificate(authority).publicKey));
    const out: string[] = [];
    const streams = { stdout: { write: (text: string) => out.push(text) }, stderr: process.stderr };
    t.equal(await certificateCa({ stateDir: state }, streams), 0);
    t.equal(out.join(''), authority, 'spliced certificate ca');
    t.same(reports, []);
  }
});

t.test('a token that does not answer is no reason for another authority', async (t) => {
  const { state, reports, changes, runtime, begin } = bench(t);
  const newSource = (key: TokenKey, own?: TokenKey) =>
    begin(new DeviceSource(state, runtime, () => names, own, key));
  const reference = uriOf('ca-late');
  await newSource({ reference, kindToMake: 'P-256' });
  const authority = authorityOf(state);
  const pinOfLate = join(directory, 'authority-pin');
  const late = { reference: reference.replace(pinFile, pinOfLate), kindToMake: undefined };
  const own = { reference: uriOf('under-ca'), kindToMake: 'P-256' as const };
  const source = await newSource(late, own);
  const [kept] = source.served() as [Served];
  t.match(kept.privateKey, /PRIVATE KEY/);
  t.match(reports, [
    { event: 'certificate_not_renewed', reason: /^tls\.authority_key: .*there is no PIN/ },
  ]);
  t.equal(authorityOf(state), authority);
  writeFileSync(pinOfLate, readFileSync(pinFile));
  await source.look('tick');
  t.equal(source.served()[0]?.privateKey, own.reference, 'both keys in the token');
  t.equal(authorityOf(state), authority);
  await servesBy(t, source.served()[0] as Served, authority);
  t.same(changes.slice(-1), ['its key is to be in the token']);
});

t.test(
  'the authority: a file goes to the token by a new authority, at the next start',
  async (t) => {
    const { state, reports, runtime, begin } = bench(t);
    await begin(new DeviceSource(state, runtime, () => names));
    const file = authorityOf(state);
    const key = { reference: uriOf('moved-ca'), kindToMake: undefined };
    await begin(new DeviceSource(state, runtime, () => names, undefined, key));
    t.match(reports, [
      { reason: /^tls\.authority_key: .*no key.*the authority's key is to be in the token\)$/ },
    ]);
    t.equal(authorityOf(state), file, 'what there is goes on');
    await makeTokenKey(key.reference, 'P-256');
    const after = await begin(new DeviceSource(state, runtime, () => names, undefined, key));
    t.not(authorityOf(state), file);
    await servesBy(t, after.served()[0] as Served, authorityOf(state));
    const state2 = mkdtempSync(join(directory, 'state-'));
    const lost = { reference: uriOf('no-such-ca'), kindToMake: undefined };
    const none = new DeviceSource(state2, runtime, () => names, undefined, lost);
    await t.rejects(none.start(), /^tls\.authority_key: .*no key for pkcs11:.*there was none\)$/);
  },
);

t.test('a token that is missing: what there is goes on, and it is tried again', async (t) => {
  const { state, clock, reports, changes, runtime, begin } = bench(t);
  const [file] = (await begin(new DeviceSource(state, runtime, () => names))).served() as [Served];
  const late = join(directory, 'late-pin');
  const reference = uriOf('late').replace(pinFile, late);
  const tokenKey = { reference, kindToMake: 'P-256' as const };
  const source = await begin(new DeviceSource(state, runtime, () => names, tokenKey));
  t.equal(source.served()[0]?.chain, file.chain);
  t.match(reports, [{ event: 'certificate_not_renewed', reason: /there is no PIN/ }]);
  await source.look('tick');
  t.equal(reports.length, 2);
  writeFileSync(late, readFileSync(pinFile));
  await source.look('tick');
  t.equal(source.served()[0]?.privateKey, reference);
  t.equal(source.lastError, undefined);
  t.same(changes, ['its key is to be in the token']);

  renameSync(late, `${late}.away`);
  const other = { ...tokenKey, reference: reference.replace('object=late', 'object=lost') };
  clock.wallMs += hourMs;
  const restarted = new DeviceSource(state, runtime, () => names, other);
  await t.rejects(
    restarted.start(),
    /^tls\.private_key: .*there is no PIN/,
    'nothing to serve with',
  );
});

t.test('EST: the token signs the requests, and a request waits for a token', async (t) => {
  const server = await startEstServer();
  t.teardown(() => server.close());
  const { state, clock, reports, changes, runtime, begin } = bench(t);
  const file = (name: string, text: string): string => token.file(name, text);
  const options: EnrolmentOptions = {
    protocol: 'est',
    url: server.url,
    trustAnchorsFile: file('anchors.pem', server.trustAnchors),
    username: operator.username,
    passwordFile: file('password', operator.password),
    names: ['localhost', '127.0.0.1'],
  };
  const pin = file('est-pin', readFileSync(pinFile, 'utf8'));
  const reference = uriOf('est').replace(pinFile, pin);
  const tokenKey = { reference, kindToMake: 'P-256' as const };
  const start = () => begin(new EnrolmentSource(state, options, runtime, { tokenKey }));
  const look = async (one: EnrolmentSource, occasion: 'tick' | 'reload' = 'tick') => {
    await one.look(occasion);
    await one.settled();
  };
  const source = await start();
  await look(source);
  t.same(reports, []);
  const [first] = source.served() as [Served];
  t.equal(first.privateKey, reference);
  t.same(keyFiles(enrolmentDirOf(state)), []);
  await servesBy(t, first, server.root.pem);

  clock.wallMs += 61 * dayMs;
  become('pulled');
  await look(source);
  t.match(reports, [{ event: 'enrolment_failed', reason: /the token does not sign/ }]);
  t.equal(source.served()[0]?.chain, first.chain, 'what there is');
  become('0');
  await look(source, 'tick');
  t.equal(reports.length, 1, 'not at once');
  clock.wallMs += hourMs;
  await clock.advance(hourMs);
  await look(source);
  const [renewed] = source.served() as [Served];
  t.not(renewed.chain, first.chain);
  t.equal(keyIn(renewed), keyIn(first));
  t.same(
    server.requests.filter((one) => one !== 'cacerts'),
    [
      'simpleenroll operator',
      'simplereenroll certificate localhost', // Shown over TLS, which the token has signed.
    ],
  );
  await servesBy(t, renewed, server.root.pem);

  source.close();
  const asked = server.requests.length;
  const moved = reference.replace(pin, `${pin}-later`);
  const patient = { tokenKey: { ...tokenKey, reference: moved } };
  const restarted = await begin(new EnrolmentSource(state, options, runtime, patient));
  t.same(restarted.served(), []);
  t.match(restarted.lastError, /stored certificate cannot be used: .*there is no PIN/);
  writeFileSync(`${pin}-later`, readFileSync(pin));
  await look(restarted);
  t.equal(restarted.served()[0]?.chain, renewed.chain);
  t.equal(server.requests.length, asked, 'nobody was asked for another');
  t.equal(changes.at(-1), 'enrolment: the token answers again');
});

t.test("ACME: the account's key is in the token, of each kind, and none is a file", async (t) => {
  const server = await startAcmeServer();
  const challenges = new ChallengeResponses();
  await serveChallenges(t, server, challenges);
  for (const kind of ['P-256', 'P-384', 'RSA-2048'] as const) {
    const { state, reports, runtime, begin } = bench(t);
    const accountKey = { reference: uriOf(`account-${kind}`), kindToMake: kind };
    const options: EnrolmentOptions = {
      protocol: 'acme',
      directoryUrl: server.directoryUrl,
      trustAnchorsFile: token.file('acme-anchors.pem', server.trustAnchors),
      termsOfServiceAgreed: true,
      names: ['gate.example.org'],
      accountKey,
    };
    const source = await begin(new EnrolmentSource(state, options, { ...runtime, challenges }));
    await source.look('reload');
    await source.settled();
    t.same(reports, [], kind);
    t.notOk(existsSync(join(enrolmentDirOf(state), 'acme-account')));
    const lost = { ...accountKey, reference: uriOf('no-account'), kindToMake: undefined };
    const without = { ...options, names: ['hall.example.org'], accountKey: lost };
    const failing = await begin(new EnrolmentSource(state, without, { ...runtime, challenges }));
    await failing.look('reload');
    await failing.settled();
    t.match(reports, [{ reason: /^enrolment\.account_key: .*no key for pkcs11:.*no-account/ }]);
    t.equal(failing.served().length, 1, 'what there is goes on');
  }
});

t.test('ACME: the token signs the request', async (t) => {
  const server = await startAcmeServer();
  const challenges = new ChallengeResponses();
  await serveChallenges(t, server, challenges);
  const { state, reports, runtime, begin } = bench(t);
  const options: EnrolmentOptions = {
    protocol: 'acme',
    directoryUrl: server.directoryUrl,
    trustAnchorsFile: token.file('acme-anchors.pem', server.trustAnchors),
    termsOfServiceAgreed: true,
    names: ['gate.example.org'],
  };
  const tokenKey = { reference: uriOf('acme'), kindToMake: 'RSA-2048' as const };
  const parts = { ...runtime, challenges };
  const source = await begin(new EnrolmentSource(state, options, parts, { tokenKey }));
  await source.look('reload');
  await source.settled();
  t.same(reports, []);
  const [served] = source.served() as [Served];
  t.equal(served.privateKey, uriOf('acme'));
  t.equal(served.certificate.publicKey.asymmetricKeyType, 'rsa');
  const issued = join(enrolmentDirOf(state), 'issued/current');
  t.notOk(existsSync(join(issued, 'key.pem')));
  t.ok(existsSync(join(issued, 'chain.pem')));
});
