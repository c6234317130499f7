// SPDX-License-Identifier: Apache-2.0
// Sessions: how many, how long, and what a restart leaves of them. Delays: their tables' bounds.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { delayBounds, SignInDelays } from '../../../../src/api/people/delays.js';
import { Sessions, sessionBounds } from '../../../../src/api/people/sessions.js';

function scene(directory: string) {
  const clock = { nowMs: 0, wallMs: 1_800_000_000_000 };
  const refusals: unknown[] = [];
  const clocks = { nowMs: () => clock.nowMs, wallMs: () => clock.wallMs };
  const make = (): Sessions => new Sessions(directory, (error) => refusals.push(error), clocks);
  const pass = (ms: number): void => {
    clock.nowMs += ms;
    clock.wallMs += ms;
  };
  return { clock, refusals, make, pass };
}

const who = (name: string) => ({
  name,
  stamp: 's',
  address: '192.0.2.1',
  agent: 'x'.repeat(1_000),
});

t.test('so many of a person, and in all', async (t) => {
  const { make, pass } = scene(t.testdir());
  const sessions = make();
  const { perPersonMax, sessionsMax, agentCharactersMax } = sessionBounds;
  const first = await sessions.begin(who('ada'));
  const keys: string[] = [];
  for (let i = 1; i < perPersonMax; i += 1) {
    pass(1);
    keys.push(await sessions.begin(who('ada')));
  }
  pass(1);
  t.ok(sessions.use(first), 'used last');
  await sessions.begin(who('ada'));
  t.equal(sessions.list('ada').length, perPersonMax);
  t.equal(sessions.use(keys[0] ?? ''), undefined, 'the one that was not used for longest is over');
  t.ok(sessions.use(first));
  for (let i = 0; i < sessionsMax; i += 1) await sessions.begin(who(`p${i}`));
  t.equal(sessions.list().length, sessionsMax);
  t.equal(sessions.list()[0]?.agent.length, agentCharactersMax);
});

t.test('a restart signs nobody out, and lengthens no life by the clock', async (t) => {
  const { make, pass, clock, refusals } = scene(t.testdir());
  const before = make();
  const [key, ended] = [await before.begin(who('ada')), await before.begin(who('bob'))];
  await before.end(({ name }) => name === 'bob');
  pass(sessionBounds.lifeMs / 2);
  clock.nowMs = 0; // Another boot.
  const after = make();
  after.load();
  t.match(after.use(key), { name: 'ada', stamp: 's' });
  t.equal(after.use(ended), undefined);
  t.equal(after.use(''), undefined);
  t.equal(after.list()[0]?.endsAtMs, sessionBounds.lifeMs / 2);
  clock.wallMs = 0; // A device without a clock: no longer than was left when it was written.
  const without = make();
  without.load();
  t.equal(without.list()[0]?.endsAtMs, sessionBounds.lifeMs);
  clock.wallMs = 1_800_000_000_000 + sessionBounds.lifeMs;
  const late = make();
  late.load();
  t.same(late.list(), []);
  t.same(refusals, []);
});

t.test('what cannot be read or written ends nothing', async (t) => {
  const directory = t.testdir();
  const { make, refusals } = scene(directory);
  for (const text of [
    '',
    '{}',
    '[1,null,{}]',
    '[{"id":1}]',
    'x'.repeat(sessionBounds.bytesMax + 1),
  ]) {
    writeFileSync(join(directory, 'sessions'), text);
    const sessions = make();
    sessions.load();
    t.same(sessions.list(), []);
  }
  const { make: makeNowhere, refusals: refused } = scene(join(directory, 'absent'));
  const nowhere = makeNowhere();
  const key = await nowhere.begin(who('ada'));
  t.ok(nowhere.use(key));
  t.match(refused, [{ code: 'ENOENT' }]);
  t.same(refusals, []);
});

t.test('the tables of names and addresses have bounds, and forget the least first', async (t) => {
  let nowMs = 0;
  const delays = new SignInDelays(() => nowMs);
  for (let i = 0; i <= delayBounds.freeMax; i += 1) delays.begin('ada', `203.0.113.${i}`);
  t.ok(delays.waitS('ada', '203.0.113.200') > 0);
  for (let i = 0; i < 2 * delayBounds.entriesMax; i += 1) {
    delays.begin(`p${i}`, `10.0.${i >> 8}.${i & 255}`);
    delays.succeeded(`known${i}`, '192.0.2.1');
  }
  const { entriesMax, knownMax, nameMsMax, addressMsMax, quietMs } = delayBounds;
  t.same(delays.sizes, { names: entriesMax, addresses: entriesMax, known: knownMax });
  t.ok(delays.waitS('ada', '203.0.113.200') > 0, 'other names do not make it forget this one');
  let most = 0;
  for (let i = 0; i < 30; i += 1) {
    delays.begin('ada', '192.0.2.66');
    most = Math.max(most, delays.waitS('ada', '192.0.2.66'));
    nowMs += 1_000 * delays.waitS('ada', '192.0.2.66');
  }
  t.equal(most, addressMsMax / 1_000);
  delays.begin('ada', '192.0.2.67');
  t.equal(delays.waitS('ada', '192.0.2.68'), nameMsMax / 1_000);
  nowMs += quietMs + addressMsMax;
  delays.begin('ada', '192.0.2.66');
  t.equal(delays.waitS('ada', '192.0.2.66'), 0, 'after a quiet time it begins anew');
});
