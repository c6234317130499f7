// SPDX-License-Identifier: Apache-2.0
// What could not be written or tidied: told once, tried again after pauses that double, told again
// when it is done.

import t from 'tap';
import { Housekeeping, noHousekeeping, pauseMsAfter } from '../../../src/files/housekeeping.js';

function bench() {
  const lines: Record<string, unknown>[] = [];
  const timers: { delayMs: number; run: () => void }[] = [];
  const note = (line: unknown): void => void lines.push(line as Record<string, unknown>);
  const housekeeping = new Housekeeping({
    log: { warn: note, info: note } as never,
    clock: {
      after: (delayMs, run) => {
        const timer = { delayMs, run };
        timers.push(timer);
        return () => {
          if (timers.includes(timer)) timers.splice(timers.indexOf(timer), 1);
        };
      },
    },
  });
  /** Lets the one pause that there is pass. */
  const pass = async (): Promise<number> => {
    const timer = timers.shift();
    timer?.run();
    await new Promise((resolve) => setImmediate(resolve));
    return timer?.delayMs ?? 0;
  };
  return { housekeeping, lines, timers, pass };
}

const refusal = (code: string): Error => new Error(`${code}: no, open '/x'`);

t.test('pauses double, and have an end', async (t) => {
  t.same(
    [1, 2, 3, 7, 8, 1_000].map(pauseMsAfter),
    [5, 10, 20, 320, 600, 600].map((s) => s * 1000),
  );
});

t.test('again and again until it is done', async (t) => {
  const { housekeeping, lines, timers, pass } = bench();
  let refusals = 3;
  const shown: unknown[] = [];
  housekeeping.watch((troubles) => shown.push(troubles));
  const work = async () => {
    refusals -= 1;
    if (refusals >= 0) throw refusal('ENOSPC');
  };
  t.equal(await housekeeping.keep('writing x', work), false);
  const trouble = { what: 'writing x', reason: "ENOSPC: no, open '/x'" };
  t.same(housekeeping.troubles(), [trouble]);
  t.same([await pass(), await pass(), await pass()], [5_000, 10_000, 20_000]);
  t.match(lines, [
    { event: 'housekeeping_failed', ...trouble },
    { event: 'housekeeping_done', what: 'writing x' },
  ]);
  t.equal(lines.length, 2, 'the same reason is told once');
  t.same(shown, [[], [trouble], []]);
  t.same(timers, []);
});

t.test('newer work of a name takes the place of the older', async (t) => {
  const { housekeeping, timers, pass } = bench();
  const done: string[] = [];
  let isFull = true;
  const write = (text: string) => () => {
    if (isFull) throw refusal('EROFS');
    done.push(text);
  };
  void housekeeping.keep('writing x', write('old'));
  void housekeeping.keep('writing x', write('new'));
  t.equal(timers.length, 1);
  isFull = false;
  await pass();
  t.same(done, ['new']);
  void housekeeping.keep('writing x', write('third'));
  t.same(done, ['new', 'third'], 'what is synchronous is done when keep() returns');
});

t.test('work that is overtaken says nothing', async (t) => {
  const { housekeeping, lines, timers } = bench();
  let refuse = (_: Error): void => {};
  const slow = housekeeping.keep('x', () => new Promise((_, reject) => (refuse = reject)));
  t.equal(await housekeeping.keep('x', () => {}), true);
  refuse(refusal('EIO'));
  t.equal(await slow, false);
  t.same([lines, timers], [[], []]);
});

t.test('what its owner tries again', async (t) => {
  const { housekeeping, lines, timers } = bench();
  housekeeping.failed('x', refusal('EIO'));
  housekeeping.failed('x', refusal('EACCES'));
  t.match(housekeeping.troubles(), [{ what: 'x', reason: /EACCES/ }]);
  t.same(timers, []);
  housekeeping.settled('x');
  housekeeping.settled('x');
  t.same(
    lines.map(({ event }) => event),
    ['housekeeping_failed', 'housekeeping_failed', 'housekeeping_done'],
  );
});

t.test('names have a bound, and a close ends all of it', async (t) => {
  const { housekeeping, timers } = bench();
  const fail = () => {
    throw refusal('EIO');
  };
  for (let i = 0; i < 100; i += 1) await housekeeping.keep(`x${i}`, fail);
  t.equal(housekeeping.troubles().length, 32);
  t.equal(timers.length, 32);
  housekeeping.close();
  t.same(timers, []);
  await housekeeping.keep('x0', fail);
  t.same(timers, []);
});

t.test('without any', async (t) => {
  t.equal(await noHousekeeping.keep('x', () => {}), true);
  const refused = noHousekeeping.keep('x', () => {
    throw refusal('EIO');
  });
  t.equal(await refused, false);
});
