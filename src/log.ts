// SPDX-License-Identifier: Apache-2.0
// JSON lines on standard output, one object an event, for the journal. Written at once (no worker
// thread), and never waited for: log-output.ts. Keys never reach a log:
// nothing passes them in, and the fields that hold them are redacted should anything ever do so.
// docs/LOGGING.md tells operators what the lines say.

import { type Logger, pino } from 'pino';
import { isJournal, priorityPrefix } from './log-journal.js';
import { LineOutput } from './log-output.js';
import { withSecurityEvent } from './log-security.js';
import type { LogTail } from './log-tail.js';
import { visibleLines } from './visible.js';

export type Log = Logger;

type Output = Pick<LineOutput, 'write'>;

interface Destinations {
  output: Output;
  /** Wants a priority before each line. */
  isJournal: boolean;
  /** Gets each line as well, without the priority. */
  tail: LogTail | undefined;
}

/** What pino writes to: it says which level the line has. */
function toAll({ output, isJournal, tail }: Destinations): Output & { lastLevel: number } {
  return {
    // Asks pino to set lastLevel before each write.
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 0,
    write(written: string): void {
      const line = visibleLines(written);
      output.write(isJournal ? priorityPrefix(this.lastLevel) + line : line);
      tail?.push(line);
    },
  } as Output & { lastLevel: number };
}

export interface LogSources {
  env?: NodeJS.ProcessEnv;
  /** Standard output, if its owner wants to look after it. */
  output?: LineOutput;
  tail?: LogTail | undefined;
}

export function createLog(level: string, sources: LogSources = {}): Log {
  const { env = process.env, output = new LineOutput(1), tail } = sources;
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: withSecurityEvent },
      redact: { paths: ['privateKey', '*.privateKey', '*.*.privateKey'], censor: '[secret]' },
    },
    toAll({ output, isJournal: isJournal(env, 1), tail }),
  );
  output.listen({
    onDropped: () => {},
    onRecovered: (lines) => log.warn({ event: 'log_lines_dropped', lines }),
  });
  return log;
}
