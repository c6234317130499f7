// SPDX-License-Identifier: Apache-2.0
// Hashes of passwords: their cost and its bounds, what is stored of them, and how many are computed.

import t from 'tap';
import {
  Busy,
  type Cost,
  chooseCost,
  costBounds,
  costFor,
  hashOf,
  hashPassword,
  isAccepted,
  isPassword,
  textOf,
  waitingMax,
} from '../../../../src/api/people/scrypt.js';

const MiB = 1024 * 1024;
const least: Cost = { n: 2 ** 14, r: 8, p: 1 };

t.test('the cost follows the board, within its bounds', async (t) => {
  const cases: [probeMs: number, memoryMiB: number, n: number, p: number][] = [
    [2_000, 128, 2 ** 14, 1], // No board is too slow for the least.
    [125, 512, 2 ** 14, 1],
    [62, 512, 2 ** 14, 2],
    [10, 512, 2 ** 14, 5], // 16 MiB are a thirty-second of its memory.
    [10, 1_024, 2 ** 15, 5],
    [10, 8_192, 2 ** 16, 3],
    [0, 65_536, 2 ** 16, costBounds.pMax],
  ];
  for (const [probeMs, memoryMiB, n, p] of cases) {
    t.same(costFor(probeMs, memoryMiB * MiB), { n, r: 8, p }, `${probeMs} ms, ${memoryMiB} MiB`);
  }
  t.ok(isAccepted(await chooseCost()));
});

t.test('a hash is good for its password alone, and never the same twice', async (t) => {
  const [one, two] = [
    await hashPassword('correct horse', least),
    await hashPassword('correct horse', least),
  ];
  t.not(textOf(one), textOf(two));
  t.match(textOf(one), /^scrypt:16384:8:1:[\w-]{22}:[\w-]{43}$/);
  const stored = hashOf(textOf(one));
  t.equal(await isPassword('correct horse', stored, least), true);
  t.equal(await isPassword('correct horsE', stored, least), false);
  t.equal(await isPassword('', undefined, least), false, 'nobody has no password');
  const composed = hashOf(textOf(await hashPassword('\u00fcber alles hin', least)));
  t.equal(await isPassword('u\u0308ber alles hin', composed, least), true, 'one spelling');
});

t.test('what would cost too much or nothing is no hash', async (t) => {
  const good = textOf(await hashPassword('x', least));
  const [, , , , salt, hash] = good.split(':');
  const bad = ['', 'scrypt', good.slice(0, -1), `${good}x`, `bcrypt${good.slice(6)}`];
  for (const cost of ['16383:8:1', '2:8:1', '262144:8:1', '16384:9:1', '16384:8:0', '16384:8:17']) {
    bad.push(['scrypt', cost, salt, hash].join(':'));
  }
  for (const text of bad) t.equal(hashOf(text), undefined, text);
  t.ok(hashOf(['scrypt', '131072:8:16', salt, hash].join(':')));
});

t.test('one is computed at a time, a few wait, and no more', async (t) => {
  const all = await Promise.allSettled(
    Array.from({ length: waitingMax + 3 }, () => isPassword('x', undefined, least)),
  );
  const refused = all.filter((one) => one.status === 'rejected' && one.reason instanceof Busy);
  t.equal(refused.length, 2);
  t.equal(await isPassword('x', undefined, least), false, 'there is room again');
});
