// SPDX-License-Identifier: Apache-2.0
// Certificates given as files: accepted as a matching pair only, refused in one line without a
// trace of the key.

import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readCertificateFiles } from '../../../src/certificates/files.js';
import { issueCertificate } from '../../../src/certificates/issue.js';
import { StartError } from '../../../src/start-error.js';

const names = { commonName: 'gate', dns: ['gate'], ip: [] };

t.test('pairs', async (t) => {
  const directory = t.testdir();
  const write = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  const [one, two] = [
    await issueCertificate(names, Date.now()),
    await issueCertificate(names, Date.now()),
  ];
  const certificate = write('one.pem', one.certificate);
  const privateKey = write('one.key', one.privateKey);
  const encrypted = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' },
  }).privateKey;

  t.match(readCertificateFiles({ certificate, privateKey }), {
    chain: one.certificate,
    privateKey: one.privateKey,
  });
  const chain = write('chain.pem', one.certificate + two.certificate);
  t.equal(
    readCertificateFiles({ certificate: chain, privateKey }).chain,
    one.certificate + two.certificate,
  );

  const refused: [object, RegExp][] = [
    [{ privateKey: write('two.key', two.privateKey) }, /does not match the certificate/],
    [{ certificate: join(directory, 'absent') }, /^--certificate: cannot read the file: ENOENT/],
    [{ privateKey: join(directory, 'absent') }, /^--private-key: cannot read the file: ENOENT/],
    [{ certificate: privateKey }, /^--certificate: .* holds no certificate/],
    [{ certificate: write('empty', '') }, /^--certificate: .* holds no certificate/],
    [{ privateKey: certificate }, /^--private-key: .* holds no private key/],
    [{ privateKey: write('locked.key', encrypted) }, /is encrypted/],
  ];
  for (const [change, reason] of refused) {
    try {
      readCertificateFiles({ certificate, privateKey, ...change });
      t.fail(`accepted ${JSON.stringify(change)}`);
    } catch (error) {
      t.ok(error instanceof StartError);
      const { message } = error as Error;
      t.match(message, reason);
      t.notMatch(message, /\n|BEGIN|MIG/);
    }
  }
});
