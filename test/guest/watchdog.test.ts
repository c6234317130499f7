// SPDX-License-Identifier: Apache-2.0
// A real systemd with WatchdogSec= in a guest: a busy service is left alone; one that is stopped, or
// whose engine or event loop is frozen, is killed and started again. inside/watchdog.mjs does it.

import { spawnSync } from 'node:child_process';
import t from 'tap';
import { prepare } from './host/prepare.js';

interface Killed {
  restarts: number;
  tookMs: number;
  isServing: boolean;
}

interface Report {
  periodMs: number;
  idle: { isSame: boolean; status: Record<string, Record<string, unknown>> };
  busy: { isSame: boolean; requests: number };
  stopped: Killed;
  engine: Killed;
  eventLoop: Killed;
  systemd: number;
  log: { priority: number; level: string; event: string; missing?: string[] }[];
  stop: { result: string; hadPid: boolean };
}

const priorities: Record<string, number> = { fatal: 2, error: 3, warn: 4, info: 6 };

const unable = prepare();
t.test('systemd and the watchdog', { skip: unable ?? false }, async (t) => {
  const guest = ['-S', '-k', '6.12', '-a', '-M', 'tls', '-m', '1024', '-t', '300'];
  const command = [process.execPath, 'test/guest/inside/watchdog.mjs'];
  const { status, stdout, stderr } = spawnSync(
    'test/guest/lab/run-guest',
    [...guest, '--', ...command],
    { encoding: 'utf8' },
  );
  if (!t.equal(status, 0, 'the guest ran to its end')) return t.comment(stdout + stderr);
  const report = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Report;

  t.ok(report.idle.isSame, 'an idle service is not killed');
  const { canary, watchdog, offload } = report.idle.status;
  t.match(canary, { failed: 0, lastCipher: 'kernel' }, 'the canary goes through kernel TLS');
  t.match(watchdog, { periodMs: report.periodMs, withheld: 0 });
  t.match(offload?.driver, { async: true });
  t.ok(report.busy.isSame, `nor one that answered ${report.busy.requests} requests under load`);
  t.ok(report.busy.requests > 0);

  for (const name of ['stopped', 'engine', 'eventLoop'] as const) {
    const { restarts, tookMs, isServing } = report[name];
    t.equal(restarts, 1, `${name}: killed and started again, after ${tookMs} ms`);
    t.ok(isServing, `${name}: serves again`);
  }
  t.equal(report.systemd, 3, 'by the watchdog each time');
  const withheld = report.log.filter(({ event }) => event === 'watchdog_withheld');
  t.match(withheld, [{ priority: 3 }], 'only the engine could still be told');
  t.ok(withheld[0]?.missing?.includes('engine'), `${withheld[0]?.missing}`);
  t.ok(report.log.length > 10);
  for (const { priority, level } of report.log) t.equal(priority, priorities[level], level);
  t.match(report.stop, { result: 'success', hadPid: true });
});
