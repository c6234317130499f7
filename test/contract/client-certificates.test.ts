// SPDX-License-Identifier: Apache-2.0
// Clients with certificates over the real addon, with both versions of TLS, in kernel TLS where the
// machine has it and in user space: who is let in, which alert the others get, and where a
// certificate is needed.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import type { ClientCertificates } from '../../src/engine/native.js';
import { Authority, after, type Shown, serverAuth } from './pki.js';
import { get, newPair, type Running, readToEnd, startService } from './service.js';

const versions = ['TLSv1.2', 'TLSv1.3'] as const;
type Version = (typeof versions)[number];

const authority = await Authority.create('Site CA');
const good = await authority.issue();
const files = { 'index.html': 'open', 'secret.txt': 'secret' };

const trust = (change: Partial<ClientCertificates> = {}): ClientCertificates => ({
  ca: authority.pem,
  crl: '',
  require: ['/private', '/secret.txt'],
  checkTimes: true,
  ...change,
});

async function start(t: Test, clientCertificates: ClientCertificates): Promise<Running> {
  const running = await startService(t, files, { clientCertificates });
  mkdirSync(join(running.root, 'private'));
  writeFileSync(join(running.root, 'private', 'index.html'), 'inner');
  return running;
}

const figuresOf = ({ service }: Running) => JSON.parse(service.stats()).clientCertificates;

// RFC 8446 6: AlertDescription.
const alerts: Record<string, string> = {
  42: 'bad_certificate',
  43: 'unsupported_certificate',
  44: 'certificate_revoked',
  45: 'certificate_expired',
  48: 'unknown_ca',
  51: 'decrypt_error',
};

/** What the certificate leads to: the status of /secret.txt, or the name of the alert. */
async function outcome(running: Running, shown: Shown | undefined, version: Version) {
  const limits = { minVersion: version, maxVersion: version };
  try {
    return (await get(running, { path: '/secret.txt', ...limits, ...shown })).status;
  } catch (error) {
    const { message } = error as Error;
    return alerts[/SSL alert number (\d+)/.exec(message)?.[1] ?? ''] ?? message;
  }
}

/** The alert comes before the count: looks until the figure is there, or the test's time is over. */
async function refusals(running: Running, reason: string, wanted: number): Promise<number> {
  for (let left = 200; left > 0 && figuresOf(running).refused[reason] !== wanted; left -= 1) {
    await sleep(10);
  }
  return figuresOf(running).refused[reason];
}

t.test('no certificate, and a good one', async (t) => {
  const running = await start(t, trust());
  for (const version of versions) {
    t.equal(await outcome(running, undefined, version), 403, version);
    t.equal(await outcome(running, good, version), 200, version);
  }
  t.match(figuresOf(running), { verified: 2, missing: 2, refused: { unknown_ca: 0, other: 0 } });
  const open = await get(running);
  t.equal(open.status, 200, 'the open part needs none');
  const refused = await get(running, { path: '/secret.txt' });
  t.match(refused.body.toString(), /^403 .*certificate/);
  t.equal(refused.headers.connection, 'close');
  t.match(refused.headers['content-type'], /^text\/plain/);
  const head = await get(running, { path: '/secret.txt', method: 'HEAD' });
  t.same([head.status, head.body.length], [403, 0]);
  t.equal((await get(running, { path: '/.spliced/status' })).status, 200);
  t.match(JSON.parse(running.service.stats()).requests.byStatus, { 403: 4 });
});

t.test('who is refused is there for the log', async (t) => {
  const running = await start(t, trust());
  const expired = await authority.issue({ name: [{ CN: ['late'] }], notAfterMs: after(-0.5) });
  await outcome(running, expired, 'TLSv1.3');
  await refusals(running, 'expired', 1);
  await outcome(running, undefined, 'TLSv1.2');
  const { refused, lost } = running.service.takeRefusals();
  t.match(refused, [
    { peer: /^127\.0\.0\.1:\d+$/, reason: 'expired', subject: 'CN=late' },
    { peer: /^127\.0\.0\.1:\d+$/, reason: 'no_certificate', subject: '' },
  ]);
  t.equal(lost, 0);
  t.same(running.service.takeRefusals(), { refused: [], lost: 0 }, 'once');
});

t.test('who is not let in, by which alert, and how it is counted', async (t) => {
  const other = await Authority.create('Other CA');
  const sameName = await Authority.create('Site CA');
  const unwanted = new Map<string, [Shown, alert: string, reason: string]>([
    ['another CA', [await other.issue(), 'unknown_ca', 'unknown_ca']],
    ['another CA of the same name', [await sameName.issue(), 'decrypt_error', 'unknown_ca']],
    [
      'expired',
      [await authority.issue({ notAfterMs: after(-0.5) }), 'certificate_expired', 'expired'],
    ],
    [
      'not yet valid',
      [await authority.issue({ notBeforeMs: after(1) }), 'bad_certificate', 'not_yet_valid'],
    ],
    [
      'for servers',
      [await authority.issue({ usage: serverAuth }), 'unsupported_certificate', 'wrong_purpose'],
    ],
    [
      'a subject that is too long',
      [
        await authority.issue({ name: Array(9).fill({ OU: ['x'.repeat(60)] }) }),
        'bad_certificate',
        'name',
      ],
    ],
    [
      'a NUL in the subject',
      [await authority.issue({ name: [{ CN: ['admin\0.example'] }] }), 'bad_certificate', 'name'],
    ],
    [
      'a serial number that is too long',
      [await authority.issue({ serial: '40'.repeat(21) }), 'bad_certificate', 'name'],
    ],
    [
      'a weak key',
      // Since Node 24 a client does not even load such a key by itself (OpenSSL's security level 2).
      [
        { ...(await authority.issue({ rsaBits: 1024 })), ciphers: 'DEFAULT:@SECLEVEL=0' },
        'bad_certificate',
        'weak_key',
      ],
    ],
  ]);
  const running = await start(t, trust());
  for (const [name, [shown, alert, reason]] of unwanted) {
    for (const version of versions) {
      const before = figuresOf(running);
      t.equal(await outcome(running, shown, version), alert, `${name}, ${version}`);
      const wanted = before.refused[reason] + 1;
      t.equal(await refusals(running, reason, wanted), wanted, `${name}: counted as ${reason}`);
      const { verified, missing } = figuresOf(running);
      t.same([verified, missing], [before.verified, before.missing]);
    }
  }
  const { tls } = JSON.parse(running.service.stats());
  t.equal(tls.failures.client_certificate, 2 * unwanted.size);
  t.equal(await outcome(running, good, 'TLSv1.3'), 200, 'and it goes on');
});

t.test('an intermediate CA: sent by the client, or in the bundle', async (t) => {
  const middle = await Authority.create('Middle CA', authority);
  const shown = await middle.issue();
  const leafOnly = { ...shown, cert: shown.cert.slice(0, shown.cert.indexOf('-----END') + 26) };
  const running = await start(t, trust());
  for (const version of versions) {
    t.equal(await outcome(running, shown, version), 200, `sent, ${version}`);
    t.equal(await outcome(running, leafOnly, version), 'unknown_ca', `not sent, ${version}`);
  }
  running.service.replaceClientCertificates(trust({ ca: middle.pem + authority.pem }));
  for (const version of versions) t.equal(await outcome(running, leafOnly, version), 200);
  let deep = authority;
  for (let i = 0; i < 4; i += 1) deep = await Authority.create(`Deep CA ${i}`, deep);
  t.equal(await outcome(running, await deep.issue(), 'TLSv1.3'), 200, 'four on the way');
  deep = await Authority.create('Deeper CA', deep);
  t.equal(await outcome(running, await deep.issue(), 'TLSv1.3'), 'unknown_ca', 'five');
  t.equal(await refusals(running, 'chain_too_long', 1), 1);
});

t.test('revocation, the dates of lists, and a clock that is wrong', async (t) => {
  const bad = await authority.issue();
  const expired = await authority.issue({ notAfterMs: after(-0.5) });
  const crl = await authority.revoke([bad]);
  const old = await authority.revoke([bad], { nextUpdateMs: after(-0.5) });
  const running = await start(t, trust({ crl }));
  for (const version of versions) {
    t.equal(await outcome(running, good, version), 200);
    t.equal(await outcome(running, bad, version), 'certificate_revoked');
  }
  t.equal(await refusals(running, 'revoked', 2), 2);
  running.service.replaceClientCertificates(trust({ crl: old }));
  t.equal(await outcome(running, good, 'TLSv1.3'), 'certificate_expired', 'nobody, once it is old');
  t.equal(await refusals(running, 'crl_out_of_date', 1), 1);
  t.equal(await outcome(running, undefined, 'TLSv1.3'), 403, 'the open part is still served');
  running.service.replaceClientCertificates(trust({ crl: old, checkTimes: false }));
  for (const version of versions) {
    t.equal(await outcome(running, good, version), 200, 'no dates');
    t.equal(await outcome(running, expired, version), 200, 'no dates');
    t.equal(await outcome(running, bad, version), 'certificate_revoked', 'but revoked is revoked');
  }
});

t.test('a revoked intermediate CA takes its clients with it', async (t) => {
  const middle = await Authority.create('Middle CA', authority);
  const shown = await middle.issue();
  const ca = middle.pem + authority.pem;
  const lists = async (revoked: Shown[]) =>
    (await authority.revoke(revoked)) + (await middle.revoke([]));
  const running = await start(t, trust({ ca, crl: await lists([]) }));
  t.equal(await outcome(running, shown, 'TLSv1.3'), 200);
  const crl = await lists([{ cert: middle.pem, key: '' }]);
  running.service.replaceClientCertificates(trust({ ca, crl }));
  t.equal(await outcome(running, shown, 'TLSv1.3'), 'certificate_revoked');
  const stranger = await Authority.create('Unlisted CA', authority);
  t.equal(await outcome(running, await stranger.issue(), 'TLSv1.3'), 'unknown_ca');
  t.equal(await refusals(running, 'crl_missing', 1), 1, 'a CA without a list is not believed');
});

/** The answer to bytes that Node's client would not send. */
async function raw(running: Running, target: string, shown?: Shown): Promise<string> {
  const socket = await new Promise<TLSSocket>((resolve, reject) => {
    const options = { host: '127.0.0.1', port: running.port, ca: running.pair.chain, ...shown };
    const connecting = connect(options, () => resolve(connecting));
    connecting.on('error', reject);
  });
  socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  const answer = (await readToEnd(socket)).toString();
  socket.destroy();
  return answer;
}

t.test('no spelling of a path goes around the rule', async (t) => {
  const running = await start(t, trust());
  const spellings = [
    '/private',
    '/private/',
    '/private/index.html',
    '/%70rivate/',
    '/%70%72%69%76%61%74%65/index%2ehtml',
    '/./private/',
    '/a/../private/',
    '/a/%2e%2e/private/',
    '/%2e/private/',
    '/private/.',
    '/private/x/..',
    '/private/?x=/../..',
    'https://localhost/private/',
    'http://elsewhere.example/a/../%70rivate/',
  ];
  for (const target of spellings) {
    t.match(await raw(running, target), /^HTTP\/1\.1 403 /, target);
  }
  const elsewhere = ['//private/', '/%2fprivate/', '/a%2f..%2fprivate/', '/%2570rivate/'];
  for (const target of [...elsewhere, '/PRIVATE/', '/private%00/', '/private%20/', '/privateer']) {
    const answer = await raw(running, target);
    t.match(answer, /^HTTP\/1\.1 (400|404) /, target);
    t.notMatch(answer, /inner/);
  }
  for (const target of ['/private/', '/%70rivate/']) {
    t.match(await raw(running, target, good), /^HTTP\/1\.1 200 [\s\S]*inner$/, target);
  }
  t.match(await raw(running, '/private/../', undefined), /^HTTP\/1\.1 200 [\s\S]*open$/);
});

t.test('with curl and openssl s_client, in user space and in the kernel', async (t) => {
  for (const tlsOffload of ['auto', 'off'] as const) {
    const running = await startService(t, files, { clientCertificates: trust(), tlsOffload });
    const { root: directory } = running;
    const beside = { 'c.pem': good.cert, 'c.key': good.key, 'ca.pem': running.pair.chain };
    for (const [name, text] of Object.entries(beside)) writeFileSync(join(directory, name), text);
    const url = `https://127.0.0.1:${running.port}/secret.txt`;
    for (const version of ['1.2', '1.3']) {
      const common = ['-s', '--cacert', 'ca.pem', `--tlsv${version}`, '--tls-max', version];
      const show = ['--cert', 'c.pem', '--key', 'c.key'];
      const run = (args: string[]) =>
        runAside('curl', [...common, '-w', ' %{http_code}', ...args, url], directory);
      t.match(await run([]), / 403$/);
      t.equal(await run(show), 'secret 200');
    }
    const client = ['s_client', '-connect', `127.0.0.1:${running.port}`, '-CAfile', 'ca.pem'];
    const said = await runAside('openssl', [...client, '-ign_eof'], directory, '\n');
    t.match(said, /Acceptable client certificate CA names\nCN = Site CA\n/);
  }
});

/** Runs a client in a process of its own; the engine has its own thread, so waiting is fine. */
function runAside(command: string, args: string[], cwd: string, input = ''): Promise<string> {
  const { stdout, error } = spawnSync(command, args, { cwd, input, timeout: 20_000 });
  return error ? Promise.reject(error) : Promise.resolve(String(stdout));
}

t.test('several certificates by SNI ask for the same clients', async (t) => {
  const [first, second] = [await newPair(), await newPair()];
  const clientCertificates = trust({ require: ['/'] });
  const running = await startService(t, files, {
    certificates: [first, second],
    clientCertificates,
  });
  running.pair = first;
  for (const version of versions) {
    t.equal(await outcome(running, undefined, version), 403);
    t.equal(await outcome(running, good, version), 200);
  }
  running.service.replaceCertificates([second]);
  running.pair = second;
  t.equal(await outcome(running, undefined, 'TLSv1.3'), 403, 'the settings stay');
  t.equal(await outcome(running, good, 'TLSv1.3'), 200);
  running.service.replaceClientCertificates(undefined);
  t.equal(await outcome(running, undefined, 'TLSv1.3'), 200, 'and can be taken away');
  t.equal((await get(running)).fingerprint.length, 95, 'with the same certificate of the server');
});
