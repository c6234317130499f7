// SPDX-License-Identifier: Apache-2.0
// The built product over the stand-in for CAAM (caam-standin/), in guests with real kernels: nothing
// is lost at any latency, depth and order; a job that fails ends its connection visibly; wrong bytes
// and an engine that hangs are found, new connections go to user space, and the service comes back;
// a stop ends by its deadline. The cases run in the guest: inside/standin-cases.mjs. What each kernel
// does not run here was run by hand, and docs/ENGINE-FAULTS.md has it.
// SPLICED_GUEST_KERNELS ("6.12 newest") and SPLICED_GUEST_CASES ("stop,failures") choose others.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { prepare } from './host/prepare.js';
import { runGuest } from './host/run-guests.js';
import { checks, type StandinCase } from './host/standin-checks.js';

const { SPLICED_GUEST_KERNELS: kernels, SPLICED_GUEST_CASES: cases } = process.env;
const always = ['nothing lost', 'failures', 'stop'];
const plan: Record<string, string[]> =
  kernels === undefined
    ? { '6.1': [...always, 'short stall', 'long stall'], '6.12': [...always, 'wrong bytes'] }
    : Object.fromEntries(kernels.split(' ').map((kernel) => [kernel, Object.keys(checks)]));

/** The module's path, or why there is none. */
function getStandin(kernel: string): { module?: string; reason?: string } {
  const { status, stdout, stderr, error } = spawnSync('test/guest/lab/get-standin', [kernel], {
    encoding: 'utf8',
  });
  if (stderr) t.comment(stderr.trim());
  if (status === 0) return { module: stdout.trim() };
  return { reason: (stderr || String(error)).trim().split('\n').pop() ?? '' };
}

async function checkGuest(test: Test, kernel: string, module: string, directory: string) {
  const chosen = cases?.split(',') ?? plan[kernel] ?? [];
  const guest = await runGuest<StandinCase>({
    kernel,
    options: ['-M', 'gcm'],
    script: (report) => ['standin.mjs', module, report, ...chosen],
    directory: join(directory, kernel),
    timeoutS: 420,
  });
  test.equal(guest.exitCode, 0, 'the guest ran to its end') || test.comment(guest.output);
  test.comment(`${guest.release ?? 'no report'}, ${guest.durationMs} ms`);
  for (const name of chosen) {
    test.test(name, async (caseTest) => {
      const result = guest.cases[name] ?? { error: `No report:\n${guest.output}` };
      caseTest.equal(result.error, undefined, 'the case ran to its end');
      if (result.error === undefined) checks[name]?.(caseTest, result);
      if (caseTest.passing()) return;
      caseTest.comment(`The server's log ends:\n${(result.log ?? []).join('\n')}`);
    });
  }
}

const unable = prepare();
if (unable !== undefined) {
  t.test('guests', { skip: unable }, () => {});
} else {
  const directory = mkdtempSync(join(tmpdir(), 'spliced-standin-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  t.jobs = 2;
  for (const kernel of Object.keys(plan)) {
    const { module, reason } = getStandin(kernel);
    if (module === undefined) t.test(kernel, { skip: `no stand-in: ${reason}` }, () => {});
    else t.test(kernel, (test) => checkGuest(test, kernel, module, directory));
  }
}
