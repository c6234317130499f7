// SPDX-License-Identifier: Apache-2.0
// Enrolment by EST against a real server over real TLS: the first certificate, its renewal with
// itself, "later" over a restart, what is refused, and how often a server that fails is asked.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { dayMs, hourMs, minuteMs } from '../../../src/certificates/clock.js';
import { EnrolmentSource, enrolmentDirOf } from '../../../src/certificates/enrolment.js';
import type { EstOptions } from '../../../src/certificates/enrolment-options.js';
import { EstClient, retryAfterMs } from '../../../src/certificates/est.js';
import { namesFrom } from '../../../src/certificates/names.js';
import { createRequest } from '../../../src/certificates/request.js';
import type { Report } from '../../../src/certificates/source.js';
import { leaveWish } from '../../../src/certificates/wish.js';
import { noHousekeeping } from '../../../src/files/housekeeping.js';
import { make } from './certificates.js';
import { operator, startEstServer } from './est-server.js';
import { FakeClock } from './fake-clock.js';

const server = await startEstServer();
t.teardown(() => server.close());
t.beforeEach(() => {
  server.requests.length = 0;
  server.bodies.length = 0;
  server.later = { count: 0, retryAfter: '' };
  server.instead = undefined;
  server.wanted = {};
});

const clientAuth = '1.3.6.1.5.5.7.3.2';
const buildDateMs = Date.now() - 100 * dayMs;

function bench(t: Test, change: Partial<EstOptions> = {}) {
  const directory = t.testdirName;
  const trustAnchorsFile = join(directory, 'anchors.pem');
  const passwordFile = join(directory, 'password');
  writeFileSync(trustAnchorsFile, server.trustAnchors);
  writeFileSync(passwordFile, `${operator.password}\n`);
  const { username } = operator;
  const named = { username, passwordFile, names: ['gate.example.org', '192.0.2.7'] };
  const options: EstOptions = { protocol: 'est', url: server.url, trustAnchorsFile, ...named };
  const clock = new FakeClock(Date.now());
  const reports: Report[] = [];
  const changes: string[] = [];
  const start = async (other: Partial<EstOptions> = {}) => {
    const source = new EnrolmentSource(
      join(directory, 'state'),
      { ...options, ...change, ...other },
      {
        clock,
        housekeeping: noHousekeeping,
        buildDateMs,
        report: (report) => reports.push(report),
        changed: (reason) => changes.push(reason),
      },
    );
    t.teardown(() => source.close());
    await source.start();
    return source;
  };
  const look = async (source: EnrolmentSource, occasion: 'tick' | 'slow' | 'reload' = 'tick') => {
    await source.look(occasion);
    await source.settled();
  };
  return { directory, clock, reports, changes, start, look, stateDir: join(directory, 'state') };
}

t.test('the first certificate, kept over a restart, and its renewal with itself', async (t) => {
  t.testdir();
  const { start, look, changes, clock, reports, stateDir } = bench(t);
  const source = await start();
  t.same(source.served(), []);
  await look(source);
  t.same(reports, []);
  t.same(changes, ['enrolment: there was none']);
  t.same(server.requests, ['cacerts', 'simpleenroll operator']);
  const [first] = source.served();
  const chain = first?.chain.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? [];
  t.equal(chain.length, 2, 'the issuing authority comes from cacerts, the root is left out');
  t.ok(first?.certificate.verify(new X509Certificate(server.issuing.pem).publicKey));
  t.ok(first?.certificate.checkPrivateKey(createPrivateKey(first.privateKey)));
  t.equal(first?.certificate.subjectAltName, 'DNS:gate.example.org, IP Address:192.0.2.7');
  const issued = join(stateDir, 'certificates/enrolment/issued/current/key.pem');
  t.equal(statSync(issued).mode & 0o777, 0o600);
  t.notOk(existsSync(join(stateDir, 'certificates/enrolment/pending')));

  const again = await start();
  t.equal(again.served()[0]?.certificate.fingerprint256, first?.certificate.fingerprint256);
  await look(again);
  t.equal(server.requests.length, 2, 'nothing is due');
  clock.wallMs += 61 * dayMs;
  await look(again);
  t.same(server.requests.slice(2), ['cacerts', 'simplereenroll certificate gate.example.org']);
  t.same(changes[1], 'enrolment: two thirds of its life are over');
  t.not(again.served()[0]?.privateKey, first?.privateKey, 'a new key');
});

t.test(
  'a renewal that is refused falls back to the password; other names enrol anew',
  async (t) => {
    t.testdir();
    const { start, look, changes, stateDir } = bench(t);
    const source = await start();
    const stranger = await make({ isAuthority: true });
    server.wanted = { issuer: stranger };
    await look(source);
    server.wanted = {};
    t.ok(leaveWish(enrolmentDirOf(stateDir)));
    await look(source);
    t.equal(changes.length, 1, 'a wish is taken at the slow look');
    await look(source, 'slow');
    t.same(server.requests.slice(-2), ['simplereenroll undefined', 'simpleenroll operator']);
    t.same(changes[1], 'enrolment: an operator asked for it');
    await look(source, 'slow');
    t.equal(changes.length, 2, 'and once');
    const renamed = await start({ names: ['door.example.org'] });
    await look(renamed);
    t.equal(server.requests.at(-1), 'simpleenroll operator');
    t.equal(renamed.served()[0]?.certificate.subjectAltName, 'DNS:door.example.org');
  },
);

t.test('"later": asked again when told to, with the same request, over a restart', async (t) => {
  t.testdir();
  const { start, look, clock, reports } = bench(t);
  server.later = { count: 2, retryAfter: '120' };
  const source = await start();
  await look(source);
  t.match(reports, [{ event: 'enrolment_pending', delaySeconds: 120 }]);
  await look(source);
  t.equal(server.bodies.length, 1, 'not before its time');
  source.close();
  const again = await start();
  await clock.advance(119_000);
  await look(again);
  t.equal(server.bodies.length, 1, 'nor after a restart');
  await clock.advance(1_001);
  await look(again);
  await clock.advance(121_000);
  await look(again);
  t.equal(again.served().length, 1);
  t.equal(new Set(server.bodies).size, 1, 'the same request each time');
  t.equal(server.bodies.length, 3);
});

t.test('what a server says about later is bounded', async (t) => {
  const nowMs = Date.parse('2026-11-22T12:00:00Z');
  const cases: [string, number][] = [
    ['120', 120_000],
    ['Sun, 22 Nov 2026 12:02:00 GMT', 120_000],
    ['0', 10_000],
    ['-1', 10_000],
    ['', 10_000],
    ['soon', 10_000],
    ['9999999999', dayMs],
    ['Sun, 22 Nov 2099 12:02:00 GMT', dayMs],
    ['Sun, 22 Nov 1999 12:02:00 GMT', 10_000],
  ];
  for (const [value, ms] of cases) t.equal(retryAfterMs(value, nowMs), ms, value);
});

t.test('a server that fails is asked ever less often, over restarts as well', async (t) => {
  t.testdir();
  const { start, look, clock, reports } = bench(t);
  let source = await start();
  server.instead = { status: 503, contentType: 'text/plain', body: 'out to\nlunch' };
  const attempts: number[] = [];
  const beginMs = clock.monotonicMs();
  for (let minute = 0; minute < 48 * 60; minute += 1) {
    const before = reports.length;
    await look(source);
    if (reports.length > before) {
      attempts.push(Math.round((clock.monotonicMs() - beginMs) / minuteMs));
      source.close();
      source = await start();
    }
    clock.wallMs += minuteMs;
    await clock.advance(0);
    await clock.advance(minuteMs);
    clock.wallMs -= minuteMs;
  }
  t.match(reports[0], { event: 'enrolment_failed', reason: /answered 503 out to lunch$/ });
  t.match(source.lastError ?? reports.at(-1)?.reason, /503/);
  t.ok(attempts.length >= 9 && attempts.length <= 18, `${attempts.length} attempts in two days`);
  const gaps = attempts.slice(1).map((at, i) => at - (attempts[i] ?? 0));
  t.ok(Math.max(...gaps) <= 12 * 60 + 1, 'at most 12 hours apart');
  server.instead = undefined;
  await look(source, 'reload');
  t.equal(source.served().length, 1, 'an operator need not wait');
  await clock.advance(hourMs);
});

t.test('answers that are no certificate of ours change nothing', async (t) => {
  t.testdir();
  const { start, look, reports, clock } = bench(t);
  const source = await start();
  await look(source);
  const before = source.served()[0]?.certificate.fingerprint256;
  clock.wallMs += 61 * dayMs;
  const other = await make({});
  const pkcs7 = 'application/pkcs7-mime';
  const cases: [() => void, RegExp][] = [
    [() => (server.instead = { status: 200, contentType: pkcs7, body: 'é' }), /not in base64/],
    [() => (server.instead = { status: 200, contentType: pkcs7, body: 'AAAA' }), /certs-only/],
    [() => (server.instead = { status: 200, contentType: 'text/html', body: 'x' }), /"text\/html"/],
    [
      () => (server.instead = { status: 200, contentType: pkcs7, body: 'A'.repeat(300_000) }),
      /too long/,
    ],
    [() => (server.wanted = { publicKey: other.certificate.publicKey }), /does not match/],
    [() => (server.wanted = { notAfter: new Date(clock.wallMs - 1) }), /ended on/],
  ];
  for (const [change, reason] of cases) {
    server.instead = undefined;
    server.wanted = {};
    change();
    await look(source, 'reload');
    t.match(reports.at(-1), { event: 'enrolment_failed', reason });
    t.equal(source.served()[0]?.certificate.fingerprint256, before);
  }
  t.notMatch(JSON.stringify(reports), /correct horse|PRIVATE/);
});

t.test('a server that the anchors do not vouch for never hears the password', async (t) => {
  const directory = t.testdir();
  const { start, look, reports } = bench(t);
  const trustAnchorsFile = join(directory, 'others.pem');
  writeFileSync(trustAnchorsFile, (await make({ isAuthority: true })).pem);
  const source = await start({ trustAnchorsFile });
  await look(source);
  t.match(reports, [{ event: 'enrolment_failed', reason: /unable to (get|verify)|certificate/ }]);
  t.same(server.requests, []);
  server.impostor = true;
  const another = await start();
  await look(another, 'reload');
  server.impostor = false;
  server.recover();
  t.match(reports[1], { event: 'enrolment_failed', reason: /unable to|certificate/ });
  t.same(server.requests, ['cacerts'], 'each connection is judged by itself');
});

t.test('no clock, no enrolment', async (t) => {
  t.testdir();
  const { start, look, clock } = bench(t);
  clock.wallMs = 0;
  const source = await start();
  await look(source);
  t.same(server.requests, []);
});

t.test('a client certificate instead of a password', async (t) => {
  const client = await make({ commonName: 'factory', issuer: server.issuing, uses: [clientAuth] });
  const est = new EstClient({
    url: server.url,
    trustAnchors: server.trustAnchors,
    client: { chain: client.pem + server.issuing.pem, privateKey: client.privateKey },
  });
  const names = namesFrom(['a.example.org']);
  const { request } = await createRequest(names);
  const asked = { names, request, current: undefined, nowMs: Date.now() };
  t.match(await est.enrol(asked, new AbortController().signal), { kind: 'issued' });
  t.equal(server.requests.at(-1), 'simpleenroll certificate factory');
});

t.test('options that cannot work are refused at start', async (t) => {
  t.testdir();
  const { start } = bench(t);
  await t.rejects(start({ url: 'http://est.example.org' }), {
    name: 'StartError',
    message: /https/,
  });
  await t.rejects(start({ trustAnchorsFile: '/absent' }), {
    message: /^enrolment\.trust_anchors_file: cannot read \/absent: ENOENT/,
  });
  await t.rejects(start({ clientCertificateFile: '/absent' }), { message: /give both/ });
});
