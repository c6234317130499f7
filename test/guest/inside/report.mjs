// SPDX-License-Identifier: Apache-2.0
// Runs cases inside a guest, one after the other, and writes one report. Used by the scripts beside it.
import { writeFileSync } from 'node:fs';
import { release } from 'node:os';

/** `chosen` are names of `cases`, none: all. `between` is called before and after each. */
export async function runCases(reportPath, cases, chosen, between = () => {}) {
  const report = { release: release(), cases: {} };
  for (const name of chosen.length > 0 ? chosen : Object.keys(cases)) {
    const startedMs = Date.now();
    between();
    try {
      report.cases[name] = await cases[name]();
    } catch (error) {
      report.cases[name] = { error: String(error?.stack ?? error) };
    }
    between();
    report.cases[name].durationMs = Date.now() - startedMs;
    const { durationMs, outcomes, error } = report.cases[name];
    console.log(name, durationMs, JSON.stringify(outcomes), error ?? '');
    writeFileSync(reportPath, JSON.stringify(report, null, 1)); // what a dead guest leaves behind
  }
}
