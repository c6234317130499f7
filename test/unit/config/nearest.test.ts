// SPDX-License-Identifier: Apache-2.0
// "Did you mean": slips are found, and what is something else is left alone.

import t from 'tap';
import { distance, nearest } from '../../../src/config/nearest.js';

t.test('distance', async (t) => {
  const cases: [string, string, number][] = [
    ['', '', 0],
    ['', 'abc', 3],
    ['root', 'root', 0],
    ['rot', 'root', 1],
    ['roott', 'root', 1],
    ['ruot', 'root', 1],
    ['orot', 'root', 1],
    ['kitten', 'sitting', 3],
  ];
  for (const [from, to, edits] of cases) {
    t.equal(distance(from, to), edits, `${from} ${to}`);
    t.equal(distance(to, from), edits, `${to} ${from}`);
  }
});

t.test('nearest', async (t) => {
  const names = ['root', 'listen', 'state_dir', 'timeouts'];
  t.equal(nearest('lsiten', names), 'listen');
  t.equal(nearest('STATE-DIR', names), 'state_dir');
  t.equal(nearest('time', names), 'timeouts', 'the beginning of a name');
  t.equal(nearest('boot', names), 'root');
  for (const other of ['zebra', 'x', '', 'to']) t.equal(nearest(other, names), undefined, other);
  t.equal(
    nearest('dir', names, (name) => name.split('_')),
    'state_dir',
    'by another form of the name',
  );
});
