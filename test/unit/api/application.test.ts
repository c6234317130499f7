// SPDX-License-Identifier: Apache-2.0
// What the engine's fields say of whoever has passed the application that is asked first: one value each, and the
// least role where there is none that counts.

import type { IncomingMessage } from 'node:http';
import t from 'tap';
import { applicationUserOf, isApplicationSilent } from '../../../src/api/application.js';

const sent = (headersDistinct: Record<string, string[]>) =>
  ({ headersDistinct }) as IncomingMessage;
const passed = { 'spliced-authorized': ['1'] };

t.test('who has passed, and as what', async (t) => {
  for (const [fields, expected] of [
    [
      { 'spliced-role': ['operate'], 'spliced-user': ['Carol Example'] },
      ['operate', 'Carol Example'],
    ],
    [{}, ['view', undefined]],
    [{ 'spliced-role': ['root'] }, ['view', undefined]],
    [{ 'spliced-role': ['administer', 'administer'] }, ['view', undefined]],
    [{ 'spliced-role': ['administer, view'] }, ['view', undefined]],
    [{ 'spliced-user': ['carol', 'eve'] }, ['view', undefined]],
    [{ 'spliced-user': ['two  spaces'] }, ['view', undefined]],
    [{ 'spliced-user': ['\u202eelor'] }, ['view', undefined]],
    [{ 'spliced-user': ['x'.repeat(1000)] }, ['view', undefined]],
  ] as const) {
    const fieldsOfEngine = { ...passed, ...(fields as unknown as Record<string, string[]>) };
    const user = applicationUserOf(sent(fieldsOfEngine));
    t.same([user?.role, user?.name], expected, JSON.stringify(fields));
  }
  t.equal(
    applicationUserOf(sent({ 'spliced-role': ['administer'] })),
    undefined,
    'nobody was asked',
  );
});

t.test('it was asked, and nothing was answered', async (t) => {
  t.ok(isApplicationSilent(sent({ 'spliced-unanswered': ['1'] })));
  t.notOk(isApplicationSilent(sent(passed)));
});
