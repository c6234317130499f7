// SPDX-License-Identifier: Apache-2.0
// One boot of the device of board.mjs, in a guest with systemd as PID 1:
//   node test/guest/inside/update/main.mjs STORE PHASE REPORT.json
// Started by update.test.ts through run-guest, once for each boot, in the project's directory.
import { readFileSync, writeFileSync } from 'node:fs';
import { run } from '../systemd/service.mjs';
import { phases } from './phases.mjs';

const [store, phase, reportPath] = process.argv.slice(2);
const report = { phase, bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() };
const save = () => writeFileSync(reportPath, JSON.stringify(report, null, 1));

/**
 * The manager signals everybody in our unit, and looks again until it finds nobody new (KillMode=control-group):
 * what we start at that moment may be ended too, and is started once more.
 */
function runWhole(command, ...args) {
  for (let attempts = 20; attempts > 0; attempts -= 1) {
    const result = run(command, ...args);
    if (result.code !== null) return result.stdout.split('\n');
  }
  throw new Error(`${command} was ended by a signal each time`);
}

const units = ['spliced', 'spliced-mark-good', 'spliced-reboot', 'rauc', 'swupdate'];
const journal = () => {
  const chosen = units.flatMap((unit) => ['--unit', unit]);
  const how = ['--no-pager', '--quiet', '--output=short-monotonic', '--lines=400'];
  return runWhole('journalctl', ...how, ...chosen);
};

// The device restarts: the manager stops us like everybody else.
process.on('SIGTERM', () => {
  report.jobs = runWhole('systemctl', 'list-jobs', '--no-legend', '--plain');
  report.journal = journal();
  save();
  process.exit(0);
});

try {
  await phases[phase](store, report, save);
} catch (error) {
  report.error = String(error?.stack ?? error);
}
report.journal = journal();
save();
