// SPDX-License-Identifier: Apache-2.0
// The shipped units under a real systemd (PID 1 of a guest with Linux 6.12): start, reload, restart
// without a refused connection, stop with nothing truncated, credentials, a read-only root. One boot
// for all scenarios, which inside/systemd/scenarios.mjs has; here they are judged.
// SPLICED_GUEST_SCENARIOS ("start,drain") narrows a run; what it leaves out is reported as skipped.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { prepareSystemd, runSystemdGuest } from './host/systemd-guest.js';

const timeoutS = 480;
const restarts = 10;
const largeBytes = 24 << 20;

// biome-ignore lint/suspicious/noExplicitAny: what a scenario answers is its own; tap compares it.
type Result = Record<string, any>;

function checkClients(test: Test, clients: { served: number; failed: object }[]) {
  test.equal(clients.length, 2);
  for (const { served, failed } of clients) {
    test.same(failed, {}, 'none refused, none lost');
    test.ok(served >= restarts, `${served} served`);
  }
}

const checks: Record<string, (test: Test, result: Result) => void> = {
  documented: (test, { lines, failed, states, answers, restarted, after }) => {
    test.equal(lines, 5);
    test.same(failed, [], 'also the second time');
    test.match(
      states[0],
      /^systemctl enable --now .*: active active active$/,
      'with the restart of the device',
    );
    const first = states.filter((state: string) => /(start|--now)[^:]*: /.test(state));
    for (const state of first) test.match(state, /: active active active$/);
    test.same(
      [answers, restarted, after],
      [{ https: 200, http: 308 }, 0, { https: 200, http: 308 }],
    );
  },
  'npm package': (test, result) => {
    const { installed, answer, shown, reload, again, answerAgain, status, undone } = result;
    test.match(installed, { code: 0, stdout: /^started {2}spliced\.service$/m, stderr: '' });
    test.match([answer, answerAgain], [{ status: 200 }, { status: 200 }]);
    test.match(shown, {
      ActiveState: 'active',
      ExecStart: /node_modules\/spliced\/dist\/cli\.js serve/,
    });
    test.equal(result.paths, 'active\nactive\n', 'restart and power-off of the device');
    test.equal(reload.code, 0, reload.stderr);
    test.match(again, { code: 0, stdout: /^kept .*spliced\.toml, which was there$/m });
    test.match(status, { code: 0, stderr: /about the installed service, which runs/ });
    test.match(undone, { code: 0, stdout: /^kept .*\/var\/lib\/spliced$/m });
    test.equal(result.left, 'inactive\ninactive\ninactive\n');
    test.ok(result.hasState);
  },
  start: (test, { answer, shown, process }) => {
    test.match(answer, { status: 200, bytes: 5 }, 'serves when systemctl start returns');
    test.match(shown, { Type: 'notify-reload', ActiveState: 'active', NRestarts: '0' });
    test.match(
      shown.StatusText,
      /^Serving https:.* kernel TLS by .*, certificate valid for 36\d days$/,
    );
    test.notMatch(process.Uid, /\b0\b/, 'not root');
    const none = '0000000000000000';
    test.match(process, { CapEff: none, CapBnd: none, NoNewPrivs: '1', Seccomp: '2' });
  },
  reload: (test, { good, bad, again, isSameProcess }) => {
    for (const turn of [good, bad, again]) {
      test.match(turn, { code: 0, ActiveState: 'active', status: 200 });
    }
    test.match(good.logged, [{ event: 'reloaded', applied: ['log.level'] }]);
    test.match(bad.logged, [{ event: 'reload_failed', errors: [/:1: root: /, /:2: listen: /] }]);
    test.match(bad.StatusText, /the new configuration was refused \(2 errors in the log\)$/);
    test.match(again.logged, [{ event: 'reloaded' }]);
    test.notMatch(again.StatusText, /refused/);
    test.ok(isSameProcess);
  },
  store: (test, { clients, ActiveState, NFileDescriptorStore, kept }) => {
    checkClients(test, clients);
    test.equal(ActiveState, 'active');
    test.equal(NFileDescriptorStore, '1', 'stored once');
    test.equal(kept, restarts, 'each life took it over');
  },
  'new version': (test, { clients, versions }) => {
    checkClients(test, clients);
    const expected = Array.from({ length: restarts }, (_, turn) => `9.0.${turn}`);
    test.same(versions, expected, 'each life is of the files that were put there');
  },
  socket: (test, { isIdle, first, listeners, clients, NRestarts }) => {
    test.ok(isIdle, 'the socket alone starts nothing');
    test.equal(first.status, 200, 'the first connection starts it');
    test.match(listeners, [{ port: 443 }]);
    checkClients(test, clients);
    test.equal(NRestarts, '0');
  },
  'plain http': (test, { first, answers, listeners }) => {
    test.same(first, { status: 308, location: 'https://localhost/' }, 'the first starts it');
    test.same(Object.keys(answers), ['308'], 'none refused, none lost');
    test.ok(answers[308] >= restarts, `${answers[308]} answered`);
    test.match(listeners, [{ port: 80 }]);
  },
  'stop under load': (test, { code, durationMs, downloads, shown, stopped }) => {
    for (const download of downloads) test.match(download, { status: 200, bytes: largeBytes });
    test.equal(code, 0);
    test.ok(durationMs > 5_000, `${durationMs} ms: longer than TimeoutStopSec`);
    test.match(shown, { Result: 'success', ExecMainStatus: '0' });
    test.match(stopped, { drained: 3, aborted: 0, contradictions: 0 });
  },
  'stop without progress': (test, { shown }) => {
    test.equal(shown.Result, 'timeout', 'systemd ends what does not move');
  },
  drain: (test, { code, figures, download, shown }) => {
    test.equal(code, 0);
    test.match(figures, { drained: 1, aborted: 0 });
    test.equal(download.bytes, largeBytes);
    test.equal(shown.Result, 'success');
  },
  api: (test, { status, log, owner, modes, bare, withToken, revoked, strangerCode }) => {
    test.match(status, { code: 0, stdout: /^kernel TLS +available/m });
    test.match(log, { code: 0, stdout: /"event":"ready"/ });
    test.ok(owner, "the token's hash is the service's, although root made it");
    test.same(modes, ['600', '600', '600']);
    test.same([bare, withToken, revoked], ['401', '200', '401']);
    test.equal(strangerCode, 7, 'no other user connects');
  },
  watchdog: (test, { stopped, engine, eventLoop, timeouts, missing }) => {
    for (const one of [stopped, engine, eventLoop]) test.same(one, { status: 200, isNew: true });
    test.equal(timeouts, 3, 'each time by the watchdog');
    // By then the canary, which the engine answers, may be too old as well.
    test.ok(missing?.includes('engine'), `said before it was killed: ${missing}`);
  },
  credentials: (test, { installed, served }) => test.equal(served, installed),
  'encrypted credentials': (test, { installed, served, isPlain, damaged, other }) => {
    test.equal(served, installed);
    test.notOk(isPlain);
    const refused = { isActive: false, ExecMainStatus: '243' }; // EXIT_CREDENTIALS
    test.match([damaged, other], [refused, refused]);
    test.not(damaged.code, 0);
  },
  'read-only root': (test, { isReadOnly, answer, writable, state, isOnData }) => {
    test.ok(isReadOnly, 'the guest is as it should be');
    test.equal(answer.status, 200);
    test.same(writable, [], 'nothing can be written');
    test.ok(state, 'but the state directory');
    test.ok(isOnData, "which the layer's mount unit puts on the data partition");
  },
};

const names = Object.keys(checks);
const chosen = process.env.SPLICED_GUEST_SCENARIOS?.split(',') ?? names;

/** One guest: its systemd, and which scenarios it runs. */
function judge(title: string, suite: string | undefined, wanted: readonly string[]): void {
  const { unable, directory } = prepareSystemd(suite);
  if (unable !== undefined) {
    t.test(title, { skip: unable }, () => {});
    return;
  }
  t.test(title, async (test) => {
    const work = mkdtempSync(join(tmpdir(), 'spliced-systemd-'));
    test.teardown(() => rmSync(work, { recursive: true, force: true }));
    const report = join(work, 'report.json');
    const main = 'test/guest/inside/systemd/main.mjs';
    const some = wanted.filter((name) => chosen.includes(name));
    const { code, output } = await runSystemdGuest({
      layers: [directory],
      memoryMib: 640, // The layer of a whole suite is in it.
      timeoutS,
      writable: work,
      command: [process.execPath, main, report, ...some],
    });
    test.equal(code, 0, 'the guest ran to its end') || test.comment(output);
    const read = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : { scenarios: {} };
    test.comment(`${read.systemd ?? 'no report'}`);
    for (const [name, check] of Object.entries(checks)) {
      if (!wanted.includes(name)) continue;
      if (!chosen.includes(name)) {
        test.test(name, { skip: 'not in SPLICED_GUEST_SCENARIOS' }, () => {});
        continue;
      }
      test.test(name, async (one) => {
        const result: Result = read.scenarios[name] ?? { error: `No report:\n${output}` };
        if (result.error === undefined) check(one, result);
        else one.fail(result.error);
        if (!one.passing()) one.comment(JSON.stringify(result, null, 1));
      });
    }
  });
}

judge('the shipped units', undefined, names);
judge('the shipped units, systemd 257', 'trixie', [
  'documented',
  'npm package',
  'start',
  'reload',
  'plain http',
  'encrypted credentials',
]);
