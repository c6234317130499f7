// SPDX-License-Identifier: Apache-2.0
// A device that is restarted and powered off through spliced, by the shipped units under a real systemd
// (PID 1 of a guest with Linux 6.12): the service drains first, and then the manager really goes for
// reboot.target or poweroff.target. And what is said where a drop-in forbids it.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { prepareSystemd, runSystemdGuest } from './host/systemd-guest.js';

const timeoutS = 480;
const largeBytes = 24 << 20;

// biome-ignore lint/suspicious/noExplicitAny: what a phase answers is its own; tap compares it.
type Result = Record<string, any>;

/** The manager's own job when it stopped everybody, after the service had drained. */
function checkGone(test: Test, result: Result, event: string, target: RegExp): void {
  test.same(result.active, ['active', 'active'], 'the units, by enabling the service alone');
  test.ok(
    result.jobs?.some((job: string) => target.test(job)),
    `${target}`,
  );
  const lines: string[] = result.journal;
  const asked = lines.findLastIndex((line) => line.includes(`"event":"${event}"`));
  const stopped = lines.findLastIndex((line) => /"event":"stopped".*"aborted":0/.test(line));
  test.ok(asked >= 0 && stopped > asked, 'the service has drained');
}

const checks: Record<string, (test: Test, result: Result) => void> = {
  restart: (test, result) => {
    test.match(result.command, { code: 0, stdout: /finishes what is active; then the device/ });
    test.match(
      result.download,
      { status: 200, bytes: largeBytes },
      'a download under way is whole',
    );
    checkGone(test, result, 'device_restart', /reboot\.target +start/);
  },
  'power-off': (test, result) => {
    const reason = /nothing has happened: is spliced-poweroff\.path active\?/;
    test.match(result.forbidden, { code: 1, stderr: reason });
    test.equal(result.left, false, 'it is not asked for any more');
    test.equal(result.stillServes, 'active', 'nor done when the unit comes back');
    test.match(result.asked, { state: 'powering-off', error: null });
    checkGone(test, result, 'device_power_off', /poweroff\.target +start/);
  },
};

const { unable, directory } = prepareSystemd();

const chosen = process.env.SPLICED_GUEST_SCENARIOS?.split(',') ?? Object.keys(checks);

for (const [phase, check] of Object.entries(checks)) {
  const skip = unable ?? (chosen.includes(phase) ? undefined : 'not in SPLICED_GUEST_SCENARIOS');
  t.test(phase, skip === undefined ? {} : { skip }, async (test) => {
    const work = mkdtempSync(join(tmpdir(), 'spliced-power-'));
    test.teardown(() => rmSync(work, { recursive: true, force: true }));
    const report = join(work, 'report.json');
    const { code, output } = await runSystemdGuest({
      layers: [directory],
      timeoutS,
      writable: work,
      command: [process.execPath, 'test/guest/inside/power/main.mjs', phase, report],
    });
    test.equal(code, 0, 'the guest ran to its end') || test.comment(output);
    const result: Result = existsSync(report)
      ? JSON.parse(readFileSync(report, 'utf8'))
      : { error: `no report:\n${output}` };
    if (result.error === undefined) check(test, result);
    else test.fail(result.error);
    if (!test.passing()) test.comment(JSON.stringify(result, null, 1));
  });
}
