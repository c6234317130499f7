// SPDX-License-Identifier: Apache-2.0
// What differs between the OpenSSL that Nodes have (3.0 in Node 20, 3.5 since 22), and what must not. Groups
// are in tls-groups.test.ts. Run with each of them by `npm test -- --only nodes`.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect, createSecureContext } from 'node:tls';
import t, { type Test } from 'tap';
import { get, type Running, startService } from './service.js';

const nodeMajor = Number(process.versions.node.split('.')[0]);
t.comment(`Node ${process.version}, OpenSSL ${process.versions.openssl}`);

const tlsOf = ({ service }: Running) => JSON.parse(service.stats()).tls;

/** How the handshake ended for the client: "ok", or the alert's number. */
function shakeHands(running: Running, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const { port, pair } = running;
    const socket = connect({ host: '127.0.0.1', port, ca: pair.chain, ...options });
    const end = (result: string): void => {
      socket.destroy();
      resolve(result);
    };
    socket.on('secureConnect', () => end('ok'));
    socket.on('error', ({ message }) => end(/alert number (\d+)/.exec(message)?.[1] ?? message));
  });
}

t.test('a refusal has the same name and alert with every OpenSSL', async (t) => {
  const running = await startService(t, { 'a.txt': 'hello' });
  const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
  t.equal(await shakeHands(running, old), '70', 'protocol_version');
  const weak = { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA:@SECLEVEL=0' } as const;
  t.equal(await shakeHands(running, weak), '40', 'handshake_failure');
  const plain = connectTcp(running.port, '127.0.0.1', () => plain.end('GET / HTTP/1.1\r\n\r\n'));
  await new Promise((resolve) => plain.resume().once('close', resolve));
  const { failures } = tlsOf(running);
  const counted = Object.entries(failures).filter(([, count]) => count !== 0);
  const expected = { not_tls: 1, unsupported_protocol: 1, no_shared_cipher: 1 };
  t.same(Object.fromEntries(counted), expected);
});

t.test('a handshake brings one ticket, which resumes', async (t) => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const running = await startService(t, { 'a.txt': 'hello' });
    const versions = { minVersion: version, maxVersion: version };
    const sessions: Buffer[] = [];
    const socket = connect({
      host: '127.0.0.1',
      port: running.port,
      ca: running.pair.chain,
      ...versions,
    });
    socket.on('session', (session) => sessions.push(session));
    socket.write('GET /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await new Promise((resolve) => socket.resume().once('close', resolve));
    t.equal(sessions.length, 1, `${version}: one ticket`);
    const resumed = await new Promise((resolve) => {
      const options = { host: '127.0.0.1', port: running.port, ca: running.pair.chain };
      const again = connect({ ...options, ...versions, session: sessions[0] as Buffer }, () => {
        resolve(again.isSessionReused());
        again.destroy();
      });
    });
    t.equal(resumed, true, version);
    running.service.close();
  }
});

function weakPair(t: Test, bits: number) {
  const directory = t.testdirName; // Beside what the engine serves.
  const [key, chain] = ['key.pem', 'chain.pem'].map((name) => join(directory, name)) as [
    string,
    string,
  ];
  const args = ['req', '-x509', '-newkey', `rsa:${bits}`, '-nodes', '-days', '2'];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', [...args, ...subject, '-keyout', key, '-out', chain], { stdio: 'pipe' });
  return { chain: readFileSync(chain, 'utf8'), privateKey: readFileSync(key, 'utf8') };
}

t.test(
  "the security level is the one that Node's OpenSSL was built with: 2 since Node 24, where 1024 bits of RSA are too few",
  async (t) => {
    const running = await startService(t, { 'a.txt': 'hello' });
    const weak = weakPair(t, 1024);
    let isRefused = false;
    try {
      createSecureContext({ cert: weak.chain, key: weak.privateKey });
    } catch {
      isRefused = true;
    }
    if (nodeMajor >= 24) t.ok(isRefused, 'by Node too');
    const replace = () => running.service.replaceCertificates([weak]);
    if (isRefused) t.throws(replace, { code: 'ECERTIFICATE', message: /too small/ });
    else t.doesNotThrow(replace);
    const strong = weakPair(t, 2048);
    running.service.replaceCertificates([strong]);
    running.pair = strong;
    t.equal((await get(running, { path: '/a.txt' })).status, 200);
  },
);
