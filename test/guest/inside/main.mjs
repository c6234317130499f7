// SPDX-License-Identifier: Apache-2.0
// Runs the cases inside a guest, one after the other, and writes one report:
//   node test/guest/inside/main.mjs REPORT.json [CASE...]
// Started by matrix.test.ts through run-guest, in the project's directory.
import { writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { cases } from './cases.mjs';
import { makeFiles } from './guest.mjs';

const [reportPath, ...chosen] = process.argv.slice(2);
makeFiles();
const report = { release: release(), cases: {} };
for (const name of chosen.length > 0 ? chosen : Object.keys(cases)) {
  const startedMs = Date.now();
  try {
    report.cases[name] = await cases[name]();
  } catch (error) {
    report.cases[name] = { error: String(error?.stack ?? error) };
  }
  report.cases[name].durationMs = Date.now() - startedMs;
  const { outcomes, error } = report.cases[name];
  console.log(name, report.cases[name].durationMs, JSON.stringify(outcomes), error ?? '');
  writeFileSync(reportPath, JSON.stringify(report, null, 1)); // what a dead guest leaves behind
}
