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
    t.match(problems, [/:3: tls\.private_key: the PIN/, /:4: tls\.more_certificates: the PIN/]);
    t.notMatch(problems.join(), /1234/);
  }
});

t.test(
  'a key in a token without a certificate is the one of what the device gets itself',
  async (t) => {
    const { configuration } = loadText(`[tls]\nprivate_key = "${uri}"\n`, '/x');
    t.same(configuration.installed, []);
    t.same(configuration.tokenKey, { reference: uri, kindToMake: undefined });
    const made = `[tls]\nprivate_key = "${uri}"\nmake_private_key = "RSA-3072"\n`;
    t.equal(loadText(made, '/x').configuration.tokenKey?.kindToMake, 'RSA-3072');
    const file = '[tls]\ncertificate = "a.pem"\nprivate_key = "a.key"\n';
    t.equal(loadText(file, '/x').configuration.tokenKey, undefined);
  },
);

t.test("the authority's key and an account's, which are made as the others", async (t) => {
  const { configuration } = loadText(
    'listen_http = ["127.0.0.1:80"]\n' +
      `[tls]\nauthority_key = "${uri}"\nmake_private_key = "P-384"\n` +
      `[enrolment]\naccount_key = "${uri}"\nprotocol = "acme"\nnames = ["a.example"]\n` +
      'directory_url = "https://a.example/"\n',
    '/x',
  );
  const key = { reference: uri, kindToMake: 'P-384' };
  t.same(configuration.authorityKey, key);
  t.match(configuration.enrolment, { protocol: 'acme', accountKey: key });
  t.equal(configuration.tokenKey, undefined);
  t.equal(loadText('', '/x').configuration.authorityKey, undefined);
});

t.test('what does not go with such a key', async (t) => {
  const problemsOf = (text: string): readonly string[] => {
    try {
      loadText(text, '/x');
      return [];
    } catch (error) {
      return (error as ConfigurationError).problems;
    }
  };
  t.match(problemsOf('[tls]\nprivate_key = "a.key"\n'), [/together with tls\.certificate/]);
  const alone = /make_private_key: is for keys of the device itself/;
  const installed = `certificate = "a.pem"\nprivate_key = "${uri}"\n`;
  t.match(problemsOf(`[tls]\n${installed}make_private_key = "P-256"\n`), [alone]);
  t.match(problemsOf('[tls]\nmake_private_key = "P-256"\n'), [alone]);
  const more = `[tls]\nprivate_key = "${uri}"\nmore_certificates = ["b.pem,b.key"]\n`;
  t.match(problemsOf(more), [/more_certificates: needs tls\.certificate/]);
  const est = `[enrolment]\nclient_certificate_file = "a.pem"\nclient_private_key_file = "${uri}"\n`;
  t.notMatch(problemsOf(est), [/client_private_key_file/], "a client's key may be in one");
  const path = /must be the PKCS #11 URI of a key in a token/;
  t.match(problemsOf('[tls]\nauthority_key = "ca.key"\n'), [path]);
  t.match(problemsOf('[enrolment]\naccount_key = "a.key"\n'), [path]);
  const open = '[tls]\nauthority_key = "pkcs11:object=ca?pin-value=1234"\n';
  t.match(problemsOf(open), [/authority_key: the PIN must be in a file/]);
  const client = est.replace(uri, 'pkcs11:object=a?pin-value=1234');
  t.match(
    problemsOf(client).filter((line) => /client_private_key_file/.test(line)),
    [/client_private_key_file: the PIN must be in a file/],
  );
});
