// SPDX-License-Identifier: Apache-2.0
// Which certificate a client gets from the real addon: by the name that it asks for, with and
// without a trailing dot, by the keys that its signature algorithms can use, in both versions of
// TLS, and after other certificates or other CAs for clients came while it runs.

import { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import t, { type Test } from 'tap';
import type { CertificatePair } from '../../src/engine/native.js';
import { type Made, make, type Wanted } from '../unit/certificates/certificates.js';
import { Authority } from './pki.js';
import { type Running, startService } from './service.js';

const versions = ['TLSv1.2', 'TLSv1.3'] as const;
// Signature algorithms of clients that know one type of key alone.
const rsaOnly = 'rsa_pss_rsae_sha256:RSA+SHA256';
const ecdsaOnly = 'ECDSA+SHA256';

const made = new Map<string, Made>();
async function pair(name: string, wanted: Wanted, standsAlone = false): Promise<CertificatePair> {
  const one = await make({ commonName: name, ...wanted });
  made.set(new X509Certificate(one.pem).fingerprint256, one);
  return { chain: one.pem, privateKey: one.privateKey, standsAlone };
}

/** The common name of what the server shows, or the number of its alert. */
function shown(
  { port }: Running,
  servername: string,
  version: (typeof versions)[number],
  sigalgs?: string,
): Promise<string> {
  return new Promise((resolve) => {
    const limits = { minVersion: version, maxVersion: version, rejectUnauthorized: false };
    const algorithms = sigalgs === undefined ? {} : { sigalgs };
    const socket = connect({ host: '127.0.0.1', port, servername, ...limits, ...algorithms });
    socket.once('error', ({ message }) =>
      resolve(`alert ${/SSL alert number (\d+)/.exec(message)?.[1] ?? message}`),
    );
    socket.once('secureConnect', () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
  });
}

const ec = 'P-256';
const rsa = 'RSA-2048';
const pairs = [
  await pair('first', { key: ec, dns: ['gate.site.test', 'old.site.test', '10.0.0.1'] }),
  await pair('first-rsa', { key: rsa, dns: ['gate.site.test'] }),
  await pair('stars', { key: rsa, dns: ['*.site.test', 'rooted.test.'] }),
  await pair('exact', { key: ec, dns: ['exact.site.test'] }),
  await pair('ed', { key: 'Ed25519', dns: ['gate.site.test'] }),
  await pair('late', { key: ec, dns: ['gate.site.test', 'late.test'] }),
];

// [name asked for, all algorithms, RSA alone, ECDSA alone]
const choices: [string, string, string, string][] = [
  ['gate.site.test', 'first', 'first-rsa', 'first'],
  ['GATE.site.test.', 'first', 'first-rsa', 'first'],
  ['old.site.test', 'first', 'stars', 'first'],
  ['exact.site.test', 'exact', 'stars', 'exact'],
  ['any.site.test', 'stars', 'stars', 'alert 40'],
  ['late.test', 'late', 'alert 40', 'late'],
  ['rooted.test', 'stars', 'stars', 'alert 40'],
  ['unknown.test', 'first', 'first-rsa', 'first'],
  ['', 'first', 'first-rsa', 'first'],
];

async function checkChoices(t: Test, running: Running, note: string): Promise<void> {
  for (const version of versions) {
    for (const [name, all, withRsa, withEcdsa] of choices) {
      const about = `${note}: ${name || 'no name'}, ${version}`;
      t.equal(await shown(running, name, version), all, about);
      t.equal(await shown(running, name, version, rsaOnly), withRsa, `${about}, RSA alone`);
      t.equal(await shown(running, name, version, ecdsaOnly), withEcdsa, `${about}, ECDSA alone`);
    }
  }
}

t.test('pairs of one name and several types of key are served together', async (t) => {
  const running = await startService(t, {}, { certificates: pairs });
  await checkChoices(t, running, 'as it started');
  const authority = await Authority.create('Site CA');
  const clients = { ca: authority.pem, crl: '', require: [], checkTimes: true };
  running.service.replaceClientCertificates(clients);
  await checkChoices(t, running, 'clients are asked');
  running.service.replaceCertificates(pairs.slice(2));
  t.equal(await shown(running, 'gate.site.test', 'TLSv1.3'), 'late', 'replaced');
  running.service.replaceCertificates(pairs);
  await checkChoices(t, running, 'replaced again');
});

t.test('a pair that stands alone is never beside another', async (t) => {
  const uploaded = await pair('uploaded', { key: rsa, dns: ['gate.site.test'] }, true);
  const own = await pair('own', { key: ec, dns: ['gate.site.test', 'own.test'] }, true);
  const running = await startService(t, {}, { certificates: [uploaded, own] });
  for (const version of versions) {
    for (const name of ['gate.site.test', '']) {
      t.equal(await shown(running, name, version), 'uploaded', 'not the one with the better key');
      t.equal(await shown(running, name, version, ecdsaOnly), 'alert 40');
    }
    t.equal(await shown(running, 'own.test', version), 'own');
  }
});
