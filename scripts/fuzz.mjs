// SPDX-License-Identifier: Apache-2.0
// `npm run fuzz [-- --runs N | --seconds S] [TARGET...]`: builds the fuzz targets (test/fuzz) and
// runs one after the other, S seconds (60) or N executions each. Ends with one line a target, their
// sum, and the inputs that broke something; docs/FUZZING.md says what to do with those.
import { spawnSync } from 'node:child_process';
import { mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectDir, runScript } from './setup.mjs';
import { ensurePackages, fuzzPackages, SetupError } from './system.mjs';

const directory = 'test/fuzz';
const outDir = join(projectDir, 'build/fuzz');

/** The variables of the Makefile, which alone knows the targets and their flags. */
function variable(name) {
  const text = readFileSync(join(projectDir, directory, 'Makefile'), 'utf8');
  return new RegExp(`^${name} := (.*)$`, 'm').exec(text)?.[1] ?? '';
}

function wholeNumber(text, option) {
  if (!/^[1-9]\d*$/.test(text))
    throw new SetupError(`--${option} needs a whole number: "${text}".`);
  return Number(text);
}

function parseOptions() {
  const options = { runs: { type: 'string' }, seconds: { type: 'string' } };
  const { values, positionals } = parseArgs({ allowPositionals: true, options });
  if (values.runs !== undefined && values.seconds !== undefined) {
    throw new SetupError('Give --runs or --seconds, not both.');
  }
  const known = variable('TARGETS').split(' ');
  const unknown = positionals.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new SetupError(`There is no target "${unknown}"; there are: ${known.join(', ')}.`);
  }
  const bound =
    values.runs === undefined
      ? `-max_total_time=${wholeNumber(values.seconds ?? '60', 'seconds')}`
      : `-runs=${wholeNumber(values.runs, 'runs')}`;
  return { bound, targets: positionals.length > 0 ? positionals : known };
}

/** Runs one target. What it prints goes to build/fuzz/TARGET.log. */
function fuzz(target, bound) {
  const corpus = join(outDir, 'corpus', target);
  mkdirSync(corpus, { recursive: true });
  const logPath = join(outDir, `${target}.log`);
  const log = openSync(logPath, 'w');
  const flags = variable(`${target}_FLAGS`).split(' ').filter(Boolean);
  const artifacts = `-artifact_prefix=${join(outDir, `${target}-`)}`;
  const own = [bound, '-timeout=10', '-print_final_stats=1', artifacts, ...flags];
  const { status } = spawnSync(join(outDir, target), [...own, corpus, `corpus/${target}`], {
    cwd: join(projectDir, directory),
    stdio: ['ignore', log, log],
  });
  const text = readFileSync(logPath, 'utf8');
  const figure = (name) => Number(new RegExp(`stat::${name}: +(\\d+)`).exec(text)?.[1] ?? 0);
  return {
    isClean: status === 0,
    executions: figure('number_of_executed_units'),
    perSecond: figure('average_exec_per_sec'),
    coverage: /DONE\s+cov: (\d+)/.exec(text)?.[1] ?? '?',
    logPath,
  };
}

await runScript(async () => {
  const { bound, targets } = parseOptions();
  ensurePackages(fuzzPackages);
  const build = spawnSync(
    'make',
    ['-s', '-C', directory, ...targets.map((name) => `../../build/fuzz/${name}`)],
    { cwd: projectDir, stdio: ['ignore', 2, 2] },
  );
  if (build.status !== 0) throw new SetupError('The fuzz targets could not be built.');
  let executions = 0;
  let isClean = true;
  for (const target of targets) {
    const result = fuzz(target, bound);
    executions += result.executions;
    isClean &&= result.isClean;
    const { perSecond, coverage, logPath } = result;
    const end = result.isClean ? 'nothing found' : `BROKEN: see ${logPath}`;
    console.log(
      `${target}: ${result.executions} executions, ${perSecond}/s, coverage ${coverage}; ${end}`,
    );
  }
  console.log(`${executions} executions in all`);
  const found = readdirSync(outDir).filter((name) => /-(crash|timeout|oom|leak)-/.test(name));
  for (const name of found) console.log(`input that broke something: ${join(outDir, name)}`);
  return isClean ? 0 : 1;
});
