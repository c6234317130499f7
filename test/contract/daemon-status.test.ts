// SPDX-License-Identifier: Apache-2.0
// The daemon's own part of the status document: shown as it was given, the latest counts, bounded.

import t from 'tap';
import { daemonStatusBytesMax } from '../../src/daemon-status.js';
import { get, startEngine } from './engine.js';

t.test('is part of stats() and of the page, and the latest counts', async (t) => {
  const running = await startEngine(t);
  const { engine } = running;
  t.notOk('daemon' in JSON.parse(engine.stats()), 'nothing was said yet');
  engine.setDaemonStatus('{"a":1}');
  engine.setDaemonStatus('{"certificates":[{"subject":"CN=gäte"}]}');
  const expected = { certificates: [{ subject: 'CN=gäte' }] };
  t.same(JSON.parse(engine.stats()).daemon, expected);
  const page = await get(running, { path: '/.spliced/status' });
  t.equal(page.status, 200);
  t.same(JSON.parse(page.body.toString('utf8')).daemon, expected);
});

t.test('the largest fits on the page; more is refused and changes nothing', async (t) => {
  const running = await startEngine(t);
  const { engine } = running;
  const wrap = (bytes: number): string => `{"a":"${'x'.repeat(bytes - 8)}"}`;
  engine.setDaemonStatus(wrap(daemonStatusBytesMax));
  const page = await get(running, { path: '/.spliced/status' });
  t.equal(JSON.parse(page.body.toString('utf8')).daemon.a.length, daemonStatusBytesMax - 8);
  const wrong = [wrap(daemonStatusBytesMax + 1), '', '1', '[]', undefined, {}];
  for (const json of wrong) {
    t.throws(() => engine.setDaemonStatus(json as string), { code: 'EINVAL_OPTION' });
  }
  t.equal(JSON.parse(engine.stats()).daemon.a.length, daemonStatusBytesMax - 8);
  engine.close();
  t.throws(() => engine.setDaemonStatus('{}'), { code: 'ECLOSED' });
});
