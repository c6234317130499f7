// SPDX-License-Identifier: Apache-2.0
// docs/CONFIGURATION.md and config/spliced.toml are what `npm run docs` makes of the schema, and the
// example is a configuration: with its comments taken away it sets every key to its default.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  documentPath,
  examplePath,
  renderDocument,
  renderExample,
} from '../../../scripts/docs.mjs';
import { loadConfiguration } from '../../../src/config/configuration.js';
import { routeSchema } from '../../../src/config/routes.js';
import { schema, settingsOf } from '../../../src/config/schema.js';

const settings = settingsOf(schema);
const advice = 'is not stale: otherwise "npm run docs" writes it anew';

t.test('the files are current', async (t) => {
  t.equal(
    readFileSync(documentPath, 'utf8'),
    renderDocument(settings, routeSchema),
    `${documentPath} ${advice}`,
  );
  t.equal(readFileSync(examplePath, 'utf8'), renderExample(settings), `${examplePath} ${advice}`);
});

t.test('the document has every key, variable, option, default and bound', async (t) => {
  const document = renderDocument(settings, routeSchema);
  for (const [key, { env, option, min, max, default: fallback, doc }] of settings) {
    const rows = document.split('\n').filter((line) => line.startsWith('|'));
    const row = rows.find((line) => line.includes(`\`${env}\``)) ?? '';
    t.ok(row.startsWith(`| \`${key.split('.').at(-1)}\` |`), key);
    t.ok(row.includes(doc.replaceAll('|', '\\|')), `${key}: meaning`);
    if (option) t.ok(row.includes(`\`--${option}\``), `--${option}`);
    if (min !== undefined)
      t.ok(row.includes(`| \`${JSON.stringify(fallback)}\` | ${min} to ${max} |`), key);
  }
});

t.test('a number has its unit in its name, and every setting says what it is', async (t) => {
  for (const [key, { doc, format, env }] of settings) {
    t.match(key, /^[a-z_]+(\.[a-z_]+)?$/, key);
    t.match(env, /^SPLICED_[A-Z_]+$/, env);
    t.match(doc, /^[A-Z`].*\.$/, key);
    if (format === 'whole number') t.match(key, /_(ms|bytes|mib|max|per_s)$/, `${key}: unit`);
  }
});

t.test('the example', async (t) => {
  const config = join(t.testdir(), 'spliced.toml');
  const example = renderExample(settings);
  const load = (text: string) => {
    writeFileSync(config, text);
    return loadConfiguration({ config }, { env: {} });
  };
  const kindsOf = (text: string) => [...load(text).settings.values()].map((s) => s.origin.kind);
  t.same(new Set(kindsOf(example)), new Set(['default']), 'as it is, it sets nothing');
  const used = load(example.replaceAll(/^#(\w+ = )/gm, '$1'));
  for (const [key, { value, origin, setting }] of used.settings) {
    t.equal(origin.kind, 'file', key);
    t.same(value, setting.default, key);
  }
});
