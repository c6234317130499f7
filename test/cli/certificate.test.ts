// SPDX-License-Identifier: Apache-2.0
// `spliced certificate ...` as an operator runs it beside a service, several certificates chosen by
// name, files that change under the service, and plain HTTP.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from 'node:tls';
import t, { type Test } from 'tap';
import { issueCertificate } from '../../src/certificates/issue.js';
import { freePort } from '../free-port.js';
import { startAcmeServer } from '../unit/certificates/acme-server.js';
import { operator, startEstServer } from '../unit/certificates/est-server.js';
import { type LogLine, logLines, runCli, type Server, startCli } from './server.js';

async function writePair(directory: string, name: string, file = name): Promise<string> {
  const names = { commonName: name, dns: [name], ip: [] };
  const { certificate, privateKey } = await issueCertificate(names, Date.now());
  for (const [ending, text] of [
    ['key', privateKey],
    ['pem', certificate],
  ]) {
    writeFileSync(join(directory, `${file}.new`), text ?? '', { mode: 0o600 });
    renameSync(join(directory, `${file}.new`), join(directory, `${file}.${ending}`));
  }
  return certificate;
}

function stopped(t: Test, server: Server): Server {
  t.teardown(() => server.child.kill('SIGKILL'));
  return server;
}

/** The common name that a client of that name is shown. */
function shownTo(port: number, servername?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const name = servername === undefined ? {} : { servername };
    const options = { host: '127.0.0.1', port, rejectUnauthorized: false, ...name };
    const socket = connect(options, () => {
      resolve(socket.getPeerX509Certificate()?.subject ?? '');
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

/** The next line of the log with that event, and that reason if one is given. */
function nextEvent({ child }: Server, event: string, reason = /(?:)/): Promise<LogLine> {
  return new Promise((resolve) => {
    if (child.stdout === null) throw new Error('no standard output');
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [entry] = logLines(line);
      if (entry?.event === event && reason.test(String(entry.reason))) resolve(entry);
    });
  });
}

t.test('ca, show and renew beside the service', async (t) => {
  const directory = t.testdir();
  const state = ['--state-dir', join(directory, 'state')];
  const early = await runCli(['certificate', 'ca', ...state]);
  t.match(early, { code: 1, stdout: '', stderr: /the first start makes it/ });
  const server = stopped(t, await startCli(directory));
  const ca = await runCli(['certificate', 'ca', ...state]);
  t.equal(ca.code, 0);
  const authority = join(directory, 'ca.pem');
  writeFileSync(authority, ca.stdout);
  const url = `https://127.0.0.1:${server.port}/.spliced/status`;
  const fetched = spawnSync('curl', ['-sS', '--cacert', authority, url], { encoding: 'utf8' });
  t.equal(fetched.status, 0, fetched.stderr);
  t.match(JSON.parse(fetched.stdout), {
    configuration: [],
    certificates: [{ source: 'device', notAfter: /Z$/, daysLeft: Number, lastError: null }],
  });
  const shown = JSON.parse((await runCli(['certificate', 'show', '--json', ...state])).stdout);
  t.match(shown, [{ source: 'device', sans: Array }, { source: 'authority' }]);
  const changed = nextEvent(server, 'certificate_changed');
  const asked = await runCli(['certificate', 'renew', ...state]);
  t.match(asked, { code: 0, stdout: /^Asked for: device\./ });
  server.child.kill('SIGHUP');
  const { fingerprints } = await changed;
  t.not((fingerprints as string[])[0], shown[0].fingerprint);
  server.child.kill('SIGTERM');
  t.equal((await server.ended).code, 0);
});

t.test('request and check', async (t) => {
  const directory = t.testdir();
  const key = join(directory, 'device.key');
  const made = await runCli(['certificate', 'request', '--private-key', key, 'gate.example.org']);
  t.match(made, { code: 0, stdout: /^-----BEGIN CERTIFICATE REQUEST/, stderr: /Wrote a new key/ });
  await writePair(directory, 'one');
  const files = (certificate: string, privateKey: string): string[] => [
    '--certificate',
    join(directory, certificate),
    '--private-key',
    join(directory, privateKey),
  ];
  const good = await runCli(['certificate', 'check', ...files('one.pem', 'one.key')]);
  t.match(good, { code: 0, stdout: /^ok: .*one\.pem can be served\n$/ });
  const pair = [join(directory, 'one.pem'), join(directory, 'one.key')];
  const plain = await runCli(['certificate', 'check', ...pair]);
  t.match(plain, { code: 0, stdout: /^ok: .*one\.pem can be served\n$/ });
  const bad = await runCli(['certificate', 'check', ...files('one.pem', 'device.key')]);
  t.match(bad, { code: 1, stdout: '', stderr: /^problem: .*does not match/ });
  const absent = await runCli(['certificate', 'check', ...files('one.pem', 'absent')]);
  t.match(absent, { code: 2, stderr: /^spliced: cannot read .*absent: ENOENT/ });
  const half = await runCli(['certificate', 'check', '--certificate', 'one.pem']);
  t.match(half, { code: 2, stderr: /belong together/ });
});

t.test('one that was given to the running service', async (t) => {
  const directory = t.testdir();
  const server = stopped(t, await startCli(directory));
  const state = ['--state-dir', `${directory}/state`];
  const none = await runCli(['certificate', 'check', ...state]);
  t.match(none, { code: 2, stderr: /nothing is installed/ });
  // A year, of which two days and some hours are left.
  const names = { commonName: 'gate', dns: ['localhost'], ip: ['127.0.0.1'] };
  const made = await issueCertificate(names, Date.now() - 362.5 * 86_400_000);
  const files = ['chain.pem', 'key.pem'].map((name) => join(directory, name));
  for (const [i, text] of [made.certificate, made.privateKey].entries()) {
    writeFileSync(files[i] ?? '', text, { mode: 0o600 });
  }
  t.match(await runCli(['certificate', 'install', ...files, ...state]), { code: 0 });
  const shown = JSON.parse((await runCli(['certificate', 'show', '--json', ...state])).stdout);
  t.match(shown, [
    { source: 'uploaded', isServed: true, daysLeft: 2 },
    { source: 'device', isServed: true },
    { source: 'authority', isServed: false },
  ]);
  const served = JSON.parse((await runCli(['status', '--json', ...state])).stdout).certificates;
  t.same(
    served.map((one: { source: string; daysLeft: number }) => [one.source, one.daysLeft]),
    shown.slice(0, 2).map((one: typeof shown) => [one.source, one.daysLeft]),
    'as the service says it',
  );
  const checked = await runCli(['certificate', 'check', ...state]);
  t.match(checked, { code: 0, stdout: /^ok: the uploaded certificate can be served$/m });
  const { findings } = JSON.parse((await runCli(['doctor', '--json', ...state])).stdout);
  const dates = findings.filter(({ id }: { id: string }) => id === 'certificate.validity');
  t.match(dates, [
    { level: 'warning', title: /valid for 2 days .*\[uploaded\]/ },
    { level: 'ok', title: /\[device\]/ },
  ]);
  server.child.kill('SIGTERM');
  t.equal((await server.ended).code, 0);
});

t.test('wrong usage', async (t) => {
  const cases: [string[], RegExp][] = [
    [[], /^spliced: say which: .* ca, show, check, renew, install, key, request; see --help\n$/],
    [['toString'], /say which/],
    [['ca', 'x'], /unexpected argument "x"/],
    [['ca', '--json'], /--json belongs to show/],
    [['check'], /give the files, spliced certificate check CHAIN \[KEY\]/],
    [['check', 'a', 'b', 'c'], /give the files once/],
    [['check', 'a', '--certificate', 'b'], /give the files once/],
    [['request', 'gate'], /say where the private key is/],
    [['request', '--private-key', '/nonexistent/k'], /give the names/],
    [['show', '--rot', 'x'], /did you mean --root/],
  ];
  for (const [args, reason] of cases) {
    const ended = await runCli(['certificate', ...args]);
    t.equal(ended.code, 2, args.join(' '));
    t.match(ended.stderr, reason, args.join(' '));
    t.match(ended.stderr, /^(spliced: about the service [^\n]+\n)?spliced: [^\n]+\n$/);
  }
  t.match(await runCli(['certificate', '--help']), { code: 0, stdout: /^Usage: spliced certif/ });
});

t.test('several certificates by name, and files that change', async (t) => {
  const directory = t.testdir({ root: {} });
  for (const name of ['one', 'two']) await writePair(directory, name);
  const config = join(directory, 'spliced.toml');
  const pair = (name: string): string[] => [`${directory}/${name}.pem`, `${directory}/${name}.key`];
  const [certificate, privateKey] = pair('one');
  const tls = `[tls]\ncertificate = "${certificate}"\nprivate_key = "${privateKey}"\n`;
  const write = (more: string): void =>
    writeFileSync(config, `root = "${directory}/root"\n${tls}more_certificates = ${more}\n`);
  write(JSON.stringify([pair('two').join(',')]));
  const server = stopped(t, await startCli(directory, ['--config', config]));
  t.equal(await shownTo(server.port), 'CN=one');
  t.equal(await shownTo(server.port, 'two'), 'CN=two');
  t.equal(await shownTo(server.port, 'other'), 'CN=one');

  const changed = nextEvent(server, 'certificate_changed');
  await writePair(directory, 'three', 'two');
  t.match(await changed, { reason: /^files .*two\.pem changed$/ });
  t.equal(await shownTo(server.port, 'three'), 'CN=three', 'without a reload');

  const refused = nextEvent(server, 'reload_failed');
  write('["/absent,/absent"]');
  server.child.kill('SIGHUP');
  const place = `${config}:5: tls.more_certificates: cannot read /absent: ENOENT`;
  t.match((await refused).errors, [new RegExp(`^${place}`)]);
  t.equal(await shownTo(server.port, 'three'), 'CN=three', 'as before');
  const reloaded = nextEvent(server, 'reloaded');
  write('[]');
  server.child.kill('SIGHUP');
  t.match(await reloaded, { applied: ['tls.more_certificates'] });
  t.equal(await shownTo(server.port, 'three'), 'CN=one');
  server.child.kill('SIGTERM');
  t.equal((await server.ended).code, 0);
});

t.test('enrolled by ACME: the challenge is answered, all else is sent to HTTPS', async (t) => {
  const directory = t.testdir();
  const acme = await startAcmeServer();
  t.teardown(() => acme.close());
  acme.challengePort = await freePort();
  const config = join(directory, 'spliced.toml');
  const write = (names: string): void =>
    writeFileSync(
      config,
      `listen_http = ["127.0.0.1:${acme.challengePort}"]
[enrolment]
protocol = "acme"
names = [${names}]
directory_url = "${acme.directoryUrl}"
trust_anchors_file = "${directory}/anchors.pem"
terms_of_service_agreed = true
`,
    );
  writeFileSync(join(directory, 'anchors.pem'), acme.trustAnchors);
  write('"gate.example.org"');
  const server = stopped(t, await startCli(directory, ['--config', config]));
  t.match(await nextEvent(server, 'certificate_changed'), { reason: /^enrolment: / });
  t.equal(await shownTo(server.port, 'gate.example.org'), 'CN=gate', 'as that server issues');
  t.ok(acme.requests.includes('finalize'));

  const host = { host: '127.0.0.1', port: acme.challengePort };
  const [response] = await once(
    get({ ...host, path: '/a?b', headers: { Host: 'gate.example.org' }, agent: false }),
    'response',
  );
  const { statusCode, headers } = (response as IncomingMessage).resume();
  t.equal(statusCode, 308);
  t.equal(headers.location, `https://gate.example.org:${server.port}/a?b`);

  const renewed = nextEvent(server, 'certificate_changed');
  write('"gate.example.org", "www.example.org"');
  server.child.kill('SIGHUP');
  await renewed;
  const shown = await runCli([
    'certificate',
    'show',
    '--json',
    '--state-dir',
    `${directory}/state`,
  ]);
  t.match(JSON.parse(shown.stdout), [
    { source: 'enrolment', sans: ['DNS:gate.example.org', 'DNS:www.example.org'] },
  ]);
  server.child.kill('SIGTERM');
  const { code, stdout } = await server.ended;
  t.equal(code, 0);
  t.equal(logLines(stdout)[0]?.event, 'plain_http');
});

/** Of the certificate that a client is shown now: subject, and whom the chain leads to. */
function chainShownTo(port: number, authority: string): Promise<{ cn: string; serial: string }> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, ca: authority, servername: 'gate.example.org' };
    const socket = connect(options, () => {
      const { subject, serialNumber } = socket.getPeerCertificate();
      resolve({ cn: String(subject.CN), serial: serialNumber });
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

t.test('enrolled by EST, served, and re-enrolled with its own certificate', async (t) => {
  const directory = t.testdir();
  const est = await startEstServer();
  t.teardown(() => est.close());
  writeFileSync(join(directory, 'anchors.pem'), est.trustAnchors);
  writeFileSync(join(directory, 'password'), `${operator.password}\n`, { mode: 0o600 });
  const config = join(directory, 'spliced.toml');
  writeFileSync(
    config,
    `[enrolment]
protocol = "est"
names = ["gate.example.org"]
url = "${est.url}"
trust_anchors_file = "${directory}/anchors.pem"
username = "${operator.username}"
password_file = "${directory}/password"
`,
  );
  const server = stopped(t, await startCli(directory, ['--config', config]));
  t.match(await nextEvent(server, 'certificate_changed'), { reason: /^enrolment: / });
  // A client that trusts the authority's root alone, and checks the name.
  const first = await chainShownTo(server.port, est.root.pem);
  t.equal(first.cn, 'gate.example.org');
  t.same(est.requests, ['cacerts', 'simpleenroll operator']);

  // The device's own is renewed, too.
  const renewed = nextEvent(server, 'certificate_changed', /^enrolment: an operator/);
  const state = ['--state-dir', `${directory}/state`];
  t.match(await runCli(['certificate', 'renew', ...state]), { stdout: /enrolment/ });
  server.child.kill('SIGHUP');
  await renewed;
  const second = await chainShownTo(server.port, est.root.pem);
  t.equal(second.cn, 'gate.example.org');
  t.not(second.serial, first.serial);
  t.equal(est.requests.at(-1), 'simplereenroll certificate gate.example.org');
  t.equal(est.bodies.length, 2);
  t.not(est.bodies[0], est.bodies[1], 'with a key of its own each time');

  // The next life serves what was enrolled, and asks nobody.
  server.child.kill('SIGTERM');
  const { code, stdout } = await server.ended;
  t.equal(code, 0);
  t.notMatch(stdout, operator.password);
  const asked = est.requests.length;
  const again = stopped(t, await startCli(directory, ['--config', config]));
  t.same(await chainShownTo(again.port, est.root.pem), second);
  t.equal(est.requests.length, asked);
  again.child.kill('SIGTERM');
  t.equal((await again.ended).code, 0);
});

t.test('a plain port that is taken', async (t) => {
  const holder = createServer().listen(0, '127.0.0.1');
  t.teardown(() => holder.close());
  await once(holder, 'listening');
  const { port } = holder.address() as { port: number };
  const state = ['--listen', '127.0.0.1:0', '--state-dir', join(t.testdir(), 'state')];
  const env = { SPLICED_LISTEN_HTTP: `127.0.0.1:${port}` };
  const ended = await runCli(['serve', ...state], env);
  t.match(ended, {
    code: 2,
    stderr:
      /^spliced: SPLICED_LISTEN_HTTP: cannot listen at 127\.0\.0\.1:\d+: listen EADDRINUSE[^\n]*\n$/,
  });
});
