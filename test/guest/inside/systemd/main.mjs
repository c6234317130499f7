// SPDX-License-Identifier: Apache-2.0
// Runs the scenarios inside a guest with systemd as PID 1, one after the other, into one report:
//   node test/guest/inside/systemd/main.mjs REPORT.json [SCENARIO...]
// Started by systemd.test.ts through run-guest, in the project's directory.
import { writeFileSync } from 'node:fs';
import { reset, scenarios } from './scenarios.mjs';
import { install, must, run, unit } from './service.mjs';

const journalLinesKept = 60;

const [reportPath, ...chosen] = process.argv.slice(2);
install();
const report = { systemd: must('systemctl', '--version').split('\n')[0], scenarios: {} };
for (const name of chosen.length > 0 ? chosen : Object.keys(scenarios)) {
  const startedMs = Date.now();
  try {
    await reset();
    report.scenarios[name] = await scenarios[name]();
  } catch (error) {
    const lines = ['--no-pager', '--output=short-monotonic', '--lines', String(journalLinesKept)];
    const { stdout } = run('journalctl', ...lines, `--unit=${unit}`);
    report.scenarios[name] = { error: String(error?.stack ?? error), journal: stdout };
  }
  report.scenarios[name].durationMs = Date.now() - startedMs;
  console.log(name, report.scenarios[name].durationMs, report.scenarios[name].error ?? '');
  writeFileSync(reportPath, JSON.stringify(report, null, 1)); // what a dead guest leaves behind
}
