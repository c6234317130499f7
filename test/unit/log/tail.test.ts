// SPDX-License-Identifier: Apache-2.0
// The lines that are kept in memory: numbers, bounds, and what log.ts puts in.

import t from 'tap';
import { createLog } from '../../../src/log/log.js';
import { LogTail, tailBounds } from '../../../src/log/tail.js';

t.test('numbers and places', async (t) => {
  const tail = new LogTail();
  t.same(tail.read(0, 10), { lines: [], first: 0, lost: 0 });
  for (const line of ['a\n', 'b\n', 'c\n']) tail.push(line);
  t.equal(tail.next, 3);
  t.same(tail.read(0, 2), { lines: ['a', 'b'], first: 0, lost: 0 });
  t.same(tail.read(2, 2), { lines: ['c'], first: 2, lost: 0 });
  t.same(tail.read(3, 2), { lines: [], first: 3, lost: 0 });
  t.same(tail.read(99, 2), { lines: [], first: 3, lost: 0 }, 'a place that never was');
});

t.test('at most so many lines', async (t) => {
  const tail = new LogTail();
  for (let i = 0; i < tailBounds.linesMax + 5; i += 1) tail.push(String(i));
  t.equal(tail.next, tailBounds.linesMax + 5);
  t.same(tail.read(0, 1), { lines: ['5'], first: 5, lost: 5 });
  t.same(tail.read(5, 1), { lines: ['5'], first: 5, lost: 0 });
  t.equal(tail.read(0, 1e9).lines.length, tailBounds.linesMax);
});

t.test('at most so many characters', async (t) => {
  const tail = new LogTail();
  const third = 'x'.repeat(tailBounds.charactersMax / 3);
  for (let i = 0; i < 10; i += 1) tail.push(third);
  t.equal(tail.read(0, 100).lines.length, 3);
  tail.push('y'.repeat(tailBounds.charactersMax + 1));
  t.same(tail.read(0, 100).first, 10, 'one that is too long is kept alone');
  tail.push('z');
  t.same(tail.read(0, 100), { lines: ['z'], first: 11, lost: 11 });
});

t.test('who listens is told of each line', async (t) => {
  const tail = new LogTail();
  let calls = 0;
  const end = tail.subscribe(() => {
    calls += 1;
  });
  tail.push('a');
  tail.push('b');
  end();
  tail.push('c');
  t.equal(calls, 2);
});

t.test('the log fills it, without the priorities of the journal', async (t) => {
  const tail = new LogTail();
  const log = createLog('info', { env: {}, tail });
  log.debug({ event: 'too_fine' });
  log.info({ event: 'hello', privateKey: 'KEY' });
  const [line = '', ...more] = tail.read(0, 10).lines;
  t.equal(more.length, 0);
  t.match(JSON.parse(line), { level: 'info', event: 'hello', privateKey: '[secret]' });
});
