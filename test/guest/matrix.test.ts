// SPDX-License-Identifier: Apache-2.0
// Downloads from the built product inside guests with real kernels, with a synchronous and with an
// asynchronous cipher, and judges what came of them: nothing truncated, nothing corrupt, every
// connection really promoted. The naive server must fail under the same conditions. The cases
// themselves run in the guest: inside/cases.mjs. docs/GUESTS.md tells how to run one by hand.
// SPLICED_GUEST_KERNELS ("6.1 newest") and SPLICED_GUEST_CASES ("stop,curl") narrow a run; what they
// leave out is reported as skipped.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { checkCase } from './host/checks.js';
import { prepare } from './host/prepare.js';
import { type Case, type Guest, runGuests } from './host/run-guests.js';

const kernels = ['6.1', '6.12', 'newest'];
const completeMin = 2000;
const caseNames = [
  'naive',
  'matrix 4096',
  'matrix 16384',
  'matrix default',
  'matrix cold',
  'stop',
  'epoll',
  'epoll cold',
  'aes256',
  'chacha20',
  'off',
  'queue',
  'curl',
  'clients',
];

const chosenKernels = process.env.SPLICED_GUEST_KERNELS?.split(' ') ?? kernels;
const chosenCases = process.env.SPLICED_GUEST_CASES?.split(',') ?? caseNames;
const isWhole = chosenKernels.length === kernels.length && chosenCases.length === caseNames.length;

const complete = (result: Case | undefined) => result?.outcomes?.complete ?? 0;

const unable = prepare();
if (unable !== undefined) {
  t.test('guests', { skip: unable }, () => {});
} else {
  const directory = mkdtempSync(join(tmpdir(), 'spliced-guests-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const guests = kernels.flatMap((kernel) => [false, true].map((isAsync) => ({ kernel, isAsync })));
  const runs = runGuests(
    guests.filter(({ kernel }) => chosenKernels.includes(kernel)),
    { directory, cases: chosenCases, parallel: 2, timeoutS: 480 },
  );
  const finished: Guest[] = [];
  for (const { kernel, isAsync } of guests) {
    const name = `${kernel} ${isAsync ? 'cryptd' : 'sync'}`;
    const run = runs.get(name);
    if (run === undefined) {
      t.test(name, { skip: 'not in SPLICED_GUEST_KERNELS' }, () => {});
      continue;
    }
    t.test(name, async (guestTest) => {
      const guest = await run;
      finished.push(guest);
      guestTest.equal(guest.exitCode, 0, 'the guest ran to its end') ||
        guestTest.comment(guest.output);
      guestTest.comment(`${guest.release ?? 'no report'}, ${guest.durationMs} ms`);
      for (const caseName of caseNames) {
        if (!chosenCases.includes(caseName)) {
          guestTest.test(caseName, { skip: 'not in SPLICED_GUEST_CASES' }, () => {});
          continue;
        }
        guestTest.test(caseName, async (caseTest) => {
          const result = guest.cases[caseName] ?? { error: `No report:\n${guest.output}` };
          checkCase(caseTest, caseName, result, isAsync);
        });
      }
    });
  }
  t.test('the whole matrix', { skip: isWhole ? false : 'only a part was run' }, async (test) => {
    const products = finished.flatMap(({ cases }) =>
      Object.entries(cases).filter(([name]) => name !== 'naive'),
    );
    const sum = products.reduce((total, [, result]) => total + complete(result), 0);
    test.ok(sum >= completeMin, `${sum} complete downloads, at least ${completeMin}`);
    for (const bad of ['truncated', 'corrupt', 'failed', 'timeout']) {
      const count = products.reduce((total, [, { outcomes }]) => total + (outcomes?.[bad] ?? 0), 0);
      test.equal(count, 0, `${bad}`);
    }
  });
}
