// SPDX-License-Identifier: Apache-2.0
// An operator finds every event that the service can write in docs/LOGGING.md.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

t.test('every event is described', async (t) => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' });
  const texts = files
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readFileSync(join('src', path), 'utf8'))
    .join('\n');
  const events = new Set([...texts.matchAll(/\bevent: '(\w+)'/g)].map(([, name]) => name));
  t.ok(events.size > 70, `${events.size} events`);
  const described = readFileSync('docs/LOGGING.md', 'utf8');
  for (const event of events) t.ok(described.includes(`\`${event}\``), `${event}`);
});
