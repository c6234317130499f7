// SPDX-License-Identifier: Apache-2.0
// The report: 80 columns, colour, JSON and exit codes.

import t from 'tap';
import type { Finding, Level } from '../../../src/doctor/board.js';
import { conditions, judge } from '../../../src/doctor/experiment.js';
import {
  exitCodeOf,
  type Report,
  toJson,
  toText,
  wantsColour,
  wrap,
} from '../../../src/doctor/report.js';

const finding = (level: Level, id = 'kernel.version', more: Partial<Finding> = {}): Finding => ({
  id,
  level,
  title: `what is ${level}`,
  detail: '',
  ...more,
});

const half = {
  complete: 10,
  truncated: 22,
  failed: 0,
  unfinished: 0,
  notPromoted: 0,
  missingBytes: 697_574,
  missingBytesMax: 45_113,
  durationMs: 2_214,
};
const experiment = {
  conditions,
  naive: half,
  spliced: {
    ...half,
    complete: 32,
    truncated: 0,
    missingBytes: 0,
    missingBytesMax: 0,
    promoted: 32,
    aborted: 0,
    pendingBytesMax: 180_000,
  },
};

const report = (findings: Finding[], more: Partial<Report> = {}): Report => ({
  schema: 1,
  version: '0.1.0',
  machine: { model: 'NXP i.MX8MPlus EVK board', kernel: '6.12.101', architecture: 'arm64' },
  findings,
  experiment: null,
  benchmark: null,
  cipherCheck: null,
  ...more,
});

t.test('exit codes', async (t) => {
  t.equal(exitCodeOf([]), 0);
  t.equal(exitCodeOf([finding('ok'), finding('info')]), 0);
  t.equal(exitCodeOf([finding('ok'), finding('warning')]), 3);
  t.equal(exitCodeOf([finding('problem'), finding('warning')]), 1);
});

t.test('text', async (t) => {
  const detail = 'word '.repeat(60).trim();
  const findings = [
    finding('ok', 'kernel.version', { detail: 'not shown' }),
    finding('problem', 'kernel.tls', { detail, advice: detail }),
    finding('warning', 'limits.memory'),
  ];
  const text = toText(report(findings), 80, false);
  for (const line of text.split('\n')) t.ok(line.length <= 80, line);
  t.match(text, /^spliced 0\.1\.0 on NXP i\.MX8MPlus EVK board, Linux 6\.12\.101 arm64\n/);
  t.match(
    text,
    '\nKernel\n  ok       what is ok\n  PROBLEM  what is problem\n           word word',
  );
  t.match(text, '\n           -> word');
  t.match(text, '\n\nLimits\n  WARNING  what is warning\n');
  t.match(text, /\n1 problem, 1 warning, 0 notes, 1 ok\n$/);
  t.notMatch(text, 'not shown');
  t.notMatch(text, '\x1b');
  t.match(toText(report(findings), 80, true), '\x1b[1;31mPROBLEM  \x1b[0mwhat is problem');
  const narrow = toText(report(findings), 10, false);
  t.ok(
    narrow.split('\n').every((line) => line.length <= 40),
    'a width that makes no sense',
  );
});

t.test('colour', async (t) => {
  t.ok(wantsColour(true, { TERM: 'vt220' }));
  t.ok(wantsColour(true, { NO_COLOR: '' }));
  t.notOk(wantsColour(true, { NO_COLOR: '1' }));
  t.notOk(wantsColour(true, { TERM: 'dumb' }));
  t.notOk(wantsColour(false, { TERM: 'vt220' }));
});

t.test('what firmware calls itself cannot steer the terminal', async (t) => {
  const machine = { model: 'evil\x1b[2Jboard', kernel: '6.1', architecture: 'arm' };
  t.notMatch(toText(report([finding('ok')], { machine }), 80, false), '\x1b');
  t.same(wrap('a\x07b  c\0', 9), ['a\\u0007b', 'c']);
  t.same(wrap('', 10), []);
  t.same(wrap('a-very-long-word ok', 6), ['a-very-long-word', 'ok']);
});

t.test('the experiment, side by side', async (t) => {
  const text = toText(report(judge(experiment), { experiment }), 80, false);
  t.match(text, '    truncated                         22             0\n');
  t.match(text, '    bytes lost                    697574             0\n');
  t.match(text, 'truncated 22 of');
  t.match(text, 'ok       spliced delivered 32 of 32 downloads whole');
  for (const line of text.split('\n')) t.ok(line.length <= 80, line);
});

t.test('JSON', async (t) => {
  const findings = [finding('warning', 'kernel.tls', { advice: 'do' })];
  t.same(JSON.parse(toJson(report(findings, { experiment }))), {
    schema: 1,
    version: '0.1.0',
    machine: { model: 'NXP i.MX8MPlus EVK board', kernel: '6.12.101', architecture: 'arm64' },
    exitCode: 3,
    summary: { ok: 0, info: 0, warning: 1, problem: 0 },
    experiment,
    benchmark: null,
    cipherCheck: null,
    findings: [
      { id: 'kernel.tls', level: 'warning', title: 'what is warning', detail: '', advice: 'do' },
    ],
  });
});
