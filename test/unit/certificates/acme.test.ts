// SPDX-License-Identifier: Apache-2.0
// Enrolment by ACME against a real server that verifies signatures and nonces and fetches the
// challenge over real HTTP from what answers on our port 80.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AcmeEnroller } from '../../../src/certificates/acme.js';
import { ChallengeResponses } from '../../../src/certificates/challenges.js';
import { dayMs } from '../../../src/certificates/clock.js';
import { EnrolmentSource } from '../../../src/certificates/enrolment.js';
import type { AcmeOptions } from '../../../src/certificates/enrolment-options.js';
import { namesFrom } from '../../../src/certificates/names.js';
import { createRequest } from '../../../src/certificates/request.js';
import type { Report } from '../../../src/certificates/source.js';
import { noHousekeeping } from '../../../src/files/housekeeping.js';
import { serveChallenges } from './acme-challenges.js';
import { startAcmeServer } from './acme-server.js';
import { FakeClock } from './fake-clock.js';

const server = await startAcmeServer();
const challenges = new ChallengeResponses();
const asked: string[] = [];
await serveChallenges(t, server, challenges, asked);
t.beforeEach(() => {
  server.requests.length = 0;
  server.accounts.length = 0;
  server.badNonces = 0;
  server.externalKey = undefined;
  asked.length = 0;
});

async function bench(t: Test, change: Partial<AcmeOptions> = {}) {
  const directory = t.testdirName;
  const trustAnchorsFile = join(directory, 'anchors.pem');
  writeFileSync(trustAnchorsFile, server.trustAnchors);
  const options: AcmeOptions = {
    protocol: 'acme',
    directoryUrl: server.directoryUrl,
    trustAnchorsFile,
    contact: 'operator@example.org',
    termsOfServiceAgreed: true,
    names: ['gate.example.org', 'www.example.org'],
    ...change,
  };
  const clock = new FakeClock(Date.now());
  const reports: Report[] = [];
  const changes: string[] = [];
  const start = async () => {
    const source = new EnrolmentSource(join(directory, 'state'), options, {
      clock,
      challenges,
      housekeeping: noHousekeeping,
      buildDateMs: Date.now() - dayMs,
      report: (report) => reports.push(report),
      changed: (reason) => changes.push(reason),
    });
    t.teardown(() => source.close());
    await source.start();
    return source;
  };
  const look = async (source: EnrolmentSource) => {
    await source.look('reload');
    await source.settled();
  };
  return { clock, reports, changes, start, look };
}

t.test(
  'a certificate, and another one when its time has come, from the same account',
  async (t) => {
    t.testdir();
    const { start, look, reports, changes, clock } = await bench(t);
    const source = await start();
    server.badNonces = 1;
    await look(source);
    t.same(reports, []);
    t.same(changes, ['enrolment: there was none']);
    const [first] = source.served();
    t.equal(first?.certificate.subjectAltName, 'DNS:gate.example.org, DNS:www.example.org');
    t.ok(first?.certificate.checkPrivateKey(createPrivateKey(first.privateKey)));
    t.ok(first?.certificate.verify(new X509Certificate(server.issuing.pem).publicKey));
    t.equal(asked.length, 2, 'both names were proved');
    for (const path of asked)
      t.equal(challenges.answer(path), undefined, 'and the answers are gone');
    t.match(server.accounts, [{ contact: ['mailto:operator@example.org'] }]);
    source.close();
    const again = await start();
    t.equal(again.served()[0]?.chain, first?.chain);
    clock.wallMs += 61 * dayMs;
    await look(again);
    t.same(reports, []);
    t.equal(changes.length, 2);
    t.not(again.served()[0]?.privateKey, first?.privateKey);
    t.equal(server.accounts.length, 1);
  },
);

t.test('a challenge that nobody answers', async (t) => {
  t.testdir();
  const { start, look, reports } = await bench(t);
  const source = await start();
  const port = server.challengePort;
  const other = createServer((_, response) => response.writeHead(404).end()).listen(0, '127.0.0.1');
  await once(other, 'listening');
  server.challengePort = (other.address() as AddressInfo).port;
  await look(source);
  other.close();
  other.closeAllConnections();
  server.challengePort = port;
  t.match(reports, [{ event: 'enrolment_failed', reason: /answer 404/ }]);
  t.same(source.served(), []);
});

t.test('terms that are not agreed to, and a server that is not trusted', async (t) => {
  t.testdir();
  const unwilling = await bench(t, { termsOfServiceAgreed: false });
  await unwilling.look(await unwilling.start());
  t.match(unwilling.reports, [{ event: 'enrolment_failed', reason: /terms/ }]);
  server.requests.length = 0;
  const careful = await bench(t, { trustAnchorsFile: undefined });
  await careful.look(await careful.start());
  t.match(careful.reports, [{ event: 'enrolment_failed', reason: /unable to|certificate/ }]);
  t.same(server.requests, []);
});

t.test('an account that must be bound to one of the authority', async (t) => {
  t.testdir();
  server.externalKey = { keyId: 'kid-1', hmacKey: Buffer.from('secret').toString('base64url') };
  const unbound = await bench(t);
  await unbound.look(await unbound.start());
  t.match(unbound.reports, [{ event: 'enrolment_failed', reason: /no binding/ }]);
  const file = join(t.testdirName, 'hmac');
  writeFileSync(file, `${server.externalKey.hmacKey}\n`);
  const bound = { externalAccountKeyId: 'kid-1', externalAccountHmacKeyFile: file };
  const { start, look, reports } = await bench(t, bound);
  const source = await start();
  await look(source);
  t.same(reports, []);
  t.equal(source.served().length, 1);
});

t.test('ends when it is told to', async (t) => {
  const server = { directoryUrl: 'https://localhost:1/directory', termsOfServiceAgreed: true };
  const { privateKey } = await createRequest(namesFrom(['a.example.org']));
  const enroller = new AcmeEnroller({ ...server, accountKey: privateKey }, challenges);
  const names = namesFrom(['a.example.org']);
  const { request } = await createRequest(names);
  const asked = { names, request, current: undefined, nowMs: Date.now() };
  await t.rejects(enroller.enrol(asked, AbortSignal.abort()), /abort/);
});

t.test('what ACME needs is said at start', async (t) => {
  t.testdir();
  const nameless = await bench(t, { names: [] });
  await t.rejects(nameless.start(), { name: 'StartError', message: /needs the names/ });
  const responses = new ChallengeResponses();
  for (let i = 0; i < 100; i += 1) responses.set(String(i), 'x');
  t.throws(() => responses.set('100', 'x'), /too many/);
  t.equal(responses.answer('/.well-known/acme-challenge/7'), 'x');
  t.equal(responses.answer('/7'), undefined);
});
