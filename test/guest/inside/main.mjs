// SPDX-License-Identifier: Apache-2.0
// Runs the cases inside a guest, one after the other, and writes one report:
//   node test/guest/inside/main.mjs REPORT.json [CASE...]
// Started by matrix.test.ts through run-guest, in the project's directory.
import { cases } from './cases.mjs';
import { makeFiles } from './guest.mjs';
import { runCases } from './report.mjs';

const [reportPath, ...chosen] = process.argv.slice(2);
makeFiles();
await runCases(reportPath, cases, chosen);
