// SPDX-License-Identifier: Apache-2.0
// The certificate that would be served: days left, key, permissions. Real certificates.

import { generateKeyPairSync } from 'node:crypto';
import t from 'tap';
import { issueCertificate } from '../../../src/certificates/issue.js';
import type { CertificateFiles } from '../../../src/doctor/board.js';
import { probeCertificate } from '../../../src/doctor/probes/certificate.js';
import { boardOf, type Machine, nowMs, only, settings } from './board.js';

const dayMs = 24 * 3_600_000;
const names = { commonName: 'gate', dns: ['gate'], ip: ['127.0.0.1'] };
const { certificate, privateKey } = await issueCertificate(names, nowMs);
const directory = '/state/certificates/current';
const [own] = settings.served as [CertificateFiles];
const installed = { ...settings, served: [{ ...own, source: 'installed' }] };

const machine = (more: Partial<Machine> = {}, mode = 0o600, uid = 990): Machine => ({
  statuses: {
    [own.privateKey]: { mode, uid },
    [directory]: { mode: 0o700, uid: 990 },
  },
  ...more,
  files: {
    [own.certificate]: certificate,
    [own.privateKey]: privateKey,
    ...more.files,
  },
});
const probe = (more?: Partial<Machine>, mode?: number, uid?: number) =>
  probeCertificate(boardOf(machine(more, mode, uid)));
const atDay = (day: number) => probe({ nowMs: nowMs + day * dayMs })[0];

t.test('a good one', async (t) => {
  const findings = probe();
  t.same(
    findings.map(({ id, level }) => [id, level]),
    [
      ['certificate.validity', 'ok'],
      ['certificate.key-mode', 'ok'],
    ],
  );
  t.match(findings[0]?.title, /valid for 365 days \(until 2027-11-22\)/);
  t.notMatch(JSON.stringify(findings), /PRIVATE|MIG/, 'nothing of the key is told');
});

t.test('days left', async (t) => {
  t.equal(atDay(334)?.level, 'ok');
  t.match(atDay(335), { level: 'warning', title: /30 days/, detail: '' });
  t.match(atDay(364), { level: 'warning', title: /1 day \(/, detail: 'That is soon.' });
  t.match(atDay(366), { level: 'problem', title: /has expired/ });
  t.match(atDay(-30), { level: 'problem', title: /not valid before/ });
  t.match(atDay(-15_000), { level: 'info', title: /the clock cannot say/ });
});

t.test('there is none, or none for us', async (t) => {
  t.match(only(probeCertificate(boardOf())), { level: 'info', title: /first start makes one/ });
  t.match(only(probeCertificate(boardOf({ settings: installed }))), { level: 'problem' });
  const refusals = { [own.certificate]: 'EACCES' };
  t.match(only(probeCertificate(boardOf({ refusals }))), { level: 'info', advice: /as root/ });
  t.same(probeCertificate(boardOf({ settings: { error: 'wrong' } })), []);
  const files = { [own.certificate]: 'garbage' };
  t.match(only(probe({ files })), { level: 'warning', title: /holds no certificate/ });
  t.equal(only(probe({ files, settings: installed })).level, 'problem');
});

t.test('several, each by its name', async (t) => {
  const uploaded = { source: 'uploaded', certificate: '/up/chain.pem', privateKey: '/up/key.pem' };
  const soon = await issueCertificate(names, nowMs - 363 * dayMs);
  const findings = probe({
    settings: { ...settings, served: [uploaded, own] },
    files: { '/up/chain.pem': soon.certificate, '/up/key.pem': soon.privateKey },
  });
  const dates = findings.filter(({ id }) => id === 'certificate.validity');
  t.match(dates, [
    { level: 'warning', title: /valid for 2 days .* \[uploaded\]$/ },
    { level: 'ok', title: /valid for 365 days .* \[device\]$/ },
  ]);
});

t.test('the key', async (t) => {
  const find = (id: string, ...args: Parameters<typeof probe>) =>
    probe(...args).find((finding) => finding.id === id);
  t.match(find('certificate.key-mode', {}, 0o644), { level: 'problem', title: /mode 0644/ });
  t.equal(find('certificate.key-mode', {}, 0o640)?.level, 'problem');
  t.match(find('certificate.key-mode', {}, 0o600, 0), { level: 'warning', advice: /chown 990/ });
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const pem = String(other.export({ type: 'pkcs8', format: 'pem' }));
  const files = { [own.privateKey]: pem };
  t.equal(find('certificate.key', { files })?.level, 'warning', 'our own is made again');
  t.equal(find('certificate.key', { files, settings: installed })?.level, 'problem');
  t.equal(find('certificate.key', { files: { [own.privateKey]: '' } })?.level, 'warning');
  const secret = machine();
  delete secret.files?.[own.privateKey];
  secret.refusals = { [own.privateKey]: 'EACCES' };
  const findings = probeCertificate(boardOf(secret));
  t.notOk(
    findings.some(({ id }) => id === 'certificate.key'),
    'another user cannot tell',
  );
});
