// SPDX-License-Identifier: Apache-2.0
// Runs the cases of the stand-in for CAAM inside a guest, and writes one report:
//   node test/guest/inside/standin.mjs MODULE REPORT.json [CASE...]
// Started by standin.test.ts through run-guest, in the project's directory.
import { writeFileSync } from 'node:fs';
import { release } from 'node:os';
import * as engine from './engine.mjs';
import { makeFiles } from './guest.mjs';
import { cases } from './standin-cases.mjs';

const [module, reportPath, ...chosen] = process.argv.slice(2);
engine.load(module);
makeFiles();
const report = { release: release(), cases: {} };
for (const name of chosen.length > 0 ? chosen : Object.keys(cases)) {
  const startedMs = Date.now();
  engine.set({});
  try {
    report.cases[name] = await cases[name]();
  } catch (error) {
    report.cases[name] = { error: String(error?.stack ?? error) };
  }
  engine.set({});
  report.cases[name].durationMs = Date.now() - startedMs;
  console.log(name, report.cases[name].durationMs, report.cases[name].error ?? '');
  writeFileSync(reportPath, JSON.stringify(report, null, 1)); // what a dead guest leaves behind
}
process.exit(0); // a case that failed may have left its server behind
