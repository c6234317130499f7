// SPDX-License-Identifier: Apache-2.0
// The configuration: which layer wins, bounds, what each error says and where, all at once.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import {
  type CommandOptions,
  ConfigurationError,
  type LoadedConfiguration,
  loadConfiguration,
  placeRefusal,
} from '../../../src/config/configuration.js';
import { originText } from '../../../src/config/layers.js';
import { schema, settingsOf } from '../../../src/config/schema.js';

const settings = settingsOf(schema);

/** Without this machine's own file. */
function load(options: CommandOptions, env: NodeJS.ProcessEnv = {}): LoadedConfiguration {
  return loadConfiguration(options, { env, defaultPath: '/nonexistent/spliced.toml' });
}

function problemsOf(t: Test, options: CommandOptions, env: NodeJS.ProcessEnv = {}): string[] {
  try {
    load(options, env);
  } catch (error) {
    if (error instanceof ConfigurationError) return [...error.problems];
    throw error;
  }
  t.fail(`accepted ${JSON.stringify([options, env])}`);
  return [];
}

/** A main file and drop-ins; the answer is the main file's path. */
function writeFiles(t: Test, main: string, dropIns: Record<string, string> = {}): string {
  const directory = t.testdir();
  mkdirSync(join(directory, 'spliced.d'));
  for (const [name, text] of Object.entries(dropIns)) {
    writeFileSync(join(directory, 'spliced.d', name), text);
  }
  const path = join(directory, 'spliced.toml');
  writeFileSync(path, main);
  return path;
}

t.test('defaults', async (t) => {
  const { configuration, files, warnings } = load({});
  t.match(configuration, {
    root: resolve('public'),
    stateDir: resolve('state'),
    listeners: [{ address: '0.0.0.0', port: 8443 }],
    tlsOffload: 'auto',
    ring: 'auto',
    logLevel: 'info',
  });
  t.same(configuration.installed, []);
  t.same(configuration.httpListeners, []);
  t.equal(configuration.enrolment, undefined);
  t.same([files, warnings], [[], []]);
});

t.test('default < file < drop-ins by name < environment < option', async (t) => {
  const main = [
    'root = "/file"',
    'state_dir = "/file"',
    'ring = "epoll"',
    '[timeouts]',
    'stop_ms = 1',
    'idle_ms = 1',
  ].join('\n');
  const config = writeFiles(t, main, {
    '90-late.toml': 'timeouts.idle_ms = 90\n',
    '10-early.toml': '\n[timeouts]\nidle_ms = 10\nstop_ms = 10\n',
    '.hidden.toml': 'timeouts.idle_ms = 3\n',
    'notes.txt': 'no TOML',
  });
  const dropIns = join(config, '../spliced.d');
  const env = { SPLICED_ROOT: '/env', SPLICED_STATE_DIR: '/env', SPLICED_CONFIG: '/nonexistent' };
  const loaded = load({ root: '/option', config }, env);
  t.same(loaded.files, [config, join(dropIns, '10-early.toml'), join(dropIns, '90-late.toml')]);
  const shown = [...loaded.settings].map(([key, { value, origin }]) => [
    key,
    value,
    originText(origin),
  ]);
  const expected: [string, unknown, string][] = [
    ['root', '/option', '--root'],
    ['state_dir', '/env', 'SPLICED_STATE_DIR'],
    ['ring', 'epoll', `${config}:3`],
    ['timeouts.idle_ms', 90, `${join(dropIns, '90-late.toml')}:1`],
    ['timeouts.stop_ms', 10, `${join(dropIns, '10-early.toml')}:4`],
    ['tls.offload', 'auto', 'default'],
  ];
  for (const row of expected) {
    t.same(
      shown.find(([key]) => key === row[0]),
      row,
    );
  }
  t.match(loaded.configuration, { root: '/option', stateDir: '/env', idleTimeoutMs: 90 });
  t.equal(load({}, { SPLICED_CONFIG: config }).configuration.ring, 'epoll', 'named by variable');
});

t.test('every setting can be set in every layer that it has', async (t) => {
  // What some settings need beside them.
  const partners = {
    SPLICED_CERTIFICATE: '/p',
    SPLICED_PRIVATE_KEY: '/p',
    SPLICED_API_AUTHORIZE: 'unix:/p',
    SPLICED_API_AUTHORIZE_PATH: '/p',
    SPLICED_CLIENT_CERTIFICATES_CA: '/p',
    SPLICED_ENROLMENT_USERNAME: 'p',
    SPLICED_ENROLMENT_PASSWORD_FILE: '/p',
    SPLICED_ENROLMENT_CLIENT_CERTIFICATE_FILE: '/p',
    SPLICED_ENROLMENT_CLIENT_PRIVATE_KEY_FILE: '/p',
    SPLICED_ENROLMENT_EXTERNAL_ACCOUNT_KEY_ID: 'p',
    SPLICED_ENROLMENT_EXTERNAL_ACCOUNT_HMAC_KEY_FILE: '/p',
  };
  const est = {
    SPLICED_ENROLMENT_URL: 'https://est.example.org',
    SPLICED_ENROLMENT_TRUST_ANCHORS_FILE: '/p',
  };
  const needed: Record<string, NodeJS.ProcessEnv> = {
    'enrolment.protocol': est,
    'tls.make_private_key': {
      SPLICED_CERTIFICATE: undefined,
      SPLICED_PRIVATE_KEY: 'pkcs11:object=tls',
    },
  };
  const texts: Record<string, string> = {
    'https URL or nothing': 'https://x/',
    'e-mail address or nothing': 'a@b',
    'key in a token or nothing': 'pkcs11:object=x',
    'group names': 'P-384',
    'upstream or nothing': 'unix:/x',
  };
  for (const [key, { env, option, format, default: fallback, min, example }] of settings) {
    const text = texts[String(format)];
    const array = Array.isArray(fallback) ? (example ?? [text ?? '[::1]:7']) : undefined;
    const boolean = typeof fallback === 'boolean' ? !fallback : undefined;
    const value = (Array.isArray(format) ? format[1] : min) ?? array ?? boolean ?? text ?? '/x';
    const config = writeFiles(t, `${key} = ${JSON.stringify(value)}\n`);
    const partner = { ...partners, ...needed[key], [env]: undefined };
    const layers: { kind: string; options?: CommandOptions; variables?: NodeJS.ProcessEnv }[] = [
      { kind: 'file', options: { config } },
      { kind: 'environment', variables: { [env]: String(value) } },
    ];
    if (option) layers.push({ kind: 'option', options: { [option]: value as string } });
    for (const { kind, options = {}, variables = {} } of layers) {
      const beside = kind === 'environment' ? { ...partner, ...variables } : partner;
      const effective = load(options, beside).settings.get(key);
      t.same(effective?.value, value, `${key} by ${kind}`);
      t.equal(effective?.origin.kind, kind);
    }
  }
});

t.test('client certificates', async (t) => {
  const clients = (env: NodeJS.ProcessEnv) => load({}, env).configuration.clientCertificates;
  const ca = { SPLICED_CLIENT_CERTIFICATES_CA: '/ca' };
  const required = (text: string) => ({ ...ca, SPLICED_CLIENT_CERTIFICATES_REQUIRE: text });
  t.equal(clients({}), undefined);
  t.same(clients(ca), { ca: '/ca', crl: undefined, require: [] });
  t.same(clients(required('')), { ca: '/ca', crl: undefined, require: [] });
  t.match(clients(required('/a,/b/,/')), { require: ['/a', '/b/', '/'] });
  t.match(clients({ ...ca, SPLICED_CLIENT_CERTIFICATES_CRL: '/crl' }), { crl: '/crl' });
  for (const good of ['/', '/a', '/a/', '/.x', '/...', '/a.', '/x y', '/\u00e9/\\']) {
    t.match(clients(required(good)), { require: [good] });
  }
  for (const bad of ['a', ' /a', '//', '//a', '/a//b', '/a//', '/.', '/./', '/..', '/a/../b']) {
    t.match(problemsOf(t, {}, required(bad)), [/^SPLICED_CLIENT_CERTIFICATES_REQUIRE: "/], bad);
  }
  for (const bad of ['/%70', '/a?b', '/a#b', '/a\u0001', '/a\u007f']) {
    t.match(problemsOf(t, {}, required(bad)), [/as files are named/], JSON.stringify(bad));
  }
  t.match(problemsOf(t, {}, required(Array(65).fill('/a').join(','))), [/at most 64 paths/]);
  t.match(problemsOf(t, {}, { SPLICED_CLIENT_CERTIFICATES_CRL: '/crl' }), [
    /^SPLICED_CLIENT_CERTIFICATES_CRL: needs client_certificates\.ca as well$/,
  ]);
});

t.test('several addresses, by options and by environment', async (t) => {
  const both = [
    { address: '127.0.0.1', port: 1 },
    { address: '::1', port: 2 },
  ];
  t.same(load({ listen: ['127.0.0.1:1', '[::1]:2'] }).configuration.listeners, both);
  t.same(load({}, { SPLICED_LISTEN: '127.0.0.1:1,[::1]:2' }).configuration.listeners, both);
});

t.test('both certificate options or none', async (t) => {
  const options = { certificate: 'a.pem', 'private-key': 'b.pem' };
  const setting = 'tls.certificate';
  t.same(load(options).configuration.installed, [
    { certificate: resolve('a.pem'), privateKey: resolve('b.pem'), setting },
  ]);
  const credentials = { certificate: 'credential:chain', 'private-key': 'credential:key' };
  t.same(load(credentials).configuration.installed, [
    { certificate: 'credential:chain', privateKey: 'credential:key', setting },
  ]);
  t.same(problemsOf(t, { certificate: 'a.pem' }), [
    '--certificate: must be given together with tls.private_key (--private-key, SPLICED_PRIVATE_KEY)',
  ]);
  t.match(problemsOf(t, { 'private-key': 'a.pem' }), [/^--private-key: must be given together/]);
  const config = writeFiles(t, '\n[tls]\nprivate_key = "k"\n');
  t.match(problemsOf(t, { config }), [`${config}:3: tls.private_key: must be given together`]);
});

t.test('numbers from the environment, at their bounds', async (t) => {
  const numeric = [...settings].filter(([, entry]) => entry.format === 'whole number');
  t.equal(numeric.length, 23);
  // Two of them are about somebody who is asked.
  const asked = { SPLICED_API_AUTHORIZE: 'unix:/a', SPLICED_API_AUTHORIZE_PATH: '/a' };
  for (const [key, { env, min = Number.NaN, max = Number.NaN }] of numeric) {
    for (const value of [min, max]) {
      t.equal(load({}, { ...asked, [env]: String(value) }).settings.get(key)?.value, value, env);
    }
    for (const value of [String(min - 1), String(max + 1), 'x', '', '1.5', '0x10', ' 1']) {
      const bounds = new RegExp(`^${env}: must be a whole number from ${min} to ${max}`);
      t.match(problemsOf(t, {}, { ...asked, [env]: value }), [bounds], `${env}="${value}"`);
    }
  }
});

t.test('every refusal names what the user typed', async (t) => {
  const cases: [CommandOptions, NodeJS.ProcessEnv, RegExp][] = [
    [{ listen: ['x'] }, {}, /^--listen: "x" is not ADDRESS:PORT, such as [^:]+:8443 or [^ ]+$/],
    [{}, { SPLICED_LISTEN: 'x' }, /^SPLICED_LISTEN: "x" is not/],
    [{ listen: Array(9).fill('127.0.0.1:0') }, {}, /^--listen: needs 1 to 8 addresses$/],
    [{ root: '' }, {}, /^--root: must be a path/],
    [{ 'state-dir': '' }, {}, /^--state-dir: must be a path/],
    [{ 'tls-offload': 'on' }, {}, /^--tls-offload: must be one of .*auto.*off/],
    [{}, { SPLICED_RING: 'poll' }, /^SPLICED_RING: must be one of/],
    [{}, { SPLICED_LOG_LEVEL: 'loud' }, /^SPLICED_LOG_LEVEL: must be one of/],
    [{ config: '' }, {}, /^--config: must be the path of a file$/],
    [{}, { SPLICED_CONFIG: '' }, /^SPLICED_CONFIG: must be the path of a file$/],
    [{ config: '/nonexistent/x' }, {}, /^\/nonexistent\/x: the file cannot be read: ENOENT/],
    [{ config: '/' }, {}, /^\/: the file cannot be read: it is a directory$/],
  ];
  for (const [options, env, expected] of cases) {
    const problems = problemsOf(t, options, env);
    t.equal(problems.length, 1, String(expected));
    t.match(problems[0], expected);
    t.notMatch(problems[0], /\n/);
  }
});

t.test('each error of a file has its line, its key and what is allowed', async (t) => {
  const cases: [text: string, line: number, expected: RegExp | string][] = [
    ['\nroot = 5\n', 2, 'root: must be a string in quotes; it is a number'],
    [
      'listen = "0.0.0.0:1"',
      1,
      /^listen: must be an array of strings, such as .*; it is a string$/,
    ],
    [
      'listen = [1]',
      1,
      /^listen: must be an array of strings.*; it is an array of something else$/,
    ],
    ['listen = [\n  "x",\n]', 1, /^listen: "x" is not ADDRESS:PORT/],
    ['ring = ["auto"]', 1, 'ring: must be one of "auto", "epoll"; it is an array'],
    ['ring = "poll"', 1, /^ring: must be one of "auto", "epoll"; it is "poll"$/],
    [
      '[timeouts]\nidle_ms = "5"',
      2,
      /^timeouts.idle_ms: .* 1 to 86400000, without quotes; it is a s/,
    ],
    ['[timeouts]\nidle_ms = 1979-05-27', 2, /it is a date$/],
    [
      '[timeouts]\nidle_ms = 0',
      2,
      /^timeouts.idle_ms: must be a whole number from 1 to 86400000; it is 0$/,
    ],
    ['[timeouts]\nidle_ms = 1.5', 2, /must be a whole number/],
    ['[timeouts]\nidle_ms = nan', 2, /must be a whole number/],
    ['rooot = "x"', 1, 'rooot: there is no such key; did you mean root?'],
    ['state-dir = "x"', 1, /did you mean state_dir\?$/],
    ['connections_max = 1', 1, /did you mean limits.connections_max\?$/],
    ['idle_timeout_ms = 1', 1, /did you mean timeouts.idle_ms\?$/],
    [
      '[tls]\nfoo = 1',
      2,
      'tls.foo: there is no such key; [tls] has certificate, private_key, authority_key, make_private_key, more_certificates, groups, offload',
    ],
    [
      'zzz = 1',
      1,
      /^zzz: there is no such key; the top level has root, listen, .*, timeouts, log$/,
    ],
    ['"tls.offload" = "off"', 1, '"tls.offload": there is no such key; did you mean tls.offload?'],
    ['tls = 1', 1, 'tls: is a table: write [tls] and its keys below'],
    ['[[tls]]', 1, 'tls: there are no tables [[tls]]; there is [[route]]'],
    ['root.x = 1', 1, 'root: must be a string in quotes; it is a table'],
    [
      '[root]\nx = 1',
      1,
      'root: holds a value and is no table: write root = ... above the first table',
    ],
    [
      '[timeout]\nidle_ms = 1\nstop_ms = 1',
      1,
      'timeout: there is no table [timeout]; did you mean [timeouts]?',
    ],
    [
      '[zzz]\na = 1',
      1,
      'zzz: there is no table [zzz]; there are [tls], [enrolment], [client_certificates], [api], [update], [ui], [limits], [timeouts], [log]',
    ],
    [
      '[api]\nclient_certificates = ["CN=ok", "admin"]',
      2,
      'api.client_certificates: "admin" is neither a subject such as CN=admin nor 32 bytes in hexadecimal',
    ],
    ['[api]\nclient_certificates = ["abcd"]', 2, /^api.client_certificates: "abcd" is neither/],
    ['root = "a"\n\nroot = "b"', 3, 'root: the key is there twice; the first is in line 1'],
    ['[tls]\n[tls]', 2, 'tls: the table is there twice; the first is in line 1'],
    ['tls.offload = "off"\n[tls]\noffload = "auto"', 3, /^tls.offload: the key is there twice/],
    [
      'tls.offload = "off"\n[tls]\n',
      2,
      'is not TOML: trying to redefine an already defined table or value',
    ],
    ['[tls]\noffload = off', 2, 'tls.offload: is not TOML: invalid value'],
    ['[tls]\noffload = "off', 2, /^tls.offload: is not TOML: /],
    ['root', 1, /^is not TOML: incomplete key-value/],
    ['root = "a" "b"', 1, /^root: is not TOML: each key-value declaration/],
    ['[limits]\nconnections_max = 99999999999999999999', 2, /^limits.connections_max: is not TOML/],
  ];
  for (const [text, line, expected] of cases) {
    const config = writeFiles(t, text);
    const problems = problemsOf(t, { config });
    t.equal(problems.length, 1, `${JSON.stringify(text)}: ${problems.join(' | ')}`);
    const place = `${config}:${line}: `;
    t.equal(problems[0]?.slice(0, place.length), place, JSON.stringify(text));
    const rest = problems[0]?.slice(place.length) ?? '';
    if (typeof expected === 'string') t.equal(rest, expected);
    else t.match(rest, expected);
    t.notMatch(rest, /\n/);
  }
});

t.test('every error of every layer at once, in the order of the layers', async (t) => {
  const main = 'rooot = "x"\nring = 1\n[tls]\noffload = bad\noffload = "of"\n\nnope = 1\n';
  const config = writeFiles(t, main, {
    '1.toml': 'limits.connections_max = 0\n',
    '2.toml': Buffer.from([0x61, 0xff]).toString('latin1'),
  });
  writeFileSync(join(config, '../spliced.d/3.toml'), Buffer.from([0x61, 0x3d, 0x22, 0xff, 0x22]));
  const env = { SPLICED_LIMITS: '', SPLICED_IDLE_TIMEOUT_MS: 'x', SPLICED_CONNECTIONS_MAX: '5' };
  const problems = problemsOf(t, { config, root: '' }, env);
  const starts = [
    /3\.toml: the file cannot be read: it is not UTF-8/,
    /spliced\.toml:1: rooot/,
    /spliced\.toml:2: ring/,
    /spliced\.toml:4: tls\.offload: is not TOML/,
    /spliced\.toml:5: tls\.offload: must be one of/,
    /spliced\.toml:7: tls\.nope/,
    /1\.toml:1: limits\.connections_max: .*; it is 0$/,
    /2\.toml:1: is not TOML/,
    /^SPLICED_IDLE_TIMEOUT_MS: /,
    /^--root: /,
  ];
  t.equal(problems.length, starts.length, problems.join('\n'));
  for (const [index, start] of starts.entries()) t.match(problems[index], start);
});

t.test('bounds of the files', async (t) => {
  const config = writeFiles(t, `#${'x'.repeat(1024 * 1024)}`);
  t.match(problemsOf(t, { config }), [/the file cannot be read: it has more than 1048576 bytes$/]);
  const many = writeFiles(t, '');
  for (let i = 0; i < 101; i += 1) writeFileSync(join(many, `../spliced.d/${i}.toml`), '');
  t.match(problemsOf(t, { config: many }), [/spliced\.d: .*it holds more than 100 files$/]);
});

t.test(
  'a variable that looks misspelt is a warning; others with the prefix are none',
  async (t) => {
    const env = {
      SPLICED_ROT: 'x',
      SPLICED_CACHE: 'x',
      SPLICED_PORT: 'x',
      SPLICED_LOG: 'x',
      OTHER: '',
    };
    t.same(load({}, env).warnings, [
      'SPLICED_ROT: there is no such variable; did you mean SPLICED_ROOT?',
    ]);
  },
);

t.test('a later refusal is told at the place of its setting', async (t) => {
  const config = writeFiles(t, '\nroot = "/nowhere"\n');
  const loaded = load({ config, 'state-dir': '/s' });
  t.equal(placeRefusal('--root: gone', loaded), `${config}:2: root: gone`);
  t.equal(placeRefusal('--state-dir: gone', loaded), '--state-dir: gone');
  t.equal(placeRefusal('--certificate: gone', loaded), '--certificate: gone', 'a default');
  t.equal(placeRefusal('gone', loaded), 'gone');
});
