// SPDX-License-Identifier: Apache-2.0
// The table [enrolment]: from whom the device gets its certificate, by EST or ACME. Its settings
// (part of schema.ts), what they need of each other, and the value that the daemon receives.
// Called by schema.ts and configuration.ts.

import type { TokenKey } from '../tls/token-key.js';
import type { Setting } from './setting.js';

const text = (
  env: string,
  format: string,
  doc: string,
): Setting & { default: string; isLive: true } => ({
  doc,
  format,
  default: '',
  env: `SPLICED_ENROLMENT_${env}`,
  isLive: true,
});

export const enrolmentTable = {
  protocol: {
    doc:
      'How the device gets and renews its certificate: `est` (RFC 7030) or `acme` (RFC 8555, ' +
      "http-01). Until it has one, the device's own is served. docs/CERTIFICATES.md has the " +
      'details.',
    format: ['none', 'est', 'acme'],
    default: 'none',
    env: 'SPLICED_ENROLMENT_PROTOCOL',
    isLive: true,
  },
  names: {
    doc:
      'DNS names and addresses to request in the certificate (in the variable separated by ' +
      "commas). ACME needs them; with EST an empty list means the device's own names.",
    format: 'names',
    default: [],
    example: ['gate.example.org'],
    env: 'SPLICED_ENROLMENT_NAMES',
    isLive: true,
  },
  trust_anchors_file: text(
    'TRUST_ANCHORS_FILE',
    'file or nothing',
    "CA certificates (PEM) that the authority's own server is verified with. EST needs them; with " +
      'ACME an empty value means the CAs that Node trusts.',
  ),
  url: text('URL', 'https URL or nothing', 'EST: the URL of the server. Its path may be a label.'),
  username: text(
    'USERNAME',
    'text or nothing',
    'EST: the user of the first enrolment; renewals use the certificate itself.',
  ),
  password_file: text(
    'PASSWORD_FILE',
    'file or nothing',
    'EST: a file with the password of that user.',
  ),
  client_certificate_file: text(
    'CLIENT_CERTIFICATE_FILE',
    'file or nothing',
    'EST: a client certificate (PEM) for the first enrolment, instead of a user or in addition.',
  ),
  client_private_key_file: text(
    'CLIENT_PRIVATE_KEY_FILE',
    'file or nothing',
    'EST: the private key of that certificate (PEM, not encrypted), or its PKCS #11 URI, as in `tls.private_key`.',
  ),
  directory_url: text(
    'DIRECTORY_URL',
    'https URL or nothing',
    "ACME: the URL of the server's directory.",
  ),
  account_key: text(
    'ACCOUNT_KEY',
    'key in a token or nothing',
    'ACME: the key of the account in a token, by its PKCS #11 URI, as in `tls.private_key`; nothing: a file of ours. See docs/KEYS.md.',
  ),
  contact: text(
    'CONTACT',
    'e-mail address or nothing',
    "ACME: an e-mail address for the authority's notices.",
  ),
  terms_of_service_agreed: {
    doc:
      "ACME: whether you agree to the authority's terms. Many authorities refuse an account " +
      'otherwise.',
    format: 'true or false',
    default: false,
    env: 'SPLICED_ENROLMENT_TERMS_OF_SERVICE_AGREED',
    isLive: true,
  },
  external_account_key_id: text(
    'EXTERNAL_ACCOUNT_KEY_ID',
    'text or nothing',
    'ACME: the id of an external account (RFC 8555 7.3.4), for authorities that require one.',
  ),
  external_account_hmac_key_file: text(
    'EXTERNAL_ACCOUNT_HMAC_KEY_FILE',
    'file or nothing',
    'ACME: a file with the key of that account, in base64url.',
  ),
} as const;

type Name = keyof typeof enrolmentTable;

/** Whether a setting was given, and where; configuration.ts answers. */
export interface Given {
  isSet(key: string): boolean;
  value(key: string): unknown;
  /** Finds fault with the place of `key`. */
  refuse(key: string, text: string): void;
  /** As refuse, but stops nothing. */
  warn(key: string, text: string): void;
}

const estOnly: Name[] = [
  'url',
  'username',
  'password_file',
  'client_certificate_file',
  'client_private_key_file',
];
const acmeOnly: Name[] = [
  'directory_url',
  'account_key',
  'contact',
  'terms_of_service_agreed',
  'external_account_key_id',
  'external_account_hmac_key_file',
];
const pairs: [Name, Name][] = [
  ['username', 'password_file'],
  ['client_certificate_file', 'client_private_key_file'],
  ['external_account_key_id', 'external_account_hmac_key_file'],
];

const keyOf = (name: Name): string => `enrolment.${name}`;

/** What no setting of the table can know alone. */
export function judgeEnrolment(given: Given): void {
  const protocol = given.value('enrolment.protocol');
  const needs = (names: Name[]): void => {
    const missing = names.map(keyOf).filter((key) => !given.isSet(key));
    if (missing.length === 0) return;
    given.refuse('enrolment.protocol', `"${protocol}" needs ${missing.join(' and ')}`);
  };
  if (protocol === 'est') needs(['url', 'trust_anchors_file']);
  if (protocol === 'acme') {
    needs(['directory_url', 'names']);
    if (!given.isSet('listen_http')) {
      const advice = 'listen_http = ["0.0.0.0:80"] to answer its challenges';
      given.refuse('enrolment.protocol', `"acme" needs ${advice}`);
    }
  }
  for (const [one, other] of pairs) {
    const [isOne, isOther] = [given.isSet(keyOf(one)), given.isSet(keyOf(other))];
    if (isOne === isOther) continue;
    const [present, missing] = isOne ? [one, other] : [other, one];
    given.refuse(keyOf(present), `must be given together with ${keyOf(missing)}`);
  }
  const idle = [...(protocol === 'est' ? [] : estOnly), ...(protocol === 'acme' ? [] : acmeOnly)];
  for (const key of idle.map(keyOf)) {
    if (given.isSet(key)) given.warn(key, `is not used: enrolment.protocol is "${protocol}"`);
  }
}

/** Files are absolute paths or `credential:NAME`; that of a key may be a reference. */
export type EnrolmentSettings =
  | {
      protocol: 'est';
      names: string[];
      trustAnchorsFile: string;
      url: string;
      username: string | undefined;
      passwordFile: string | undefined;
      clientCertificateFile: string | undefined;
      clientPrivateKeyFile: string | undefined;
    }
  | {
      protocol: 'acme';
      names: string[];
      trustAnchorsFile: string | undefined;
      directoryUrl: string;
      /** Undefined: it is a file of ours. */
      accountKey: TokenKey | undefined;
      contact: string | undefined;
      termsOfServiceAgreed: boolean;
      externalAccountKeyId: string | undefined;
      externalAccountHmacKeyFile: string | undefined;
    };

/** The checked value; `fileOf` makes a path absolute. */
export function enrolmentOf(
  setTo: (key: string) => unknown,
  fileOf: (value: string) => string,
  keyInToken: (reference: string) => TokenKey | undefined,
): EnrolmentSettings | undefined {
  const text = (name: Name): string => String(setTo(keyOf(name)));
  const optional = (name: Name): string | undefined => text(name) || undefined;
  const file = (name: Name): string | undefined => {
    const value = optional(name);
    return value === undefined ? undefined : fileOf(value);
  };
  const names = [...(setTo('enrolment.names') as string[])];
  switch (setTo('enrolment.protocol')) {
    case 'est':
      return {
        protocol: 'est',
        names,
        trustAnchorsFile: fileOf(text('trust_anchors_file')),
        url: text('url'),
        username: optional('username'),
        passwordFile: file('password_file'),
        clientCertificateFile: file('client_certificate_file'),
        clientPrivateKeyFile: file('client_private_key_file'),
      };
    case 'acme':
      return {
        protocol: 'acme',
        names,
        trustAnchorsFile: file('trust_anchors_file'),
        directoryUrl: text('directory_url'),
        accountKey: keyInToken(text('account_key')),
        contact: optional('contact'),
        termsOfServiceAgreed: setTo('enrolment.terms_of_service_agreed') === true,
        externalAccountKeyId: optional('external_account_key_id'),
        externalAccountHmacKeyFile: file('external_account_hmac_key_file'),
      };
    default:
      return undefined;
  }
}
