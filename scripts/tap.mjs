// SPDX-License-Identifier: Apache-2.0
// Runs compiled test files, each a process of its own that writes TAP (the `tap` package does when
// a file is started by node), and counts their test points. A file that dies, that runs into its
// time-out or that has no test point is a failure: silence never passes. Called by test.mjs.
import { spawn } from 'node:child_process';
import { basename } from 'node:path';

/** One tally for every suite; `skipped` holds { name, reason }, `failures` holds texts. */
export function newTally() {
  return { passed: 0, failures: [], skipped: [] };
}

const pointLine = /^( *)(not )?ok\b(?: (\d+))?(?: - )?(.*)$/;
const deeperNamesMax = 10;
const directive = /\s#\s*(SKIP|TODO)\b[:\s]*(.*?)\s*\{?$/i;

/**
 * Counts TAP text. The top-level points are the tests; a point skipped deeper inside is counted as
 * well, so that nothing skipped hides in a passing parent, and one that failed there is named.
 */
export function countTap(text, fileName) {
  const tally = newTally();
  let planned;
  let topLevel = 0;
  let deeper = [];
  for (const line of text.split('\n')) {
    const plan = /^1\.\.(\d+)/.exec(line);
    if (plan) planned = Number(plan[1]);
    if (/^Bail out!/.test(line)) tally.failures.push(`${fileName}: ${line}`);
    const point = pointLine.exec(line);
    if (!point) continue;
    const [, indent, not, , rest] = point;
    const mark = directive.exec(` ${rest}`);
    const name = rest.replace(/\s+#.*$/, '').trim() || 'unnamed';
    if (indent === '') topLevel += 1;
    if (mark) {
      const reason = mark[2] || (mark[1].toUpperCase() === 'TODO' ? 'marked as to do' : '');
      tally.skipped.push({ name: `${fileName}: ${name}`, reason: reason || 'no reason given' });
    } else if (indent === '') {
      if (not) tally.failures.push(`${fileName}: ${[name, ...deeper].join(': ')}`);
      else tally.passed += 1;
      deeper = [];
    } else if (not && deeper.length < deeperNamesMax) deeper.push(name);
  }
  if (planned === undefined) tally.failures.push(`${fileName}: ended before its plan`);
  else if (planned !== topLevel) tally.failures.push(`${fileName}: ${topLevel} of ${planned} ran`);
  if (topLevel === 0) tally.failures.push(`${fileName}: has no tests`);
  return tally;
}

// Each file leads a process group, so that whatever it started can be ended with it: a guest would
// otherwise go on for minutes after its test was given up.
const running = new Set();
const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

function endGroup({ pid }, signal) {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}

for (const [signal, code] of Object.entries(exitCodes)) {
  process.once(signal, () => {
    for (const child of running) endGroup(child, 'SIGTERM');
    process.exit(code);
  });
}

function runFile(path, { cwd, timeoutS, onLine, program = process.execPath }) {
  return new Promise((resolve) => {
    const child = spawn(program, ['--enable-source-maps', path], {
      cwd,
      env: { ...process.env, TAP_TIMEOUT: String(timeoutS), UV_USE_IO_URING: '0' },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    running.add(child);
    let output = '';
    let errors = '';
    let isOverdue = false;
    // The library ends its tests itself at TAP_TIMEOUT; this is for a file that cannot even do that.
    const timer = setTimeout(
      () => {
        isOverdue = true;
        endGroup(child, 'SIGKILL');
      },
      (timeoutS + 15) * 1000,
    );
    child.stdout.on('data', (data) => {
      output += data;
      onLine?.(String(data));
    });
    child.stderr.on('data', (data) => {
      errors += data;
    });
    child.on('error', (error) => {
      errors += error.message;
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      const tally = countTap(output, path);
      if (isOverdue) tally.failures.push(`${path}: killed after ${timeoutS + 15} s`);
      else if ((code !== 0 || signal) && tally.failures.length === 0) {
        tally.failures.push(`${path}: ended with ${signal ?? `exit code ${code}`}`);
      }
      if (tally.failures.length > 0) tally.output = `${output}${errors}`;
      resolve(tally);
    });
  });
}

/**
 * Runs the files by `program` (this Node), `jobs` at a time, and adds their tallies up; `onFile` hears of
 * each as it ends.
 */
export async function runTapFiles(
  paths,
  { cwd, jobs, timeoutS, onLine, onFile, program = process.execPath },
) {
  const total = newTally();
  const outputs = [];
  const queue = [...paths];
  const worker = async () => {
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
      const startedMs = Date.now();
      const tally = await runFile(path, { cwd, timeoutS, onLine, program });
      onFile?.(basename(path, '.js'), tally, ((Date.now() - startedMs) / 1000).toFixed(0));
      total.passed += tally.passed;
      total.failures.push(...tally.failures);
      total.skipped.push(...tally.skipped);
      if (tally.output) outputs.push(`--- ${path}\n${tally.output}`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  total.output = outputs.join('\n');
  return total;
}
