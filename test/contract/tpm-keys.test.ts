// SPDX-License-Identifier: Apache-2.0
// Private keys in a TPM, by their handles: served with, asked for requests, and what is wrong in words. The
// TPM is swtpm, the keys are made by tpm2-tools, as docs/KEYS.md has it.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { issueAuthority, issueCertificate } from '../../src/certificates/issue.js';
import { certificateRequest } from '../../src/commands/certificate.js';
import { certificateKey } from '../../src/commands/certificate-key.js';
import { matchTokenKey, tokenSigner } from '../../src/tls/token-key.js';
import { connectRaw, get, names, startService } from './service.js';

const directory = mkdtempSync(join(tmpdir(), 'spliced-tpm-')); // A socket's path is short.
const socket = join(directory, 'tpm');
const pinFile = join(directory, 'pin');
writeFileSync(pinFile, 'sesame\n', { mode: 0o600 });
process.env.OPENSSL_MODULES = execFileSync('test/contract/get-tpm2', { encoding: 'utf8' }).trim();

const listening = (kind: string, path: string): string[] => [kind, `type=unixio,path=${path}`];
const tpm = spawn(
  'swtpm',
  [
    ...['socket', '--tpm2', '--tpmstate', `dir=${directory}`, '--flags', 'startup-clear'],
    ...listening('--server', socket),
    ...listening('--ctrl', `${socket}.ctrl`),
  ],
  { stdio: 'inherit' },
);
t.teardown(async () => {
  const ended = once(tpm, 'exit');
  tpm.kill();
  await ended;
  rmSync(directory, { recursive: true });
});

const tcti = `swtpm:path=${socket}`;
const tool = (name: string, ...args: string[]): void => {
  const env = { ...process.env, TPM2TOOLS_TCTI: tcti };
  execFileSync(`tpm2_${name}`, args, { cwd: directory, env, stdio: ['ignore', 'pipe', 'inherit'] });
};

/** A key that does not leave the TPM, at this handle. */
function makeKey(handle: string, kind: string, pin?: string): void {
  const attributes = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign';
  const secret = pin === undefined ? [] : ['-p', pin];
  tool(
    'create',
    '-C',
    'p.ctx',
    '-G',
    kind,
    '-u',
    'k.pub',
    '-r',
    'k.priv',
    '-a',
    attributes,
    ...secret,
  );
  tool('flushcontext', '-t');
  tool('load', '-C', 'p.ctx', '-u', 'k.pub', '-r', 'k.priv', '-c', 'k.ctx');
  tool('evictcontrol', '-C', 'o', '-c', 'k.ctx', handle);
  tool('flushcontext', '-t');
}

const plain = 'handle:0x81000001';
const withPin = `handle:0x81000002?pin-source=file:${pinFile}`;
const rsa = 'handle:0x81000003';

t.before(async () => {
  while (!existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 20));
});

const authority = issueAuthority('a TPM', ['localhost'], Date.now());
async function pairOf(reference: string) {
  const { publicKey } = await tokenSigner(reference);
  const { certificate } = await issueCertificate(names, Date.now(), await authority, publicKey);
  return { chain: certificate, privateKey: reference };
}

t.test('without a TPM, and without the provider, it says what to do', async (t) => {
  process.env.TPM2OPENSSL_TCTI = `swtpm:path=${directory}/nowhere`;
  await t.rejects(tokenSigner(plain), /tpm2\.so cannot be loaded: .*needs a TPM: \/dev\/tpmrm0/);
  const modules = process.env.OPENSSL_MODULES;
  process.env.OPENSSL_MODULES = directory;
  await t.rejects(
    tokenSigner(plain),
    /tpm2 provider is not there: install the package tpm2-openssl/,
  );
  process.env.OPENSSL_MODULES = modules;
  process.env.TPM2OPENSSL_TCTI = tcti;
});

t.test('keys of each kind are served with, in both versions of TLS', async (t) => {
  tool('createprimary', '-C', 'o', '-G', 'ecc256', '-c', 'p.ctx');
  makeKey('0x81000001', 'ecc256:ecdsa');
  makeKey('0x81000002', 'ecc256', 'sesame');
  makeKey('0x81000003', 'rsa2048');
  for (const reference of [plain, withPin, rsa]) {
    const pair = await pairOf(reference);
    const running = await startService(t, { 'a.txt': 'hello' }, { certificates: [pair] });
    running.pair = { chain: (await authority).certificate, privateKey: '' };
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { body, protocol } = await get(running, { path: '/a.txt', maxVersion });
      t.equal(body.toString(), 'hello', `${reference} ${protocol}`);
      t.equal(protocol, maxVersion);
    }
    const many = await Promise.all(Array.from({ length: 12 }, () => connectRaw(running)));
    for (const one of many) one.destroy();
    const { signatures } = JSON.parse(running.service.stats()).tls;
    t.match(signatures, { failed: 0, failing: [] });
    t.ok(signatures.made >= 14, `${signatures.made} signatures, on threads of their own`);
    running.service.close();
  }
});

t.test('a request for a certificate is signed there', async (t) => {
  const out: string[] = [];
  const told: string[] = [];
  const streams = {
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => told.push(text) },
  };
  t.equal(
    await certificateRequest({ names: ['gate.example'], privateKeyFile: withPin }, streams),
    0,
  );
  t.same(told, ['Used handle:0x81000002, which stays where it is.\n']);
  const csr = join(directory, 'csr.pem');
  writeFileSync(csr, out.join(''));
  execFileSync('openssl', ['req', '-in', csr, '-noout', '-verify'], { stdio: 'pipe' });
  t.equal(await certificateKey({ reference: plain, isMade: false }, streams), 0);
  t.match(out.at(-1), /BEGIN PUBLIC KEY/);
});

t.test('what is wrong, in words', async (t) => {
  const wrongPin = join(directory, 'wrong');
  writeFileSync(wrongPin, 'open\n', { mode: 0o600 });
  const { chain } = await pairOf(plain);
  for (const [reference, expected] of [
    ['handle:0x81000009', /the TPM has no key for handle:0x81000009 .*tpm2_getcap/],
    ['handle:0x40000001', /that of a persistent object, such as handle:0x81000001/],
    ['handle:0x8100000', /that of a persistent object/],
    [`${plain}?pass`, /stands pin-source=file:\/path or nothing/],
    [`${plain}?pin-source=sesame`, /pin-source is file:\/path or credential:NAME/],
    [`${plain}?pin-source=file:/x&pin-value=1`, /stands pin-source=file:\/path or nothing/],
    ['handle:0x81000002?pin-source=file:/nowhere', /the TPM has no key for .*PIN of pin-source/],
  ] as const) {
    await t.rejects(matchTokenKey(reference, [chain], true), expected, reference);
  }
  const refused = `handle:0x81000002?pin-source=file:${wrongPin}`;
  const { sign } = await tokenSigner(refused);
  await t.rejects(sign('SHA256', Buffer.from('x')), /does not sign/, 'a PIN that is not right');
  const streams = { stdout: { write: () => true }, stderr: { write: () => true } };
  await t.rejects(certificateKey({ reference: plain, isMade: true }, streams), /is there already/);
  const absent = { reference: 'handle:0x81000009', isMade: true };
  await t.rejects(certificateKey(absent, streams), /made by tpm2-tools \(docs\/KEYS\.md\)/);
});
