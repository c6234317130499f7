// SPDX-License-Identifier: Apache-2.0
// [enrolment], tls.more_certificates and listen_http: what each needs beside it, with its place, and
// the values that the daemon receives.

import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import {
  ConfigurationError,
  type LoadedConfiguration,
  loadConfiguration,
} from '../../../src/config/configuration.js';

function load(t: Test, text: string): LoadedConfiguration {
  const config = join(t.testdir(), 'spliced.toml');
  writeFileSync(config, text);
  return loadConfiguration({ config }, { env: {} });
}

/** Each without the path of the file. */
function problems(t: Test, text: string): string[] {
  try {
    load(t, text);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.problems.map((line) => line.replace(/^.*spliced\.toml:/, ''));
  }
  throw new Error('accepted');
}

t.test('EST', async (t) => {
  const { configuration, warnings } = load(
    t,
    `[enrolment]
protocol = "est"
url = "https://est.example.org:8443/label"
trust_anchors_file = "anchors.pem"
username = "gate"
password_file = "credential:est"
contact = "admin@example.org"
`,
  );
  t.same(configuration.enrolment, {
    protocol: 'est',
    names: [],
    trustAnchorsFile: resolve('anchors.pem'),
    url: 'https://est.example.org:8443/label',
    username: 'gate',
    passwordFile: 'credential:est',
    clientCertificateFile: undefined,
    clientPrivateKeyFile: undefined,
  });
  t.match(warnings, [/:7: enrolment\.contact: is not used: enrolment\.protocol is "est"$/]);
});

t.test('ACME', async (t) => {
  const { configuration, warnings } = load(
    t,
    `listen_http = ["0.0.0.0:80", "[::]:80"]
[enrolment]
protocol = "acme"
names = ["gate.example.org", "192.0.2.7"]
directory_url = "https://ca.example.org/directory"
terms_of_service_agreed = true
contact = "admin@example.org"
external_account_key_id = "7"
external_account_hmac_key_file = "/run/hmac"
`,
  );
  t.same(configuration.httpListeners, [
    { address: '0.0.0.0', port: 80 },
    { address: '::', port: 80 },
  ]);
  t.same(configuration.enrolment, {
    protocol: 'acme',
    names: ['gate.example.org', '192.0.2.7'],
    trustAnchorsFile: undefined,
    directoryUrl: 'https://ca.example.org/directory',
    contact: 'admin@example.org',
    termsOfServiceAgreed: true,
    externalAccountKeyId: '7',
    externalAccountHmacKeyFile: '/run/hmac',
  });
  t.same(warnings, []);
});

t.test('what a protocol needs, and what belongs together', async (t) => {
  const cases: [string, (RegExp | string)[]][] = [
    ['protocol = "est"', [/^2: .* "est" needs enrolment.url and enrolment.trust_anchors_file$/]],
    [
      'protocol = "acme"',
      [
        '2: enrolment.protocol: "acme" needs enrolment.directory_url and enrolment.names',
        /^2: .* "acme" needs listen_http = \["0\.0\.0\.0:80"\]/,
      ],
    ],
    [
      'username = "x"',
      ['2: enrolment.username: must be given together with enrolment.password_file'],
    ],
    ['client_private_key_file = "k"', [/^2: .*together with enrolment.client_certificate_file$/]],
    ['external_account_key_id = "k"', [/with enrolment.external_account_hmac_key_file$/]],
    ['protocol = "scep"', [/must be one of "none", "est", "acme"; it is "scep"$/]],
    ['url = "http://x"', [/^2: enrolment.url: must be a URL with https:\/\/; it is "http:/]],
    ['contact = "admin"', [/must be an e-mail address, such as admin@example.org; it is "admin"$/]],
    ['names = ["a b"]', ['2: enrolment.names: "a b" is neither a DNS name nor an address']],
    ['names = [1]', [/must be an array of strings, such as \["gate.example.org"\]/]],
    [
      'terms_of_service_agreed = "true"',
      [/must be true or false, without quotes; it is a string$/],
    ],
    ['username = "a\\nb"', [/must be one line/]],
  ];
  for (const [text, expected] of cases)
    t.match(problems(t, `[enrolment]\n${text}\n`), expected, text);
});

t.test('further certificates', async (t) => {
  const own = '[tls]\ncertificate = "a.pem"\nprivate_key = "a.key"\n';
  const more = 'more_certificates = ["b.pem,b.key", "credential:c, credential:c"]\n';
  t.same(load(t, own + more).configuration.installed, [
    { certificate: resolve('a.pem'), privateKey: resolve('a.key'), setting: 'tls.certificate' },
    {
      certificate: resolve('b.pem'),
      privateKey: resolve('b.key'),
      setting: 'tls.more_certificates',
    },
    {
      certificate: 'credential:c',
      privateKey: 'credential:c',
      setting: 'tls.more_certificates',
    },
  ]);
  t.match(problems(t, `[tls]\n${more}`), [
    '2: tls.more_certificates: needs tls.certificate, which clients get that send no name (SNI)',
  ]);
  t.match(problems(t, `${own}more_certificates = ["b.pem"]\n`), [
    '4: tls.more_certificates: "b.pem" is not CHAIN_FILE,KEY_FILE',
  ]);
  const env = {
    SPLICED_CERTIFICATE: '/a',
    SPLICED_PRIVATE_KEY: '/a',
    SPLICED_MORE_CERTIFICATES: '/b,/c;/d,/e',
  };
  const { installed } = loadConfiguration({}, { env, defaultPath: '/nonexistent' }).configuration;
  t.same(
    installed.map(({ certificate, privateKey }) => [certificate, privateKey]),
    [
      ['/a', '/a'],
      ['/b', '/c'],
      ['/d', '/e'],
    ],
  );
});

t.test('plain HTTP', async (t) => {
  t.match(problems(t, 'listen_http = ["x"]\n'), [/^1: listen_http: "x" is not ADDRESS:PORT/]);
  const nine = JSON.stringify(Array(9).fill('[::1]:1'));
  t.match(problems(t, `listen_http = ${nine}\n`), ['1: listen_http: needs 0 to 8 addresses']);
});
