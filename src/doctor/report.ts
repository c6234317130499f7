// SPDX-License-Identifier: Apache-2.0
// Findings as text for a serial console of 80 columns, or as JSON; and the exit code. The JSON is
// an interface: fields are added, never renamed or removed, while `schema` stays the same.

import { visible } from '../base/visible.js';
import type { Benchmark } from './benchmark.js';
import { benchmarkLines } from './benchmark-report.js';
import type { Finding, Level } from './board.js';
import type { CipherCheck } from './cipher-check.js';
import type { Experiment } from './experiment.js';

export interface Report {
  schema: 1;
  version: string;
  machine: { model: string; kernel: string; architecture: string };
  findings: Finding[];
  experiment: Experiment | null;
  benchmark: Benchmark | null;
  cipherCheck: CipherCheck | null;
}

export const exitOk = 0;
export const exitProblems = 1;
export const exitWarnings = 3;

const widthMax = 80;
const levelWords: Readonly<Record<Level, string>> = {
  ok: 'ok',
  info: 'note',
  warning: 'WARNING',
  problem: 'PROBLEM',
};
const colours: Readonly<Record<Level, string>> = {
  ok: '\x1b[32m',
  info: '\x1b[36m',
  warning: '\x1b[33m',
  problem: '\x1b[1;31m',
};
const endOfColour = '\x1b[0m';

const groupTitles: Readonly<Record<string, string>> = {
  kernel: 'Kernel',
  cipher: 'Encryption',
  caam: 'CAAM crypto engine',
  ring: 'io_uring',
  limits: 'Limits',
  machine: 'Randomness and clock',
  certificate: 'Certificate',
  runtime: 'Program',
  experiment: 'Experiment',
  benchmark: 'Benchmark',
  'cipher-check': 'Check of the cipher',
};

export function countLevels(findings: readonly Finding[]): Record<Level, number> {
  const counts: Record<Level, number> = { ok: 0, info: 0, warning: 0, problem: 0 };
  for (const { level } of findings) counts[level] += 1;
  return counts;
}

export function exitCodeOf(findings: readonly Finding[]): number {
  const { warning, problem } = countLevels(findings);
  if (problem > 0) return exitProblems;
  return warning > 0 ? exitWarnings : exitOk;
}

export function toJson(report: Report): string {
  const { findings, ...rest } = report;
  const head = { ...rest, exitCode: exitCodeOf(findings), summary: countLevels(findings) };
  return `${JSON.stringify({ ...head, findings }, undefined, 2)}\n`;
}

/** https://no-color.org: any value but an empty one. */
export function wantsColour(
  isTerminal: boolean,
  { NO_COLOR, TERM }: Readonly<Record<string, string | undefined>>,
): boolean {
  return isTerminal && !NO_COLOR && TERM !== 'dumb';
}

/** Lines of at most `width` columns. A word that is longer has a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  // Names that come from the board's firmware must not steer the terminal.
  for (const word of visible(text.replaceAll(/[\s\0]+/g, ' ').trim()).split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  if (line !== '') lines.push(line);
  return lines;
}

const indent = 11;

function block(text: string, width: number, mark = ''): string[] {
  const pad = ' '.repeat(indent);
  return wrap(text, width - indent - mark.length).map((line, index) =>
    `${pad}${index === 0 ? mark : ' '.repeat(mark.length)}${line}`.trimEnd(),
  );
}

function findingLines(finding: Finding, width: number, hasColour: boolean): string[] {
  const { level, title, detail, advice } = finding;
  const word = levelWords[level].padEnd(indent - 2);
  const shown = hasColour ? `${colours[level]}${word}${endOfColour}` : word;
  const [first = '', ...rest] = block(title, width);
  const lines = [`  ${shown}${first.slice(indent)}`, ...rest];
  if (level !== 'ok' && detail !== '') lines.push(...block(detail, width));
  if (advice !== undefined) lines.push(...block(advice, width, '-> '));
  return lines;
}

function experimentLines({ conditions, naive, spliced }: Experiment): string[] {
  const size = (conditions.bodyBytes / 1_048_576).toFixed(2);
  const rows: [string, string | number, string | number][] = [
    ['', 'naive close', 'spliced'],
    ['complete', naive.complete, spliced.complete],
    ['truncated', naive.truncated, spliced.truncated],
    ['failed', naive.failed, spliced.failed],
    ['unfinished', naive.unfinished, spliced.unfinished],
    ['bytes lost', naive.missingBytes, spliced.missingBytes],
    ['most of one download', naive.missingBytesMax, spliced.missingBytesMax],
    ['seconds', (naive.durationMs / 1000).toFixed(1), (spliced.durationMs / 1000).toFixed(1)],
  ];
  return [
    `  ${conditions.downloads} downloads of ${size} MiB over loopback, ${conditions.parallel} at a time,`,
    `  read at ${conditions.bytesPerSecond / 1_000_000} MB/s each into ${conditions.receiveBufferBytes / 1024} KiB:`,
    ...rows.map(
      ([name, left, right]) =>
        `    ${name.padEnd(22)}${String(left).padStart(14)}${String(right).padStart(14)}`,
    ),
  ];
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

export function toText(report: Report, columns: number, hasColour: boolean): string {
  const { machine, version, findings, experiment, benchmark } = report;
  const width = Math.max(40, Math.min(columns, widthMax));
  const head = `spliced ${version} on ${machine.model}, Linux ${machine.kernel} ${machine.architecture}`;
  const lines = wrap(head, width);
  let group = '';
  for (const finding of findings) {
    const next = finding.id.split('.', 1)[0] ?? '';
    if (next !== group) {
      lines.push('', groupTitles[next] ?? next);
      if (next === 'experiment' && experiment !== null) lines.push(...experimentLines(experiment));
      if (next === 'benchmark' && benchmark !== null) lines.push(...benchmarkLines(benchmark));
    }
    group = next;
    lines.push(...findingLines(finding, width, hasColour));
  }
  const { ok, info, warning, problem } = countLevels(findings);
  lines.push(
    '',
    `${plural(problem, 'problem')}, ${plural(warning, 'warning')}, ${plural(info, 'note')}, ${ok} ok`,
  );
  return `${lines.join('\n')}\n`;
}
