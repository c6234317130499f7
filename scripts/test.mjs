// SPDX-License-Identifier: Apache-2.0
// `npm test [-- --only SUITE] [--no-skip] [PART-OF-A-FILE-NAME]`: sets up, runs every suite in order,
// one line each, and ends with exactly `N passed, N failed, N skipped`. The exit code is 0 when
// nothing failed. With CI=true or --no-skip a skipped test of cross, guest or board is a failure.
// The suites: static native unit nodes (contract tests and a guest with other releases of Node) cross guest
// board, and long ones that run only when they are asked for: all-nodes (all contract tests and more in guests,
// `npm run test:nodes`), boards (every emulated board, `npm run test:boards`), caam (with a model of the
// engine, `npm run test:caam`), kernel (the patch of net/tls, `npm run test:kernel`), release (built twice,
// with the same bytes, `npm run test:release`), smp (several engines
// on several CPUs, all of it, `npm run test:smp`); and quick, a part of native and unit that answers
// within minutes (`npm run test:quick`).
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import { targets } from '../cross/targets.mjs';
import { checks, runCheck } from './check.mjs';
import { compileTests } from './compile.mjs';
import { ensureForeignNode } from './foreign-node.mjs';
import {
  allFiles,
  ensureDebianNode,
  ensureOfficialNode,
  someFiles,
  versions,
} from './official-nodes.mjs';
import { makePackage } from './pack.mjs';
import { ensureCrossTools } from './prebuild.mjs';
import { listFiles, projectDir, runScript, setUp } from './setup.mjs';
import {
  emulationPackages,
  ensurePackages,
  fuzzPackages,
  kernelPackages,
  modelPackages,
  SetupError,
  testPackages,
  which,
} from './system.mjs';
import { newTally, runTapFiles } from './tap.mjs';

const suiteNames = ['static', 'native', 'unit', 'nodes', 'cross', 'guest', 'board'];
const allSuiteNames = [
  'quick',
  ...suiteNames,
  'all-nodes',
  'boards',
  'caam',
  'kernel',
  'release',
  'smp',
];
const outputCharsMax = 20_000;
const matrixFile = 'test/guest/matrix.test.ts';

function staticSuite() {
  const tally = newTally();
  const outputs = [];
  for (const check of checks) {
    const { name, isOk, output } = runCheck(check);
    if (isOk) tally.passed += 1;
    else {
      tally.failures.push(`${name} (npm run check)`);
      outputs.push(`--- ${name}\n${output}`);
    }
  }
  return { ...tally, output: outputs.join('\n') };
}

/** Directories beneath test/ whose Makefile has the given target, sorted by name. */
function makeDirectories(target) {
  const directories = readdirSync(join(projectDir, 'test'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join('test', entry.name));
  return directories.sort().filter((directory) => {
    const makefile = join(projectDir, directory, 'Makefile');
    return (
      existsSync(makefile) && new RegExp(`^${target}:`, 'm').test(readFileSync(makefile, 'utf8'))
    );
  });
}

/** Counts doctest's summaries; a make that fails without a failed case is one failure. */
function runMake(directory, target) {
  const tally = newTally();
  const result = spawnSync('make', ['-C', directory, '-j2', target], {
    cwd: projectDir,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    timeout: 900_000,
  });
  const output = stripVTControlCharacters(`${result.stdout ?? ''}${result.stderr ?? ''}`);
  const summary =
    /\[doctest\] test cases:\s*\d+\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed\s*\|\s*(\d+) skipped/g;
  for (const [, passed, failed, skipped] of output.matchAll(summary)) {
    tally.passed += Number(passed);
    if (Number(failed) > 0) {
      for (let i = 0; i < Number(failed); i += 1) tally.failures.push(`${directory}: a test case`);
    }
    for (let i = 0; i < Number(skipped); i += 1) {
      const reason = `not run by its suite; run it with: make -C ${directory} ${target}`;
      tally.skipped.push({ name: `${directory}: a test case`, reason });
    }
  }
  if (result.status !== 0 && tally.failures.length === 0) {
    const how = result.error?.message ?? `exit code ${result.status}`;
    tally.failures.push(`make -C ${directory} ${target}: ${how}`);
  }
  return { ...tally, output: tally.failures.length > 0 ? output : '' };
}

function fuzzSmoke(directory) {
  if (process.getuid?.() === 0 && which('apt-get')) ensurePackages(fuzzPackages);
  if (!fuzzPackages.every((entry) => entry.present())) {
    const names = fuzzPackages.map(({ name }) => name).join(' ');
    const reason = `libFuzzer is missing; enable it with: apt-get install -y ${names}`;
    return { ...newTally(), skipped: [{ name: `${directory}: run`, reason }] };
  }
  const tally = runMake(directory, 'run');
  if (tally.failures.length === 0 && tally.passed === 0) tally.passed = 1;
  return tally;
}

function nativeSuite() {
  const parts = [];
  for (const directory of makeDirectories('check')) {
    const tally = runMake(directory, 'check');
    if (tally.passed + tally.failures.length === 0) {
      tally.failures.push(`make -C ${directory} check: reported no test cases`);
    }
    parts.push(tally);
  }
  parts.push(...makeDirectories('run').map(fuzzSmoke));
  if (parts.length === 0) parts.push({ ...newTally(), failures: ['test/native has no Makefile'] });
  return addUp(parts);
}

function testSources(directories, wanted) {
  return listFiles(...directories).filter(
    (path) =>
      path.endsWith('.test.ts') &&
      (wanted.length === 0 || wanted.some((part) => path.includes(part))),
  );
}

async function tapSuite(
  directories,
  { jobs, timeoutS, onLine, onFile, wanted, except = [], program },
) {
  const sources = testSources(directories, wanted).filter((path) => !except.includes(path));
  if (sources.length === 0) {
    const failures = wanted.length === 0 ? [`${directories.join(', ')}: no test files`] : [];
    return { ...newTally(), failures };
  }
  const compiled = await compileTests(projectDir, sources);
  return runTapFiles(compiled, { cwd: projectDir, jobs, timeoutS, onLine, onFile, program });
}

/** Real kernels take minutes in all: each file is shown as it ends, and on a terminal each test. */
async function kernelSuite(directories, { jobs = 1, timeoutS, mustNotSkip, wanted, except }) {
  const onLine = process.stderr.isTTY ? (text) => process.stderr.write(text) : undefined;
  const onFile = (name, { passed, failures, skipped }, seconds) =>
    console.log(
      `  ${name}: ${passed} passed, ${failures.length} failed, ${skipped.length} skipped (${seconds} s)`,
    );
  const tally = await tapSuite(directories, { jobs, timeoutS, onLine, onFile, wanted, except });
  return mustNotSkip ? withoutSkips(tally) : tally;
}

function withoutSkips(tally) {
  const refused = tally.skipped.map(({ name, reason }) => `${name}: skipped (${reason})`);
  return { ...tally, failures: [...tally.failures, ...refused], skipped: [] };
}

/** Runs `ensure`; where this machine cannot, the tally of a suite that is skipped for that reason. */
function skippedUnless(ensure, name, mustNotSkip) {
  try {
    ensure();
    return undefined;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    const reason = error.message.trim().replaceAll(/\s*\n\s*/g, '; ');
    const tally = { ...newTally(), skipped: [{ name, reason }] };
    return mustNotSkip ? withoutSkips(tally) : tally;
  }
}

async function crossSuite(mustNotSkip, wanted) {
  if (testSources(['test/cross'], wanted).length === 0) return newTally();
  const ensure = () => {
    ensureCrossTools();
    ensurePackages(emulationPackages);
    for (const target of targets) if (target.emulator) ensureForeignNode(target);
  };
  const skipped = skippedUnless(ensure, 'test/cross', mustNotSkip);
  if (skipped) return skipped;
  try {
    await makePackage();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return { ...newTally(), failures: ['npm run pack'], output: error.message };
  }
  return tapSuite(['test/cross'], { jobs: 1, timeoutS: 300, wanted });
}

/** The addon that is here, under the other releases of Node that devices ship. */
async function nodesSuite(files, mustNotSkip, wanted) {
  const directories = ['test/nodes', 'test/contract', 'test/guest'];
  const chosen = testSources(directories, files).filter(
    (path) => wanted.length === 0 || wanted.some((part) => path.includes(part)),
  );
  if (chosen.length === 0) return newTally();
  const parts = [];
  const run = async (name, program) => {
    const options = { jobs: 2, timeoutS: 600, wanted: chosen, program };
    const tally = await tapSuite(directories, options);
    const failures = tally.failures.map((failure) => `Node ${name}: ${failure}`);
    console.log(`  Node ${name}: ${tally.passed} passed, ${failures.length} failed`);
    parts.push(mustNotSkip ? withoutSkips({ ...tally, failures }) : { ...tally, failures });
  };
  const runIfThere = async (name, ensureProgram) => {
    let program;
    const ensure = () => {
      program = ensureProgram();
    };
    const skipped = skippedUnless(ensure, `Node ${name}`, mustNotSkip);
    if (skipped) parts.push(skipped);
    else await run(name, program);
  };
  for (const version of versions) await runIfThere(version, () => ensureOfficialNode(version));
  await runIfThere('of Debian', ensureDebianNode);
  return addUp(parts);
}

async function boardSuite(directories, { packages = [], timeoutS, mustNotSkip, wanted }) {
  if (testSources(directories, wanted).length === 0) return newTally();
  const ensure = () => {
    ensureCrossTools();
    ensurePackages(packages);
  };
  const skipped = skippedUnless(ensure, directories.join(' '), mustNotSkip);
  return skipped ?? kernelSuite(directories, { timeoutS, mustNotSkip, wanted });
}

async function longGuestSuite(directories, packages, mustNotSkip, wanted) {
  if (testSources(directories, wanted).length === 0) return newTally();
  const skipped = skippedUnless(() => ensurePackages(packages), directories.join(' '), mustNotSkip);
  return skipped ?? kernelSuite(directories, { timeoutS: 7200, mustNotSkip, wanted });
}

function addUp(tallies) {
  const total = newTally();
  for (const tally of tallies) {
    total.passed += tally.passed;
    total.failures.push(...tally.failures);
    total.skipped.push(...tally.skipped);
  }
  return { ...total, output: tallies.map((tally) => tally.output ?? '').join('') };
}

function parseOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: 'string', multiple: true }, 'no-skip': { type: 'boolean' } },
  });
  const only = values.only ?? suiteNames;
  const unknown = only.find((name) => !allSuiteNames.includes(name));
  if (unknown !== undefined) {
    throw new SetupError(`There is no suite "${unknown}"; there are: ${allSuiteNames.join(', ')}.`);
  }
  return {
    only,
    wanted: positionals,
    mustNotSkip: values['no-skip'] === true || process.env.CI === 'true',
  };
}

function report(total) {
  for (const { name, reason } of total.skipped) console.log(`skipped: ${name} (${reason})`);
  for (const failure of total.failures) console.log(`failed: ${failure}`);
  const counts = [total.passed, total.failures.length, total.skipped.length];
  console.log(`${counts[0]} passed, ${counts[1]} failed, ${counts[2]} skipped`);
  return total.failures.length === 0 ? 0 : 1;
}

await runScript(async () => {
  const { only, wanted, mustNotSkip } = parseOptions();
  await setUp(testPackages);
  const board = { timeoutS: 1800, mustNotSkip, wanted };
  const suites = {
    quick: async () =>
      addUp([
        runMake('test/native', 'quick'),
        await tapSuite(['test/unit'], { jobs: 2, timeoutS: 240, wanted }),
      ]),
    static: staticSuite,
    native: nativeSuite,
    unit: () =>
      tapSuite(['test/unit', 'test/cli', 'test/contract', 'test/ui'], {
        jobs: 2,
        timeoutS: 240,
        wanted,
      }),
    nodes: () => nodesSuite(someFiles, mustNotSkip, wanted),
    'all-nodes': () => nodesSuite(allFiles, mustNotSkip, wanted),
    cross: () => crossSuite(mustNotSkip, wanted),
    guest: async () => {
      const options = { timeoutS: 1500, mustNotSkip, wanted };
      const jobs = Math.min(2, availableParallelism());
      // Two guests at a time, each with a CPU of its own (test/guest/lab/run-guest). The matrix runs
      // two by itself.
      const matrix = await kernelSuite([matrixFile], options);
      const others = await kernelSuite(['test/guest'], { ...options, jobs, except: [matrixFile] });
      return addUp([matrix, others]);
    },
    // The quickest of the boards, and all of them.
    board: () => boardSuite(['test/board/virt-arm64.test.ts'], board),
    boards: () => boardSuite(['test/board'], board),
    // The first of them builds QEMU.
    caam: () => boardSuite(['test/caam'], { ...board, packages: modelPackages, timeoutS: 3600 }),
    // Builds kernels.
    kernel: () => longGuestSuite(['test/kernel'], kernelPackages, mustNotSkip, wanted),
    // Builds everything twice.
    release: () => boardSuite(['test/release'], { ...board, timeoutS: 3600 }),
    smp: () => longGuestSuite(['test/smp'], [], mustNotSkip, wanted),
  };
  const tallies = [];
  for (const name of allSuiteNames.filter((suite) => only.includes(suite))) {
    const startedMs = Date.now();
    const tally = await suites[name]();
    const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
    const { passed, failures, skipped, output } = tally;
    console.log(
      `${name}: ${passed} passed, ${failures.length} failed, ${skipped.length} skipped (${seconds} s)`,
    );
    if (failures.length > 0 && output) console.log(output.slice(-outputCharsMax));
    tallies.push(tally);
  }
  const total = addUp(tallies);
  if (total.passed + total.failures.length + total.skipped.length === 0) {
    total.failures.push(`no test file has a name with ${wanted.join(' or ')}`);
  }
  return report(total);
});
