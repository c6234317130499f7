// SPDX-License-Identifier: Apache-2.0
// The signature of a release as a user verifies it offline, by the commands of docs/RELEASES.md: what was
// changed, signed by somebody else or for something else does not pass, and no key is taken out of the
// checkout.

import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import { writeSums } from '../../scripts/release.mjs';
import { sign, signatureNamespace } from '../../scripts/signature.mjs';

const identity = 'releases@example.com';

function run(command: string, args: string[], input?: Buffer, cwd = '.', env = process.env) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, input, env });
  return { status, text: `${stdout}${stderr}` };
}

/** Not t.testdir(), which is in the checkout, where no key may be. */
function outside(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'spliced-signature-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function makeKey(file: string): string {
  const { status, text } = run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  if (status !== 0) throw new Error(text);
  return readFileSync(`${file}.pub`, 'utf8');
}

/** A directory with two files, and what a user has beside it: the signers that are trusted. */
function makeRelease(directory: string, key: string) {
  const release = join(directory, 'release');
  mkdirSync(release);
  writeFileSync(join(release, 'spliced-1.tar.gz'), 'one');
  writeFileSync(join(release, 'BUILDINFO'), 'two');
  const signers = join(directory, 'allowed_signers');
  const options = `namespaces="${signatureNamespace}"`;
  writeFileSync(signers, `${identity} ${options} ${readFileSync(`${key}.pub`, 'utf8')}`);
  return { release, signers, sums: writeSums(release) };
}

/** The two commands of docs/RELEASES.md. */
function verify(release: string, signers: string, more: string[] = []) {
  const names = ['-I', identity, '-n', 'spliced-release', '-s', 'SHA256SUMS.sig', ...more];
  const sums = readFileSync(join(release, 'SHA256SUMS'));
  const signature = run('ssh-keygen', ['-Y', 'verify', '-f', signers, ...names], sums, release);
  const files = run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], undefined, release);
  return { signature, files };
}

t.test('who has the public key verifies every file', async (t) => {
  const directory = outside(t);
  const key = join(directory, 'key');
  makeKey(key);
  const { release, signers, sums } = makeRelease(directory, key);
  const { signature, fingerprint } = sign(sums, key);
  t.equal(signature, join(release, 'SHA256SUMS.sig'));
  const own = run('ssh-keygen', ['-l', '-f', `${key}.pub`]).text;
  t.ok(fingerprint !== undefined && own.includes(fingerprint), own);
  const { signature: verdict, files } = verify(release, signers);
  t.equal(verdict.status, 0, verdict.text);
  t.match(verdict.text, `Good "spliced-release" signature for ${identity}`);
  t.equal(files.status, 0, files.text);
  t.match(files.text, /BUILDINFO: OK\nspliced-1\.tar\.gz: OK/);

  writeFileSync(join(release, 'spliced-1.tar.gz'), 'One');
  t.equal(verify(release, signers).files.status, 1, 'a byte of a file');
  appendFileSync(sums, `${'0'.repeat(64)}  more\n`);
  t.match(verify(release, signers).signature.text, /incorrect signature/i, 'a line of the sums');
});

t.test('signed by somebody else, or for something else', async (t) => {
  const directory = outside(t);
  const key = join(directory, 'key');
  makeKey(key);
  const { release, signers, sums } = makeRelease(directory, key);
  makeKey(join(directory, 'other'));
  sign(sums, join(directory, 'other'));
  t.not(verify(release, signers).signature.status, 0, 'another key');
  rmSync(`${sums}.sig`);
  const { status } = run('ssh-keygen', ['-Y', 'sign', '-f', key, '-n', 'file', sums]);
  t.equal(status, 0);
  t.not(verify(release, signers).signature.status, 0, 'another namespace');
});

t.test('a key that has ended, and what it signed before', async (t) => {
  const directory = outside(t);
  const key = join(directory, 'key');
  makeKey(key);
  const { release, signers, sums } = makeRelease(directory, key);
  sign(sums, key);
  const text = readFileSync(signers, 'utf8');
  writeFileSync(signers, text.replace(' namespaces', ' valid-before="20250601",namespaces'));
  t.not(verify(release, signers).signature.status, 0, 'today');
  t.equal(verify(release, signers, ['-Overify-time=20250501']).signature.status, 0, 'then');
});

t.test('a key in an agent signs by its public half', async (t) => {
  const directory = outside(t);
  const key = join(directory, 'key');
  makeKey(key);
  const { release, signers, sums } = makeRelease(directory, key);
  const started = run('ssh-agent', ['-a', join(directory, 'agent')]).text;
  const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(started)?.[1]);
  t.teardown(() => process.kill(pid));
  const env = { ...process.env, SSH_AUTH_SOCK: join(directory, 'agent') };
  t.equal(run('ssh-add', ['-q', key], undefined, '.', env).status, 0);
  rmSync(key);
  process.env.SSH_AUTH_SOCK = env.SSH_AUTH_SOCK;
  sign(sums, `${key}.pub`);
  t.equal(verify(release, signers).signature.status, 0);
});

t.test('what is no key', async (t) => {
  const directory = outside(t);
  const sums = join(directory, 'text');
  writeFileSync(sums, 'no key\n');
  t.throws(() => sign(sums, join(directory, 'absent')), /there is no such file; make a key with/);
  t.throws(() => sign(sums, resolve('package.json')), /must not be in the checkout/);
  t.throws(() => sign(sums, sums), /^--key \S+: this is no private key/);
});
