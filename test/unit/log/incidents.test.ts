// SPDX-License-Identifier: Apache-2.0
// Lines about requests that failed for an application's sake: bounded, and what is left out is counted.

import t from 'tap';
import type { Incident } from '../../../src/engine/native.js';
import { IncidentReporter, incidentLinesMax } from '../../../src/log/incidents.js';

const incident: Incident = {
  event: 'hand_over_failed',
  reason: 'missing',
  route: '/',
  subject: '/recordings/1.mp4',
};

t.test('lines within a bound, then their number', async (t) => {
  const lines: object[] = [];
  let batch = { incidents: [incident], lost: 0 };
  const engine = { takeIncidents: () => batch };
  const reporter = new IncidentReporter(engine, { warn: (fields) => void lines.push(fields) });
  reporter.write();
  t.same(lines, [incident]);
  batch = { incidents: Array(64).fill(incident), lost: 3 };
  reporter.write();
  t.equal(lines.length, incidentLinesMax);
  reporter.summarise();
  t.match(lines.at(-1), { event: 'incidents_not_logged', lines: 8 });
  batch = { incidents: [], lost: 0 };
  reporter.summarise();
  reporter.close();
  reporter.close();
  t.equal(lines.length, incidentLinesMax + 1, 'and nothing more');
});
