// SPDX-License-Identifier: Apache-2.0
// References to keys in the configuration: they are no paths, and no PIN stands in them.

import { resolve } from 'node:path';
import t from 'tap';
import { type ConfigurationError, loadText } from '../../../src/config/configuration.js';

const uri = 'pkcs11:token=device;object=tls?pin-source=file:/etc/spliced/pin';

t.test('a reference stays as it is, beside files', async (t) => {
  const text =
    `[tls]\ncertificate = "a.pem"\nprivate_key = "${uri}"\n` +
    `more_certificates = ["b.pem, ${uri}", "c.pem,c.key"]\n`;
  const [a, b, c] = loadText(text, '/x').configuration.installed;
  t.match(a, { certificate: resolve('a.pem'), privateKey: uri });
  t.match(b, { certificate: resolve('b.pem'), privateKey: uri });
  t.match(c, { privateKey: resolve('c.key') });
});

t.test('a PIN in the open is refused, and not repeated', async (t) => {
  const open = 'pkcs11:object=tls?pin-value=1234';
  const text =
    `[tls]\ncertificate = "a.pem"\nprivate_key = "${open}"\n` +
    `more_certificates = ["b.pem,${open}"]\n`;
  try {
    loadText(text, '/x');
    t.fail('accepted');
  } catch (error) {
    const { problems } = error as ConfigurationError;
    t.match(problems, [/:3: tls\.private_key: a PIN/, /:4: tls\.more_certificates: a PIN/]);
    t.notMatch(problems.join(), /1234/);
  }
});
