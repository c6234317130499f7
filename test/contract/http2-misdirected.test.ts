// SPDX-License-Identifier: Apache-2.0
// Which names a connection with HTTP/2 may be used for (RFC 9113 9.1.1, RFC 9110 15.5.20): Node's
// client with several authorities on one connection, and curl with another name than it came for.

import { execFile } from 'node:child_process';
import type { ClientHttp2Session, SecureClientSessionOptions } from 'node:http2';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { issueCertificate } from '../../src/certificates/issue.js';
import type { ClientCertificates } from '../../src/engine/native.js';
import { ask, http2Figures, offloads, openSession, startHttp2 } from './http2.js';
import { Authority } from './pki.js';
import { get, type Running } from './service.js';

const run = promisify(execFile);
const files = { 'index.html': 'open', 'secret.txt': 'secret' };

const authority = await Authority.create('Site CA');
const good = await authority.issue();
const trust: ClientCertificates = {
  ca: authority.pem,
  crl: '',
  require: ['/secret.txt'],
  checkTimes: true,
};

async function pairFor(...dns: string[]) {
  const names = { commonName: dns[0] ?? '', dns, ip: [] };
  const { certificate, privateKey } = await issueCertificate(names, Date.now());
  return { chain: certificate, privateKey };
}

/** A session whose handshake asks for this name; "": for none. */
function sessionFor(
  t: Test,
  running: Running,
  servername: string,
  more: SecureClientSessionOptions = {},
): Promise<ClientHttp2Session> {
  return openSession(t, running, { servername, rejectUnauthorized: false, ...more });
}

async function statusFor(session: ClientHttp2Session, name: string, path = '/'): Promise<number> {
  return (await ask(session, { ':authority': name, ':path': path })).status;
}

for (const [offload, change] of offloads) {
  t.test(`the name of the handshake and those of the certificate, ${offload}`, async (t) => {
    const running = await startHttp2(t, files, change); // localhost, 127.0.0.1 and ::1
    const session = await sessionFor(t, running, 'localhost');
    const right = ['localhost', 'LOCALHOST:1', 'localhost.', '127.0.0.1:8443', '[::1]:8443'];
    for (const name of right) t.equal(await statusFor(session, name), 200, name);
    const wrong = ['other.example', 'a.localhost', '127.0.0.2', '[::2]', 'localhost.example:443'];
    for (const name of wrong) t.equal(await statusFor(session, name), 421, name);
    const { misdirected } = http2Figures(running).streams;
    t.equal(misdirected, wrong.length);
    const refused = await ask(session, { ':authority': 'other.example' });
    t.equal(refused.body.toString(), '421 Misdirected Request\n');
    const head = await ask(session, { ':method': 'HEAD', ':authority': 'other.example' });
    t.same([head.status, head.body.length], [421, 0]);
    const posted = { ':method': 'POST', ':authority': 'other.example' };
    t.equal((await ask(session, posted, Buffer.alloc(200_000))).status, 421, 'with a body');
    t.equal(await statusFor(session, 'localhost'), 200, 'and the connection goes on');
    t.match(JSON.parse(running.service.stats()).requests.byStatus, { 421: wrong.length + 3 });
  });
}

t.test('a certificate that does not have the name that everybody asks for', async (t) => {
  const running = await startHttp2(t, files);
  const session = await sessionFor(t, running, 'Box.Local');
  for (const name of ['box.local', 'BOX.LOCAL.:1', 'localhost', '127.0.0.1'])
    t.equal(await statusFor(session, name), 200, name);
  t.equal(await statusFor(session, 'elsewhere.local'), 421);
});

t.test('who names nothing in the handshake is served whatever it asks for', async (t) => {
  const running = await startHttp2(t, files, { clientCertificates: trust });
  const session = await sessionFor(t, running, '');
  for (const name of ['192.0.2.7', 'other.example', 'localhost'])
    t.equal(await statusFor(session, name), 200, name);
  t.equal(await statusFor(session, 'other.example', '/secret.txt'), 403);
  t.equal(http2Figures(running).streams.misdirected, 0);
});

t.test('each connection has the names of its own certificate', async (t) => {
  const certificates = [await pairFor('a.example'), await pairFor('b.example', '*.b.example')];
  const running = await startHttp2(t, files, { certificates });
  const a = await sessionFor(t, running, 'a.example');
  t.equal(await statusFor(a, 'a.example'), 200);
  t.equal(await statusFor(a, 'b.example'), 421, "the other certificate's");
  const b = await sessionFor(t, running, 'b.example');
  const asked = ['b.example', 'x.b.example', 'x.y.b.example', 'a.example'];
  const statuses = await Promise.all(asked.map((name) => statusFor(b, name)));
  t.same(statuses, [200, 200, 421, 421]);
  running.service.replaceCertificates([await pairFor('c.example')]);
  t.same([await statusFor(b, 'x.b.example'), await statusFor(b, 'c.example')], [200, 421]);
});

t.test('over HTTP/1.1 nothing is misdirected', async (t) => {
  const running = await startHttp2(t, files);
  const answer = await get(running, { servername: 'localhost', headers: { host: 'x.example' } });
  t.equal(answer.status, 200);
});

t.test('a path that needs a certificate, for another name than the handshake had', async (t) => {
  const running = await startHttp2(t, files, { clientCertificates: trust });
  const session = await sessionFor(t, running, 'localhost');
  t.equal(await statusFor(session, '127.0.0.1'), 200, 'what needs none');
  t.equal(await statusFor(session, '127.0.0.1', '/secret.txt'), 421);
  t.equal(await statusFor(session, 'localhost'), 200, 'the connection goes on');
  let goneAway = false;
  session.once('goaway', () => {
    goneAway = true;
  });
  t.equal(await statusFor(session, 'localhost', '/secret.txt'), 403, 'its own name');
  t.ok(goneAway, 'only a new handshake brings one');
  const { refused } = running.service.takeRefusals();
  t.match(refused, [{ reason: 'no_certificate' }, { reason: 'no_certificate' }]);
  const known = await sessionFor(t, running, 'localhost', good);
  for (const name of ['localhost', '127.0.0.1'])
    t.equal(await statusFor(known, name, '/secret.txt'), 200, 'with one');
  t.equal(await statusFor(known, 'other.example', '/secret.txt'), 421);
});

t.test('a connection that is older than the rule', async (t) => {
  const running = await startHttp2(t, files);
  const old = await sessionFor(t, running, 'localhost', good);
  running.service.replaceClientCertificates(trust);
  const goneAway = new Promise((resolve) => old.once('goaway', resolve));
  t.equal(await statusFor(old, 'localhost', '/secret.txt'), 421, 'nobody asked it for one');
  await goneAway;
  const fresh = await sessionFor(t, running, 'localhost', good);
  t.equal(await statusFor(fresh, 'localhost', '/secret.txt'), 200);
});

t.test('curl', async (t) => {
  const running = await startHttp2(t, files);
  const status = async (host: string, ...more: string[]): Promise<string> => {
    const url = `https://${host}:${running.port}/`;
    const to = ['--connect-to', `::127.0.0.1:${running.port}`, '--max-time', '30'];
    const asked = ['-sk', '--http2', '-o', '/dev/null', '-w', '%{http_version} %{http_code}'];
    return (await run('curl', [...asked, ...to, ...more, url])).stdout;
  };
  t.equal(await status('127.0.0.1'), '2 200', 'by address, without SNI');
  t.equal(await status('192.0.2.7'), '2 200', 'by an address that the certificate has not');
  t.equal(await status('box.local'), '2 200', 'by a name that it has not');
  t.equal(await status('box.local', '-H', 'Host: localhost'), '2 200');
  t.equal(await status('box.local', '-H', 'Host: elsewhere.local'), '2 421');
});
