// SPDX-License-Identifier: Apache-2.0
// Runs the cases of the stand-in for CAAM inside a guest, and writes one report:
//   node test/guest/inside/standin.mjs MODULE REPORT.json [CASE...]
// Started by standin.test.ts through run-guest, in the project's directory.
import * as engine from './engine.mjs';
import { makeFiles } from './guest.mjs';
import { runCases } from './report.mjs';
import { cases } from './standin-cases.mjs';

const [module, reportPath, ...chosen] = process.argv.slice(2);
engine.load(module);
makeFiles();
await runCases(reportPath, cases, chosen, () => engine.set({}));
process.exit(0); // a case that failed may have left its server behind
