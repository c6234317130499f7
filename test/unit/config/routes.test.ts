// SPDX-License-Identifier: Apache-2.0
// [[route]] tables: what they become, and every mistake at its line.

import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ConfigurationError, loadConfiguration } from '../../../src/config/configuration.js';
import { fieldsOf } from '../../../src/serving/site.js';

function load(t: Test, toml: string) {
  const file = join(t.testdir({ 'spliced.toml': toml }), 'spliced.toml');
  return loadConfiguration({ config: file }, { env: {} });
}

t.test('routes by their tables, with defaults', async (t) => {
  const loaded = load(
    t,
    [
      '[[route]]',
      'fallback = "index.html"',
      '[log]',
      'level = "debug"',
      '[[route]]',
      'path = "/docs/"',
      'host = "Device.Example"',
      'root = "/usr/share/doc"',
      '[[route]]',
      'path = "/old"',
      'action = "redirect"',
      'to = "/docs/"',
    ].join('\n'),
  );
  t.match(loaded.configuration.routes, [
    { path: '/', action: 'static', fallback: 'index.html', index: 'index.html', root: '' },
    { path: '/docs/', host: 'device.example', root: '/usr/share/doc' },
    { path: '/old', action: 'redirect', to: '/docs/', status: 308 },
  ]);
  t.equal(loaded.configuration.logLevel, 'debug');
  t.match(loaded.settings.get('route'), { setting: { isLive: true } });
  t.same(load(t, '').configuration.routes, []);
});

const mistakes: [text: string, line: number, message: RegExp][] = [
  ['[[routes]]', 1, /routes: there are no tables \[\[routes\]\]; there is \[\[route\]\]/],
  ['[[route]]\npath = "docs"', 2, /route\.path: must begin with "\/"/],
  ['[[route]]\n\npaht = "/docs"', 3, /route\.paht: there is no such key; did you mean path\?/],
  ['[[route]]\npath = 1', 2, /route\.path: must be a string in quotes; it is a number/],
  ['[[route]]\npath = "/a"\npath = "/b"', 3, /route\.path: the key is there twice.* line 2/],
  ['[[route]]\naction = "proxy"', 2, /route\.action: proxy needs "upstream"/],
  ['[[route]]\naction = "prox"', 2, /route\.action: must be one of "static", "redirect"/],
  ['[[route]]\naction = "redirect"', 2, /route\.action: redirect needs "to"/],
  ['[[route]]\nbody = "x"', 2, /route\.body: has no effect with action static/],
  ['[[route]]\naction = "redirect"\nto = "/"\nstatus = 200', 4, /status: must be one of 301, 302/],
  ['[[route]]\nmethods = ["POST"]', 2, /route\.methods: static is for GET and HEAD, not for POST/],
  ['[[route]]\nmethods = ["BREW"]', 2, /"BREW" is no method here/],
  ['[[route]]\nheaders = ["Date: now"]', 2, /route\.headers: Date is the server's own/],
  ['[[route]]\nheaders = ["no colon"]', 2, /"no colon" is not "Name: value"/],
  ['[[route]]\nfallback = "../x"', 2, /route\.fallback: must name a file/],
  ['[[route]]\n[[route]]\n', 2, /route\.path: there is such a route in .*:1 already/],
  ['[[route]]\nrequire_client_certificate = true', 2, /needs client_certificates\.ca as well/],
  ['[[route]]\npath = "/r"\ninternal = true', 3, /route\.internal: needs "root"/],
  [
    '[[route]]\ninternal = true\nroot = "/r"\nnot_found = "x"',
    4,
    /has no effect in an internal route/,
  ],
  ['[[route]]\naccelerate = ["/r"]', 2, /route\.accelerate: has no effect with action static/],
  ['[[route]]\nauthorize = "unix:/a"', 2, /route\.authorize: needs "authorize_path"/],
  ['[[route]]\nauthorize_path = "/a"', 2, /route\.authorize_path: needs "authorize"/],
  ['[[route]]\nauthorize_fields = ["X-User"]', 2, /route\.authorize_fields: needs "authorize"/],
  ['[[route]]\nauthorize = "http://a"', 2, /route\.authorize: must be unix:/],
  ['[[route]]\nauthorize_path = "a b"', 2, /authorize_path: must be a path that begins/],
  [
    '[[route]]\nauthorize = "unix:/a"\nauthorize_path = "/a"\nauthorize_fields = ["X-Forwarded-For"]',
    4,
    /X-Forwarded-For is the server's own/,
  ],
  ['[[route]]\nrate_max_bytes_per_s = 10', 2, /must be 0 or a whole number from 1024/],
  [
    '[[route]]\naction = "proxy"\nupstream = "unix:/a"\naccelerate = ["/r"]',
    4,
    /route\.accelerate: there is no internal route at \/r/,
  ],
  [
    'root = "/srv"\n[[route]]\n[[route]]\npath = "/r"\ninternal = true\nroot = "/srv/r"',
    6,
    /route\.root: clients get its files by the route \/, from \/srv/,
  ],
  [
    '[[route]]\npath = "/a"\nroot = "/r"\n[[route]]\npath = "/r"\ninternal = true\nroot = "/r/"',
    7,
    /route\.root: clients get its files by the route \/a, from \/r/,
  ],
];

const handing = (accelerate: string): string =>
  [
    'root = "/srv/www"',
    '[[route]]',
    'action = "proxy"',
    'upstream = "unix:/a"',
    `accelerate = [${accelerate}]`,
    '[[route]]',
    'path = "/recordings/"',
    'root = "/srv/www2"',
    'internal = true',
    '[[route]]',
    'path = "/shown"',
    'root = "/srv/www2/shown"',
  ].join('\n');

t.test('internal routes and who may name them', async (t) => {
  for (const accelerate of ['"/recordings"', '"/"', '"/recordings/"']) {
    const { warnings, configuration } = load(t, handing(accelerate));
    t.same(warnings, [], accelerate);
    t.match(configuration.routes[1], { internal: true, root: '/srv/www2' });
  }
  t.match(load(t, handing('')).warnings, [/:7: route\.path: no route names it in "accelerate"/]);
});

t.test('every mistake is told at its line', async (t) => {
  for (const [text, line, message] of mistakes) {
    try {
      load(t, text);
      t.fail(`accepted: ${text}`);
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      t.equal(error.problems.length, 1, text);
      t.match(error.problems[0], new RegExp(`spliced\\.toml:${line}: `), text);
      t.match(error.problems[0], message);
    }
  }
});

t.test('header fields: ours, replaced or left out', async (t) => {
  t.match(fieldsOf([], false), [/^Content-Security-Policy: /, /^X-Frame-Options: /, /^Referrer-/]);
  t.match(fieldsOf([], true), { length: 4 });
  t.same(
    fieldsOf(['content-security-policy:', 'X-FRAME-OPTIONS: DENY', 'Referrer-Policy:'], false),
    ['X-FRAME-OPTIONS: DENY'],
  );
});
