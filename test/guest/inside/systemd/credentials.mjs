// SPDX-License-Identifier: Apache-2.0
// An installed certificate by credentials of systemd's: files, and a key that is encrypted on the device
// (systemd-creds), as docs/KEYS.md has it. Used by scenarios.mjs.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from './clients.mjs';
import * as service from './service.mjs';

const port = 8443;
const directory = '/etc/spliced/secret';
const use = 'Environment=SPLICED_CERTIFICATE=%d/certificate.pem SPLICED_PRIVATE_KEY=%d/key.pem';

/** Makes the pair; answers its fingerprint. */
function makePair() {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const files = ['-keyout', `${directory}/key.pem`, '-out', `${directory}/certificate.pem`];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  service.must(
    'openssl',
    'req',
    '-x509',
    ...kind,
    '-subj',
    '/CN=installed',
    '-days',
    '30',
    ...files,
  );
  const made = ['-in', `${directory}/certificate.pem`, '-noout', '-fingerprint', '-sha256'];
  return service
    .must('openssl', 'x509', ...made)
    .trim()
    .split('=')[1];
}

function load(...lines) {
  service.dropIn('credentials', ['[Service]', ...lines, use, ''].join('\n'));
}

export async function credentials() {
  const installed = makePair();
  load(
    ...['certificate.pem', 'key.pem'].map((name) => `LoadCredential=${name}:${directory}/${name}`),
  );
  service.start();
  return { installed, served: (await get(port)).fingerprint256 };
}

/** The key is decrypted with the device's own secret; what is another's, or damaged, starts nothing. */
export async function encryptedCredentials() {
  const installed = makePair();
  const [key, encrypted] = [`${directory}/key.pem`, `${directory}/key.cred`];
  service.must('systemd-creds', 'encrypt', '--with-key=host', '--name=key.pem', key, encrypted);
  rmSync(key);
  const certificate = `LoadCredential=certificate.pem:${directory}/certificate.pem`;
  load(certificate, `LoadCredentialEncrypted=key.pem:${encrypted}`);
  service.start();
  const served = (await get(port)).fingerprint256;
  const isPlain = readFileSync(encrypted, 'utf8').includes('PRIVATE KEY');
  const startWith = (path) => {
    service.stop();
    load(certificate, `LoadCredentialEncrypted=key.pem:${path}`);
    const { code } = service.run('systemctl', 'start', service.unit);
    const { ActiveState, ExecMainStatus } = service.show('ActiveState', 'ExecMainStatus');
    return { code, isActive: ActiveState === 'active', ExecMainStatus };
  };
  const text = Buffer.from(readFileSync(encrypted, 'utf8'), 'base64');
  text[text.length - 1] ^= 1;
  writeFileSync(`${directory}/damaged.cred`, text.toString('base64'));
  const damaged = startWith(`${directory}/damaged.cred`);
  writeFileSync(`${directory}/plain`, 'a key');
  const named = ['--with-key=host', '--name=pin', `${directory}/plain`, `${directory}/pin.cred`];
  service.must('systemd-creds', 'encrypt', ...named);
  return { installed, served, isPlain, damaged, other: startWith(`${directory}/pin.cred`) };
}
