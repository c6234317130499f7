// SPDX-License-Identifier: Apache-2.0
// What `config show` prints: each value with its origin, text that can be read back, and no secret.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfiguration } from '../../../src/config/configuration.js';
import { schema } from '../../../src/config/schema.js';
import { showAsJson, showAsToml } from '../../../src/config/show.js';

const secret = {
  doc: 'A password.',
  format: 'text or nothing',
  default: '',
  env: 'SPLICED_SECRET',
  sensitive: true as const,
};

t.test('origins, and secrets left out', async (t) => {
  const config = join(t.testdir(), 'spliced.toml');
  writeFileSync(config, '\n[tls]\nsecret = "hunter2"\n[log]\nlevel = "warn"\n');
  const table = { ...schema, tls: { ...schema.tls, secret } };
  const env = { SPLICED_RING: 'epoll' };
  const options = { config, listen: ['127.0.0.1:1', '[::]:2'], root: '/a "b"\u007f' };
  const loaded = loadConfiguration(options, { env, schema: table });
  t.equal(loaded.settings.get('tls.secret')?.value, 'hunter2');

  const text = showAsToml(loaded);
  t.match(text, /^root = "\/a \\"b\\"\\u007f" +# --root$/m);
  t.match(text, /^listen = \["127.0.0.1:1", "\[::\]:2"\] +# --listen$/m);
  t.match(text, /^ring = "epoll" +# SPLICED_RING$/m);
  t.match(text, /^offload = "auto" +# default$/m);
  t.ok(text.includes(`# ${config}\n`), 'names the file');
  t.match(text, new RegExp(`^\\[log\\]\nlevel = "warn" +# ${config}:5$`, 'm'));
  t.match(text, new RegExp(`^# secret is not shown +# ${config}:3$`, 'm'));

  const json = JSON.parse(showAsJson(loaded));
  t.same(json.files, [config]);
  t.same(json.settings.ring, {
    value: 'epoll',
    origin: { kind: 'environment', name: 'SPLICED_RING' },
  });
  t.same(json.settings['log.level'].origin, { kind: 'file', path: config, line: 5 });
  t.same(json.settings['tls.secret'], {
    isHidden: true,
    origin: { kind: 'file', path: config, line: 3 },
  });
  for (const shown of [text, showAsJson(loaded)]) t.notMatch(shown, /hunter2/);

  writeFileSync(config, text);
  const again = loadConfiguration({ config }, { env: {} });
  for (const [key, { value }] of again.settings)
    t.same(value, loaded.settings.get(key)?.value, key);
});
