// SPDX-License-Identifier: Apache-2.0
// The manager over real files: what it serves, how a new pair comes in, what a bad one does, what
// it says before an end and after it, and a clock that starts in 1970 or jumps by 50 years.

import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { StartError } from '../../../src/base/start-error.js';
import { dayMs, hourMs, minuteMs } from '../../../src/certificates/clock.js';
import { deviceDirOf } from '../../../src/certificates/device.js';
import {
  CertificateManager,
  type CertificateOptions,
  tickMs,
} from '../../../src/certificates/manager.js';
import type { CertificatePair, Report } from '../../../src/certificates/source.js';
import { leaveWish } from '../../../src/certificates/wish.js';
import { type Made, make } from './certificates.js';
import { FakeClock, until } from './fake-clock.js';

const buildDateMs = Date.parse('2026-06-01T00:00:00Z');
const nowMs = Date.parse('2026-11-22T12:00:00Z');
const yearMs = 365 * dayMs;

interface Bench {
  manager: CertificateManager;
  clock: FakeClock;
  changes: { pairs: CertificatePair[]; reason: string }[];
  reports: Report[];
  jumps: number[];
  names: { commonName: string; dns: string[]; ip: string[] };
  events(name: string): Report[];
  refusal: { reason: string | undefined };
}

function bench(t: Test, options: Partial<CertificateOptions>, wallMs = nowMs): Bench {
  const clock = new FakeClock(wallMs);
  const changes: Bench['changes'] = [];
  const reports: Report[] = [];
  const jumps: number[] = [];
  const names = { commonName: 'gate', dns: ['gate', 'gate.local'], ip: ['127.0.0.1'] };
  const refusal: Bench['refusal'] = { reason: undefined };
  const all = { stateDir: join(t.testdirName, 'state'), installed: [], ...options };
  const manager = new CertificateManager(all, {
    clock,
    buildDateMs,
    names: () => names,
    onReport: (report) => reports.push(report),
    onClockJump: (jumpMs) => jumps.push(jumpMs),
    onChange: (pairs, reason) => {
      if (refusal.reason !== undefined) throw new Error(refusal.reason);
      changes.push({ pairs, reason });
    },
  });
  t.teardown(() => manager.close());
  const events = (name: string) => reports.filter(({ event }) => event === name);
  return { manager, clock, changes, reports, jumps, names, events, refusal };
}

const leafOf = (pair: CertificatePair | undefined) => new X509Certificate(pair?.chain ?? '');
const valid = { notBefore: new Date(nowMs - dayMs), notAfter: new Date(nowMs + 90 * dayMs) };

function install(directory: string, made: Made) {
  mkdirSync(directory, { recursive: true });
  const files = {
    certificate: join(directory, 'tls.crt'),
    privateKey: join(directory, 'tls.key'),
  };
  writeFileSync(files.certificate, made.pem);
  writeFileSync(files.privateKey, made.privateKey, { mode: 0o600 });
  return files;
}

t.test('a device without anything gets its own certificate, renewed in time', async (t) => {
  t.testdir();
  const { manager, clock, changes, events } = bench(t, {});
  await manager.start();
  t.equal(manager.current().length, 1);
  const [first] = manager.status();
  t.match(first, {
    source: 'device',
    subject: 'CN=gate',
    sans: ['DNS:gate', 'DNS:gate.local', 'IP Address:127.0.0.1'],
    daysLeft: 365,
    lastError: null,
  });
  clock.wallMs += 243 * dayMs;
  await clock.advance(tickMs);
  t.same(changes, []);
  clock.wallMs += dayMs;
  await clock.advance(tickMs);
  t.match(changes, [{ reason: 'two thirds of its life are over' }]);
  t.not(leafOf(changes[0]?.pairs[0]).fingerprint256, first?.fingerprint);
  t.equal(events('certificate_changed').length, 1);
});

t.test('an address that flaps', async (t) => {
  t.testdir();
  const { manager, clock, changes, names } = bench(t, {});
  await manager.start();
  names.ip = ['127.0.0.1', '192.0.2.1'];
  await clock.advance(tickMs);
  t.same(changes, [], 'perhaps it goes again');
  await clock.advance(tickMs);
  t.match(changes, [{ reason: /does not name 192\.0\.2\.1/ }]);
  for (let i = 2; i < 50; i += 1) {
    names.ip = [`192.0.2.${i}`];
    await clock.advance(2 * tickMs);
  }
  t.equal(changes.length, 3, 'renewals at once are bounded');
  await clock.advance(hourMs);
  t.equal(changes.length, 4, 'and come one an hour then');
  t.notSame(leafOf(manager.current()[0]).checkIP('192.0.2.49'), undefined);
});

t.test('an operator asks for a new one', async (t) => {
  t.testdir();
  const { manager, changes } = bench(t, {});
  await manager.start();
  t.ok(leaveWish(deviceDirOf(join(t.testdirName, 'state'))));
  t.notOk(leaveWish(join(t.testdirName, 'absent')));
  await manager.reload();
  t.match(changes, [{ reason: 'an operator asked for it' }]);
  await manager.reload();
  t.equal(changes.length, 1, 'once');
});

t.test('an uploaded pair: checked, stored, served, kept over a restart', async (t) => {
  t.testdir();
  const { manager, changes } = bench(t, {});
  await manager.start();
  const own = manager.current();
  const [good, weak] = [await make(valid), await make({ ...valid, key: 'RSA-1024' })];
  const ended = await make({ ...valid, notAfter: new Date(nowMs) });
  for (const made of [weak, ended, { ...good, privateKey: weak.privateKey }]) {
    const { privateKey, pem: chain } = made;
    const refused = await manager.install({ chain, privateKey });
    t.match(refused, { isInstalled: false, findings: [{ text: /1024|ended|match/ }] });
  }
  const huge = await manager.install({ chain: ' '.repeat(300_000), privateKey: '' });
  t.match(huge, { isInstalled: false, findings: [{ text: /too long/ }] });
  t.same([manager.current(), changes], [own, []]);
  const { privateKey, pem: chain } = good;
  t.match(await manager.install({ chain, privateKey }), { isInstalled: true, findings: [] });
  t.match(manager.current(), [{ privateKey }, own[0]]);
  t.match(changes, [{ reason: 'a certificate was uploaded' }]);
  const again = bench(t, {});
  await again.manager.start();
  t.match(again.manager.current(), [{ privateKey }, own[0]]);
  await again.manager.uninstall();
  t.same(again.manager.current(), own);
  t.same(manager.waiting(), []);
});

t.test('from 1970, and a clock that jumps 50 years and back', async (t) => {
  t.testdir();
  const { manager, clock, changes, events, jumps } = bench(t, {}, 5_000);
  await manager.start();
  const first = leafOf(manager.current()[0]);
  t.equal(Date.parse(first.validFrom), buildDateMs, 'made in 1970, it starts at the build date');
  t.equal(manager.status()[0]?.daysLeft, null);
  await clock.advance(hourMs);
  t.same(changes, []);
  clock.wallMs = nowMs;
  await clock.advance(tickMs);
  t.match(events('clock_jumped'), [{ isSet: true }]);
  t.equal(jumps.length, 1);
  t.same(changes, [], 'the right time changes nothing');
  clock.wallMs += 50 * yearMs;
  await clock.advance(tickMs);
  t.match(changes, [{ reason: 'the certificate has ended' }]);
  clock.wallMs -= 50 * yearMs;
  await clock.advance(tickMs);
  t.match(changes[1], { reason: 'the certificate begins in the future' });
  t.equal(Date.parse(leafOf(manager.current()[0]).validFrom) <= clock.wallMs, true);
  t.equal(leafOf(manager.current()[0]).issuer, first.issuer, 'the authority is the same one');
  clock.wallMs = 5_000;
  await clock.advance(tickMs);
  t.equal(changes.length, 2, 'in 1970 again: nothing is renewed');
  t.equal(jumps.length, 4);
  await clock.advance(10 * minuteMs);
  t.equal(jumps.length, 4, 'time that passes is no jump');
});

t.test('installed files: the first is the default, and no own certificate is made', async (t) => {
  const directory = t.testdir();
  const [one, two] = [await make(valid), await make({ ...valid, dns: ['door'] })];
  const installed = [install(join(directory, '1'), one), install(join(directory, '2'), two)];
  const { manager } = bench(t, { installed });
  await manager.start();
  t.same(
    manager.current().map(({ privateKey }) => privateKey),
    [one.privateKey, two.privateKey],
  );
  t.match(manager.status()[1], { source: `files ${installed[1]?.certificate}`, daysLeft: 90 });
});

t.test('bad files at start: everything in one line', async (t) => {
  const directory = t.testdir();
  const [one, two] = [await make(valid), await make({ ...valid, key: 'RSA-1024' })];
  const mixed = install(join(directory, '1'), { ...one, privateKey: two.privateKey });
  const weak = install(join(directory, '2'), two);
  const absent = { certificate: 'credential:web', privateKey: join(directory, 'absent') };
  const { manager } = bench(t, { installed: [mixed, weak, absent] });
  const error = await manager.start().then(
    () => undefined,
    (reason) => reason as Error,
  );
  t.ok(error instanceof StartError);
  t.match(
    error?.message,
    /1\/tls\.crt .* does not match .*; .*2\/tls\.crt .*1024.*; .*credentials/,
  );
});

t.test('credentials of the service manager, in one file', async (t) => {
  const made = await make(valid);
  const directory = t.testdir({ web: made.privateKey + made.pem });
  chmodSync(join(directory, 'web'), 0o400);
  const before = process.env.CREDENTIALS_DIRECTORY;
  process.env.CREDENTIALS_DIRECTORY = directory;
  try {
    const installed = [{ certificate: 'credential:web', privateKey: 'credential:web' }];
    const { manager, reports } = bench(t, { installed });
    await manager.start();
    t.equal(manager.current()[0]?.privateKey, made.privateKey);
    t.notMatch(JSON.stringify([reports, manager.status()]), /PRIVATE KEY/);
  } finally {
    if (before === undefined) delete process.env.CREDENTIALS_DIRECTORY;
    else process.env.CREDENTIALS_DIRECTORY = before;
  }
});

t.test('a new pair comes in by itself, however it is put there', async (t) => {
  const directory = t.testdir();
  // As Kubernetes lays a secret out: files that are links through a link that is swapped.
  const [one, two, three] = [await make(valid), await make(valid), await make(valid)];
  install(join(directory, '..v1'), one);
  symlinkSync('..v1', join(directory, '..data'));
  const files = { certificate: join(directory, 'tls.crt'), privateKey: join(directory, 'tls.key') };
  symlinkSync('..data/tls.crt', files.certificate);
  symlinkSync('..data/tls.key', files.privateKey);
  const { manager, clock, changes } = bench(t, { installed: [files] });
  await manager.start();
  const settle = async (count: number, otherwise: string) => {
    await until(() => clock.timerCount > 1, `${otherwise}: nothing was noticed`);
    await clock.advance(1_000);
    await until(() => changes.length >= count, otherwise);
  };
  install(join(directory, '..v2'), two);
  symlinkSync('..v2', join(directory, '..data.new'));
  renameSync(join(directory, '..data.new'), join(directory, '..data'));
  await settle(1, 'a swapped link');
  t.equal(manager.current()[0]?.privateKey, two.privateKey);
  install(join(directory, '..v2'), three);
  await settle(2, 'files written over, in a directory that came later');
  t.equal(manager.current()[0]?.privateKey, three.privateKey);
});

t.test('a bad new pair changes nothing and is reported once', async (t) => {
  const directory = t.testdir();
  const [one, two] = [await make(valid), await make(valid)];
  const installed = [install(directory, one)];
  const { manager, clock, changes, events } = bench(t, { installed });
  await manager.start();
  const pairs = manager.current();
  writeFileSync(join(directory, 'tls.crt'), two.pem);
  await manager.reload();
  t.same(events('certificate_rejected'), [], 'perhaps the key is about to follow');
  await clock.advance(tickMs);
  t.match(events('certificate_rejected'), [{ severity: 'error', reason: /does not match/ }]);
  t.match(manager.status()[0]?.lastError, /does not match/);
  await clock.advance(30 * minuteMs);
  t.equal(events('certificate_rejected').length, 1);
  writeFileSync(join(directory, 'tls.crt'), '');
  await manager.reload();
  await manager.reload();
  t.equal(events('certificate_rejected').length, 2, 'something else is wrong now');
  const ended = await make({ ...valid, notAfter: new Date(nowMs) });
  install(directory, ended);
  await manager.reload();
  await manager.reload();
  t.match(events('certificate_rejected')[2], { reason: /ended on/ });
  t.same(manager.current(), pairs);
  t.same(changes, []);
  install(directory, two);
  await manager.reload();
  t.equal(changes.length, 1);
  t.equal(manager.status()[0]?.lastError, null);
});

t.test('the key is not written over before the certificate: no alarm', async (t) => {
  const directory = t.testdir();
  const [one, two] = [await make(valid), await make(valid)];
  const { manager, clock, changes, events } = bench(t, { installed: [install(directory, one)] });
  await manager.start();
  writeFileSync(join(directory, 'tls.crt'), two.pem);
  await manager.reload();
  writeFileSync(join(directory, 'tls.key'), two.privateKey);
  await clock.advance(tickMs);
  t.equal(changes.length, 1);
  t.same(events('certificate_rejected'), []);
});

t.test('what the engine refuses is kept out, and offered again', async (t) => {
  const directory = t.testdir();
  const { manager, clock, changes, events, refusal } = bench(t, {
    installed: [install(directory, await make(valid))],
  });
  await manager.start();
  install(directory, await make(valid));
  refusal.reason = 'not that one';
  await manager.reload();
  t.match(events('certificate_refused'), [{ reason: 'not that one' }]);
  refusal.reason = undefined;
  await clock.advance(6 * minuteMs);
  t.equal(changes.length, 1);
});

t.test('warnings before the end, once each, and every day after it', async (t) => {
  const directory = t.testdir();
  const notBefore = new Date(nowMs - 50 * dayMs);
  const made = await make({ notBefore, notAfter: new Date(nowMs + 40 * dayMs) });
  const { manager, clock, events, changes } = bench(t, { installed: [install(directory, made)] });
  await manager.start();
  const heard: (number | string)[] = [];
  const shown: (string | null)[] = [];
  const inDays = Array.from({ length: 29 }, (_, i) => `ends in ${29 - i} days`);
  const expected = [null, ...inDays, 'ends in less than a day', 'has ended; clients refuse it'];
  for (let day = 0; day < 44; day += 1) {
    for (let i = 0; i < 3; i += 1) {
      clock.wallMs += 8 * hourMs - tickMs;
      await clock.advance(tickMs);
    }
    const said = [...events('certificate_expiring'), ...events('certificate_expired')].length;
    if (said > heard.length) heard.push(40 - day - 1);
    shown.push(manager.status()[0]?.warning?.replace('the certificate ', '') ?? null);
    t.equal(said, heard.length);
  }
  t.same(heard, [29, 13, 6, 0, -1, -2, -3, -4]);
  t.match(events('certificate_expiring')[0], { severity: 'warn', daysLeft: 29 });
  t.same([...new Set(shown)], expected, 'in the status');
  t.match(events('certificate_expired')[0], {
    severity: 'error',
    reason: /^every certificate has ended; it is still served/,
  });
  t.same([manager.current().length, changes], [1, []], 'it goes on');
  const later = await make({ notBefore: new Date(nowMs), notAfter: new Date(nowMs + 41 * dayMs) });
  install(directory, later);
  await manager.reload();
  t.equal(changes.length, 1, 'one expired pair may replace another');
});

t.test('a certificate of a week is not about to end when it is new', async (t) => {
  const directory = t.testdir();
  const made = await make({ ...valid, notAfter: new Date(nowMs + 6 * dayMs) });
  const { manager, events } = bench(t, { installed: [install(directory, made)] });
  await manager.start();
  t.same(events('certificate_expiring'), []);
});

t.test('another configuration: prepared, then committed or abandoned', async (t) => {
  const directory = t.testdir();
  const stateDir = join(directory, 'state');
  const [one, bad] = [await make(valid), await make({ ...valid, key: 'RSA-1024' })];
  const { manager, clock, changes, refusal } = bench(t, { stateDir });
  await manager.start();
  const own = manager.current();
  const wrong = { stateDir, installed: [install(join(directory, 'bad'), bad)] };
  await t.rejects(manager.prepare(wrong), { name: 'StartError', message: /1024/ });
  t.same(manager.current(), own);
  const files = install(join(directory, 'good'), one);
  const abandoned = await manager.prepare({ stateDir, installed: [files] });
  t.equal(abandoned.pairs[0]?.privateKey, one.privateKey);
  t.same([manager.current(), changes], [own, []], 'only prepared');
  abandoned.commit();
  t.equal(manager.current()[0]?.privateKey, one.privateKey);
  abandoned.rollBack();
  t.same(manager.current(), own);
  t.equal(changes.length, 2);
  await setImmediate();
  changes.length = 0;
  refusal.reason = 'not that one';
  const refused = await manager.prepare({ stateDir, installed: [files] });
  t.throws(() => refused.commit(), { message: 'not that one' });
  t.same(manager.current(), own);
  refusal.reason = undefined;
  const prepared = await manager.prepare({ stateDir, installed: [files] });
  prepared.commit();
  t.equal(manager.current()[0]?.privateKey, one.privateKey);
  t.equal(changes.length, 1);
  (await manager.prepare({ stateDir, installed: [files] })).commit();
  t.equal(changes.length, 1, 'the same certificates again are no change');
  (await manager.prepare({ stateDir, installed: [] })).commit();
  t.same(manager.current(), own, 'the own one is still there');
  await clock.advance(tickMs);
  t.equal(changes.length, 2);
});
