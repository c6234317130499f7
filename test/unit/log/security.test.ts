// SPDX-License-Identifier: Apache-2.0
// Security events: their ids are unique, and docs/LOGGING.md has exactly them.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { securityEvents, withSecurityEvent } from '../../../src/log/security.js';

t.test('ids', async (t) => {
  const ids = Object.values(securityEvents).map(({ id }) => id);
  t.equal(new Set(ids).size, ids.length);
  for (const id of ids) t.match(id, /^SPLICED(-[A-Z]+)+$/);
});

t.test('the id goes with the event, and with no other', async (t) => {
  const fields = { event: 'reloaded', applied: ['log_level'] };
  t.same(withSecurityEvent(fields), { ...fields, securityEvent: 'SPLICED-CONFIGURATION-CHANGED' });
  for (const other of [{ event: 'ready' }, { event: 'toString' }, { event: 3 }, {}]) {
    t.equal(withSecurityEvent(other), other);
  }
});

t.test('docs/LOGGING.md has the same table', async (t) => {
  const rows = readFileSync('docs/LOGGING.md', 'utf8').match(/^\| `SPLICED-.*$/gm);
  const expected = Object.entries(securityEvents).map(
    ([event, { id, meaning }]) => `| \`${id}\` | \`${event}\` | ${meaning} |`,
  );
  t.same(rows, expected);
});
