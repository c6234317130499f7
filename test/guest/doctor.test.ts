// SPDX-License-Identifier: Apache-2.0
// `spliced doctor --reproduce` where the loss is real: Linux 6.12 with an asynchronous cipher. The
// naive close truncates, ours does not. Only what a kernel cannot but do is asserted, no numbers.

import { spawnSync } from 'node:child_process';
import t from 'tap';
import type { HalfFigures } from '../../src/doctor/experiment.js';
import { prepare } from './host/prepare.js';

interface Report {
  schema: number;
  machine: { kernel: string };
  exitCode: number;
  summary: Record<string, number>;
  findings: { id: string; level: string; title: string }[];
  experiment: {
    conditions: { downloads: number };
    naive: HalfFigures;
    spliced: HalfFigures & { promoted: number; aborted: number; pendingBytesMax: number };
  };
}

/** Exit code and text of the command in a guest of its own. */
function doctor(...options: string[]) {
  const guest = ['-k', '6.12', '-a', '-M', 'tls', '-m', '768', '-t', '180'];
  const command = [process.execPath, 'dist/cli.js', 'doctor', '--reproduce', ...options];
  return spawnSync('test/guest/lab/run-guest', [...guest, '--', ...command], { encoding: 'utf8' });
}

const unable = prepare();
t.test('--json', { skip: unable ?? false }, async (t) => {
  const { status, stdout, stderr } = doctor('--json');
  const json = stdout.slice(stdout.indexOf('{'), stdout.lastIndexOf('}') + 1);
  if (!t.match(json, /^\{/, 'one object')) return t.comment(stdout + stderr);
  const report = JSON.parse(json) as Report;
  t.equal(report.schema, 1);
  t.equal(report.exitCode, status, 'the exit code is in it');
  t.match(report.machine.kernel, /^6\.12/);
  const { conditions, naive, spliced } = report.experiment;
  const { downloads } = conditions;
  t.equal(naive.notPromoted, 0, 'the naive server has kernel TLS, too');
  t.ok(naive.truncated > 0, `naive: ${naive.truncated} of ${downloads} truncated`);
  t.ok(naive.missingBytes > 0 && naive.missingBytesMax > 0);
  const sum = (half: HalfFigures) => half.complete + half.truncated + half.failed + half.unfinished;
  t.equal(sum(naive), downloads);
  t.match(spliced, { complete: downloads, truncated: 0, failed: 0, unfinished: 0 });
  t.match(spliced, { missingBytes: 0, promoted: downloads, aborted: 0 });
  t.ok(spliced.pendingBytesMax > 0, 'the cipher was asynchronous: something was pending');
  const found = report.findings.filter(({ id }) => id.startsWith('experiment'));
  t.same(found.map(({ level }) => level).sort(), ['info', 'ok']);
});

t.test('in words', { skip: unable ?? false }, async (t) => {
  const { stdout, stderr } = doctor();
  const row = (name: string): number[] =>
    (new RegExp(`^ *${name} +(\\d+) +(\\d+)$`, 'm').exec(stdout) ?? []).slice(1).map(Number);
  const [naive = 0, ours] = row('truncated');
  t.ok(naive > 0) || t.comment(stdout + stderr);
  t.equal(ours, 0);
  t.equal(row('bytes lost')[1], 0);
  t.match(stdout, /downloads whole/);
});
