// SPDX-License-Identifier: Apache-2.0
// Updates by the real RAUC, in a device of two slots that boots five times (a guest with Linux 6.12,
// systemd as PID 1 and D-Bus; inside/update/ has the device and what is done in each boot). From what
// is refused, through an installation that a restart of the service does not disturb and the restart of
// the device, to the fall-back of an update whose service does not come up, to the mark of one that
// is good, and to one that another program begins over D-Bus. A last boot has the real SWUpdate in
// RAUC's place. The boot loader is a script; the installer, its signatures and the slots are real.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { laidOut, prepareSystemd, runSystemdGuest } from './host/systemd-guest.js';

const timeoutS = 300;

// biome-ignore lint/suspicious/noExplicitAny: what a phase answers is its own; tap compares it.
type Result = Record<string, any>;

const slotsOf = ({ slots }: { slots: { bootname: string; state: string; status: string }[] }) =>
  Object.fromEntries(slots.map(({ bootname, state, status }) => [bootname, `${state} ${status}`]));

/** Lines of the journal by one unit, in which this stands. */
const said = ({ journal }: Result, what: RegExp): string[] =>
  (journal as string[]).filter((line) => what.test(line));

function checkPercents(test: Test, seen: { percent?: number }[]): void {
  test.ok(
    seen.some(({ percent = 0 }) => percent > 0 && percent < 100),
    'progress was told',
  );
}

function checkRestart(test: Test, result: Result): void {
  test.equal(result.restart, 'restarting');
  test.ok(
    result.jobs?.some((job: string) => /reboot\.target +start/.test(job)),
    'the device restarts',
  );
  const lines: string[] = result.journal;
  const at = (what: RegExp): number => lines.findLastIndex((line) => what.test(line));
  const stopped = at(/"event":"stopped".*"aborted":0/);
  test.ok(stopped > at(/"event":"update_restart"/), 'the service has drained');
}

function checkOthers(test: Test, others: Result): void {
  const byOther = { state: 'installing', begunBy: 'other' };
  const reason = /^signature verification failed/i;
  test.match(others.stranger, { state: 'failed', begunBy: 'other', error: reason });
  test.match(others.began, { code: 0 });
  test.match(others.during, byOther);
  for (const refused of others.refused) {
    test.match(refused, { status: 409, detail: /Another program is installing an update/ });
  }
  test.match(others.table, /^update +installing \(rauc\), begun by another program$/m);
  test.match(others.twice, { code: 1, stderr: /Already processing/ });
  test.equal(others.operation, 's "idle"');
  test.match(others.still, byOther, 'RAUC goes on whatever it calls itself');
  test.match(others.again, byOther, 'seen again after a restart of the service');
  test.match(others.end, { state: 'installed', begunBy: 'other', restartNeeded: true });
  checkPercents(test, others.seen);
}

const checks: Record<string, (test: Test, result: Result) => void> = {
  install: (test, result) => {
    const { slot, first, refused, installed, table } = result;
    test.equal(slot, 'A');
    test.match(first, { adapter: 'rauc', state: 'idle', compatible: 'spliced-test' });
    test.same(slotsOf(first), { A: 'booted good', B: 'inactive good' });
    test.match(table, /^slot rootfs\.0 +A, booted, good$/m);
    test.ok(said(result, /spliced\[\d+\]: spliced: good: /).length > 0, 'A is marked good');
    test.match(result.nothing, { status: 409, detail: /upload a bundle first/ });

    const { stranger, truncated } = refused;
    for (const one of [stranger, truncated]) {
      test.match(one, { code: 1, state: 'failed', stderr: /does not accept this bundle/ });
    }
    test.match(result.insisted, { refused: 409, error: /^signature verification failed/ });
    const other = /Compatible mismatch: Expected 'spliced-test' but bundle manifest has 'toaster'/;
    test.match(refused['other-device'], { code: 1, state: 'failed', error: other });
    for (const one of [stranger, truncated, refused['other-device']]) {
      test.equal(one.slot1, 3, 'nothing was written: the other slot can still be booted');
    }
    test.match(refused['too-large'], { code: 1, error: /No space left on device/, slot1: 0 });
    test.match(refused['no-room'], { code: 2, stderr: /no space left on device/ });
    test.same(result.left, ['update.json'], 'copies of what failed are removed');

    test.match(installed, { begun: 'installing', during: 'installing', end: { error: null } });
    test.match(installed.twice, { status: 409, detail: /wait for its end/ });
    checkPercents(test, installed.seen);
    test.ok(
      installed.seen.some(({ message = '' }) =>
        /Determining target install group|Copying image to rootfs\.1/.test(message),
      ),
      "in the installer's words",
    );
    test.equal(said(result, /"event":"ready"/).length, 2, 'the service was restarted meanwhile');
    test.match(installed.end, { state: 'installed', restartNeeded: true });
    test.match(installed.end.bundle, { name: 'good.raucb', version: '2026.11' });
    test.same(installed.left, ['update.json'], 'the bundle is removed');
    test.match(result.variables, { order: 'B A', leftB: 1 });
    checkRestart(test, result);
  },
  broken: (test, result) => {
    test.equal(result.slot, 'B', 'the boot loader tries the update');
    test.notOk(result.isReady);
    test.notOk(result.isMarked);
    test.match(result.variables, { leftB: 0 }, 'no attempt is left');
  },
  'fallen back': (test, result) => {
    const { slot, update, again, variables } = result;
    test.equal(slot, 'A', 'the boot loader has fallen back');
    test.match(update, { state: 'failed', error: /fallen back/ });
    test.equal(said(result, /SPLICED-UPDATE-FELL-BACK/).length, 1);
    test.match(again, { code: 0, stdout: /installed; it runs after: spliced update restart/ });
    test.match(variables, { order: 'B A', leftB: 1 });
    checkRestart(test, result);
  },
  good: (test, result) => {
    const { slot, update, mark, variables, slots } = result;
    test.equal(slot, 'B');
    test.match(update, { state: 'idle', error: null });
    test.equal(said(result, /not good yet: index: \/not-there is answered with 404/).length, 1);
    test.equal(said(result, /not good: index: .*; nothing is marked/).length, 1);
    test.equal(result.variablesBefore.leftB, 0, 'nothing was marked');
    test.match(mark, { code: 0 });
    test.ok(said(result, /spliced\[\d+\]: marked slot rootfs\.1 as good/).length > 0);
    test.match(variables, { order: 'B A', leftB: 3 });
    test.match(slotsOf({ slots }), { B: 'booted good' });
    test.match(result.bad, {
      slot: 'rootfs.0',
      mark: 'bad',
      message: /marked slot rootfs\.0 as bad/,
    });
    test.equal(result.badSlot, 0);
    checkOthers(test, result.others);
    test.equal(said(result, /"event":"ready"/).length, 2, 'the service was restarted meanwhile');
    const lines = said(result, /"by":"another program".*SPLICED-UPDATE-(STARTED|INSTALLED|FAILED)/);
    test.equal(lines.length, 4, 'begun, failed, begun, installed');
    checkRestart(test, result);
  },
  others: (test, result) => {
    const { slot, update, variables } = result;
    test.equal(slot, 'A');
    test.match(update, { state: 'idle', begunBy: null, error: null });
    test.equal(said(result, /"event":"update_booted".*"by":"another program"/).length, 1);
    test.match(variables, { order: 'A B', leftA: 3 }, 'marked good as any');
  },
  swupdate: (test, { tried, seen, update, others, isWritten }) => {
    const { stranger, truncated, good } = tried;
    test.match(stranger, { code: 1, state: 'failed', error: /ended the transfer/ });
    test.match(truncated, { code: 1, state: 'failed', error: /./ });
    // Its client gives up or does not, which is a race of SWUpdate's own.
    const tooLarge = /No space left on device|ended the transfer/;
    test.match(tried['too-large'], { code: 1, state: 'failed', error: tooLarge });
    test.match(good, { code: 0, state: 'installed' });
    test.ok(isWritten, 'the very image is in the slot');
    // Of the truncated bundle. Those of a good one are lost in the same race: the daemon, once it is
    // done, does not wait for the padding, and its client then asks for no more.
    const words: string[] = seen.map(({ message = '' }) => message);
    test.ok(words.includes('Software Update started !'), "progress in the installer's words");
    checkPercents(test, seen);
    test.match(update, { adapter: 'swupdate', slots: [], restartNeeded: true });
    test.match(others.ends, [
      { state: 'failed', begunBy: 'other', error: /log says why/ },
      { state: 'installed', begunBy: 'other', error: null, restartNeeded: true },
    ]);
  },
};

const systemd = prepareSystemd();
const installers = systemd.unable === undefined ? laidOut('get-installers') : systemd;
const unable = systemd.unable ?? installers.unable;

if (unable !== undefined) {
  t.test('updates', { skip: unable }, () => {});
} else {
  t.test('a device of two slots', async (test) => {
    const work = mkdtempSync(join(tmpdir(), 'spliced-update-'));
    test.teardown(() => rmSync(work, { recursive: true, force: true }));
    const boots = new Set<string>();
    for (const [phase, check] of Object.entries(checks)) {
      await test.test(phase, async (one) => {
        const report = join(work, 'report.json');
        rmSync(report, { force: true });
        const { code, output } = await runSystemdGuest({
          layers: [systemd.directory, installers.directory],
          modules: 'loop squashfs dm-verity',
          memoryMib: 768,
          timeoutS,
          writable: work,
          command: [process.execPath, 'test/guest/inside/update/main.mjs', work, phase, report],
        });
        one.equal(code, 0, 'the guest ran to its end') || one.comment(output);
        const result: Result = existsSync(report)
          ? JSON.parse(readFileSync(report, 'utf8'))
          : { error: `no report:\n${output}` };
        boots.add(result.bootId);
        if (result.error === undefined) check(one, result);
        else one.fail(result.error);
        if (!one.passing()) one.comment(JSON.stringify(result, null, 1));
      });
    }
    test.equal(boots.size, Object.keys(checks).length, 'each was a boot of its own');
  });
}
