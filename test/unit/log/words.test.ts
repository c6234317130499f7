// SPDX-License-Identifier: Apache-2.0
// What a person at a terminal reads of the log's lines.

import t from 'tap';
import { wordsOf } from '../../../src/log/words.js';

const options = { hasPage: true, program: 'spliced', place: '' };
const words = (entry: object, more = {}) => wordsOf(JSON.stringify(entry), { ...options, ...more });

t.test('a start', async (t) => {
  const listeners = [
    { address: '0.0.0.0', port: 8443 },
    { address: '::1', port: 443 },
  ];
  const ready = { level: 'info', event: 'ready', root: '/srv', listeners };
  t.same(words(ready).split('\n'), [
    'serving      https://localhost:8443/ https://[::1]/ (the files of /srv)',
    'page         https://localhost:8443/.spliced/ui/',
    'sign in      in another terminal run: spliced token',
    'stop         Ctrl-C',
    '',
  ]);
  t.notMatch(words(ready, { hasPage: false }), /page|sign in/);
  const unclaimed = { level: 'info', event: 'device_unclaimed', secondsLeft: 900 };
  t.equal(
    words({ ...unclaimed, by: 'spliced claim' }, { place: '--state-dir s' }),
    'claim        with the code that this prints in another terminal, for 15 min: spliced claim --state-dir s\n',
  );
  t.equal(
    words({ ...unclaimed, by: "the maker's code" }),
    "claim        with the maker's code, for 15 min\n",
  );
  const certificate = { level: 'info', event: 'certificate', notAfter: '2027-01-02T00:00:00Z' };
  t.equal(
    words({ ...certificate, source: '/etc/c.pem' }),
    'certificate  /etc/c.pem, until 2027-01-02\n',
  );
});

t.test('troubles with all that is known, other events not at all', async (t) => {
  const trouble = { level: 'warn', time: 'x', event: 'canary_failed', reason: 'no answer', n: 2 };
  t.equal(words(trouble), 'warning: canary_failed: no answer; n=2\n');
  t.equal(words({ level: 'error', event: 'x' }), 'error: x\n');
  t.equal(words({ level: 'info', event: 'constructor' }), '');
  t.equal(wordsOf('no JSON\n', options), 'no JSON\n');
  const reloaded = { level: 'info', event: 'reloaded', applied: [], restart_required: ['root'] };
  t.equal(words(reloaded), 'reloaded     in effect: nothing; waits for a restart: root\n');
});
