// SPDX-License-Identifier: Apache-2.0
// Who has a name here is not told by the work for an answer: whatever is wrong, exactly one hash with the
// same parameters. Counted at scrypt itself, not timed.

import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import t, { type Test } from 'tap';
import { add } from '../../../../src/api/people/changes.js';
import { delayBounds } from '../../../../src/api/people/delays.js';
import { changePeople } from '../../../../src/api/people/file.js';
import { hashPassword } from '../../../../src/api/people/scrypt.js';
import { ask, from, json } from '../client.js';
import { type Scene, startScene } from '../scene.js';

// Neither the least nor what a test's scene takes otherwise: a default would be seen.
const cost = { n: 2 ** 15, r: 8, p: 2 };
const password = 'four words are good';

/** What scrypt is asked for from now on: lengths and parameters. */
function watchScrypt(t: Test): unknown[] {
  const calls: unknown[] = [];
  const real = crypto.scrypt;
  crypto.scrypt = ((...args: Parameters<typeof real>) => {
    const [, salt, length, options] = args;
    calls.push({ saltBytes: (salt as Buffer).length, length, ...options });
    real(...args);
  }) as typeof real;
  syncBuiltinESMExports();
  t.teardown(() => {
    crypto.scrypt = real;
    syncBuiltinESMExports();
  });
  return calls;
}

let hosts = 0;

/** Each from an address of its own, that none has to wait. */
async function signIn({ proxy }: Scene, name: string, typed: string, address?: string) {
  hosts += 1;
  const headers = { ...from(address ?? `198.51.100.${hosts}`), ...json };
  const body = JSON.stringify({ name, password: typed });
  return ask(proxy, '/session', { method: 'POST', headers, body });
}

async function withAda(t: Test): Promise<Scene> {
  const scene = await startScene(t);
  const hash = await hashPassword(password, cost);
  await changePeople(scene.directory, add({ name: 'ada', role: 'view', hash }, cost));
  return scene;
}

t.test('a name that is nobody’s: one hash, as costly as for a wrong password', async (t) => {
  const scene = await withAda(t);
  const calls = watchScrypt(t);
  const one = { saltBytes: 16, length: 32, N: cost.n, r: cost.r, p: cost.p };
  for (const [name, typed, status] of [
    ['ada', 'wrong', 401],
    ['ada', password, 200],
    ['eve', 'wrong', 401],
    ['eve', password, 401],
    ['', 'wrong', 401],
    [' ADA ', '', 401],
    ['ada\0', 'wrong', 401],
    ['__proto__', 'wrong', 401],
    ['a'.repeat(5_000), 'wrong', 401],
    ['ada', 'x'.repeat(5_000), 401],
    ['eve', 'x'.repeat(5_000), 401],
  ] as const) {
    calls.length = 0;
    const answer = await signIn(scene, name, typed);
    const what = `${name.slice(0, 9)}, ${typed.slice(0, 9)}`;
    t.equal(answer.status, status, what);
    const [{ maxmem, ...asked }] = calls as [{ maxmem: number }];
    t.same([asked], [one], what);
    t.equal(calls.length, 1, `once: ${what}`);
    t.ok(maxmem >= 128 * cost.n * cost.r, what);
  }
});

t.test('who has to wait: no hash, whether the name is somebody’s or not', async (t) => {
  const scene = await withAda(t);
  const counts: Record<string, number[]> = {};
  const calls = watchScrypt(t);
  for (const name of ['ada', 'eve']) {
    counts[name] = [];
    for (let i = 0; i < delayBounds.freeMax + 3; i += 1) {
      calls.length = 0;
      await signIn(scene, name, 'wrong', `192.0.2.${name === 'ada' ? 1 : 2}`);
      counts[name].push(calls.length);
    }
  }
  t.same(counts.ada, [1, 1, 1, 1, 0, 0]);
  t.same(counts.eve, counts.ada);
});
