// SPDX-License-Identifier: Apache-2.0
// Runs the cases of several engines inside a guest with several CPUs, and writes one report:
//   node test/guest/inside/smp.mjs REPORT.json ROUNDS [CASE...]
// Started by smp.test.ts through run-smp, in the project's directory.
import { cases as guestCases } from './cases.mjs';
import { makeFiles } from './guest.mjs';
import { runCases } from './report.mjs';
import { sizes, cases as smpCases } from './smp-cases.mjs';

const [reportPath, roundsText, ...chosen] = process.argv.slice(2);
const rounds = Number(roundsText);
makeFiles(sizes);
const ofSeveral = Object.entries(smpCases).map(([name, run]) => [name, () => run(rounds)]);
const cases = { naive: guestCases.naive, ...Object.fromEntries(ofSeveral) };
await runCases(reportPath, cases, chosen);
