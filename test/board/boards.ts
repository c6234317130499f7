// SPDX-License-Identifier: Apache-2.0
// Boots one emulated board and judges what happened on it: the naive server truncates, the product does
// not, its records went through an asynchronous cipher of the kernel, a stop drains, and the doctor says
// what this machine's CAAM is. Counts and facts, never times. Each *.test.ts beside it names a machine.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { checkControl, checkDownloads, checkOffload, checkStop } from '../guest/host/checks.js';
import type { Case } from '../guest/host/run-guests.js';
import { type Image, makeImage, Unable } from './host/image.js';
import { type Machine, type MachineName, machines } from './host/machines.js';
import { type Report, type Run, runBoard } from './host/run-board.js';

const completeMin = 120;
const consoleLinesShown = 60;

const missing: Case = { error: 'no report' };

function checkCase(test: Test, result: Case, check: (test: Test, result: Case) => void): void {
  check(test, result);
  if (test.passing()) return;
  for (const download of result.offending ?? []) test.comment(JSON.stringify(download));
  test.comment(`The server's log ends:\n${(result.log ?? []).join('\n')}`);
}

export type Check = (test: Test, report: Report, machine: Machine, run: Run) => void;

/** Everything that is judged; a board that did not report fails each of them. */
const checks: Record<string, Check> = {
  'the naive server truncates': (test, { naive }) => checkCase(test, naive, checkControl),
  'the product does not': (test, { serve }) =>
    checkCase(test, { ...(serve.matrix ?? missing), ...exitOf(serve.stop) }, (test, result) => {
      checkDownloads(test, result);
      const complete = result.outcomes?.complete ?? 0;
      test.ok(complete >= completeMin, `${complete} complete downloads`);
    }),
  'kernel TLS with an asynchronous cipher': (test, { serve }, machine) => {
    const result = serve.matrix ?? missing;
    checkOffload(test, 'board', result, true);
    const { kernel, driver } = result.status?.offload ?? {};
    test.equal(kernel, 'available', 'the status says so, over HTTPS to curl');
    test.match(driver?.name, machine.driver, `the driver ${driver?.name}`);
  },
  'a stop in the middle of downloads': (test, { serve }) =>
    checkCase(test, serve.stop ?? missing, (test, result) => {
      test.same(result.outcomes, result.expected, 'every download was finished');
      test.equal(result.exitCode, 0, "the server's exit code");
      test.equal(result.stopped?.aborted, 0, 'nothing was aborted');
      checkStop(test, result);
    }),
  'a key that never leaves its token': (test, { token }) =>
    checkCase(test, token, (test, result) => {
      const { made, failed } = result.status?.tls?.signatures ?? {};
      test.equal(result.error, undefined);
      test.ok((made ?? 0) >= 1, `the token signed ${made} handshakes`);
      test.equal(failed, 0, 'none failed');
      test.notOk(
        token.stored?.some((name) => /key/.test(name)),
        `stored: ${token.stored}`,
      );
      test.equal(result.exitCode, 0, "the server's exit code");
    }),
  'the doctor knows the engine': (test, { doctor }, { caam }) => {
    const findings = doctor.findings?.filter(({ id }) => id.startsWith('caam.'));
    test.equal(findings?.length, caam.length, JSON.stringify(findings ?? doctor.error));
    test.match(findings, caam, 'present, broken or absent');
  },
};

const exitOf = (stop: Case | undefined): Pick<Case, 'exitCode' | 'stopped'> => ({
  ...(stop?.exitCode !== undefined && { exitCode: stop.exitCode }),
  ...(stop?.stopped !== undefined && { stopped: stop.stopped }),
});

function describe(run: Run): void {
  const { report, durationMs, steps } = run;
  const what = report ? `${report.release}, Node ${report.node} ${report.architecture}` : run.end;
  t.comment(`${what}: ${(durationMs / 1000).toFixed(0)} s; ${steps.join(', ')}`);
}

/** What the board boots; a reason where this machine cannot make it. Throws when a build fails. */
function prepare(machine: Machine, directory: string): Image | string {
  const startedMs = Date.now();
  try {
    const image = makeImage(machine, directory);
    t.comment(`image: ${((Date.now() - startedMs) / 1000).toFixed(0)} s`);
    return image;
  } catch (error) {
    if (error instanceof Unable) return error.message;
    throw error;
  }
}

export const testBoard = (name: MachineName): Promise<void> => testMachine(name, machines[name]);

/** Boots the machine once and judges it, by `more` too. */
export async function testMachine(
  name: string,
  machine: Machine,
  more: Record<string, Check> = {},
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'spliced-board-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync('build/board', { recursive: true });
  const image = prepare(machine, directory);
  if (typeof image === 'string') {
    t.test(name, { skip: image }, () => {});
    return;
  }
  const kept = `build/board/${name}`;
  const run = await runBoard(machine, image, `${kept}.log`);
  writeFileSync(`${kept}.json`, JSON.stringify(run, undefined, 1));
  describe(run);
  t.test(`${name} boots and reports`, async (test) => {
    if (test.equal(run.end, 'exit code 0', 'the end of the run')) return;
    const lines = readFileSync(run.consolePath, 'utf8').split('\n').slice(-consoleLinesShown);
    test.comment(`The console, ${run.consolePath}, ends:\n${lines.join('\n')}`);
  });
  for (const [title, check] of Object.entries({ ...checks, ...more })) {
    t.test(`${name}: ${title}`, async (test) => {
      if (run.report) check(test, run.report, machine, run);
      else test.fail('no report');
    });
  }
}
