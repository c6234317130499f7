// SPDX-License-Identifier: Apache-2.0
// The record of which process serves: written, ended, and a word in the log when another service has
// the same state directory.

import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { isRunning, RunRecord, readRunState } from '../../../src/daemon/run-record.js';
import { noHousekeeping } from '../../../src/files/housekeeping.js';
import type { Log } from '../../../src/log/log.js';

function logged(): { log: Log; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  return { log: { warn: (line: Record<string, unknown>) => lines.push(line) } as never, lines };
}

t.test('a run from its beginning to its end', async (t) => {
  const stateDir = join(t.testdir(), 'state');
  t.equal(readRunState(stateDir), undefined);
  const { log, lines } = logged();
  const record = new RunRecord(stateDir, [], log, noHousekeeping);
  const running = readRunState(stateDir);
  t.match(running, { pid: process.pid, ended: undefined });
  t.ok(running && isRunning(running));
  record.finish({ isClean: true, figures: { requests: 1 } });
  t.match(readRunState(stateDir), { ended: { isClean: true, figures: { requests: 1 } } });
  new RunRecord(stateDir, [], log, noHousekeeping);
  t.same(lines, [], 'after an end, or as the same process, there is nothing to say');
});

t.test('another one that runs, and one that does not', async (t) => {
  const stateDir = t.testdir();
  const other = spawn('sleep', ['60']);
  t.teardown(() => other.kill());
  const stat = readFileSync(`/proc/${other.pid}/stat`, 'utf8');
  const startTicks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  const write = (state: object): void =>
    writeFileSync(join(stateDir, 'service.json'), JSON.stringify(state));
  const said = (state: object): Record<string, unknown>[] => {
    write(state);
    const { log, lines } = logged();
    new RunRecord(stateDir, [], log, noHousekeeping);
    return lines;
  };
  const running = { pid: other.pid, startTicks };
  t.match(said(running), [{ event: 'state_dir_shared', pid: other.pid, stateDir }]);
  t.match(readRunState(stateDir), { pid: process.pid }, 'the newer one counts');
  t.same(said({ ...running, startTicks: '1' }), [], 'the pid of another process');
  t.same(said({ ...running, ended: { isClean: true, figures: {} } }), [], 'it has ended');
});
