// SPDX-License-Identifier: Apache-2.0
// JSON lines on standard output, one object for each event, for the journal. Lines are written at once
// (no worker thread), and nothing waits for them: log/output.ts. Keys never reach a log: nothing passes
// them in, and their fields are redacted in any case.
// docs/LOGGING.md tells operators what the lines say. At a terminal log/words.ts has them for a person.

import { type Logger, pino } from 'pino';
import { visibleLines } from '../base/visible.js';
import { isJournal, priorityPrefix } from './journal.js';
import { LineOutput } from './output.js';
import { withSecurityEvent } from './security.js';
import type { LogTail } from './tail.js';

export type Log = Logger;

type Output = Pick<LineOutput, 'write'>;

interface Destinations {
  output: Output;
  /** Wants a priority before each line. */
  isJournal: boolean;
  /** Gets each line as well, without the priority. */
  tail: LogTail | undefined;
  /** What of a line is for a person. */
  words: ((line: string) => string) | undefined;
}

/** What pino writes to: it says which level the line has. */
function toAll({ output, isJournal, tail, words }: Destinations): Output & { lastLevel: number } {
  return {
    // Asks pino to set lastLevel before each write.
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 0,
    write(written: string): void {
      const line = visibleLines(written);
      const shown = words === undefined ? line : visibleLines(words(line));
      if (shown !== '') output.write(isJournal ? priorityPrefix(this.lastLevel) + shown : shown);
      tail?.push(line);
    },
  } as Output & { lastLevel: number };
}

export interface LogSources {
  env?: NodeJS.ProcessEnv;
  /** Standard output, if its owner wants to look after it. */
  output?: LineOutput;
  tail?: LogTail | undefined;
  /** Turns each line of standard output into words for a person; empty: none. The tail has all. */
  words?: ((line: string) => string) | undefined;
}

export function createLog(level: string, sources: LogSources = {}): Log {
  const { env = process.env, output = new LineOutput(1), tail, words } = sources;
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: withSecurityEvent },
      redact: { paths: ['privateKey', '*.privateKey', '*.*.privateKey'], censor: '[secret]' },
    },
    toAll({ output, isJournal: isJournal(env, 1), tail, words }),
  );
  output.listen({
    onDropped: () => {},
    onRecovered: (lines) => log.warn({ event: 'log_lines_dropped', lines }),
  });
  return log;
}
