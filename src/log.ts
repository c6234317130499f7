// SPDX-License-Identifier: Apache-2.0
// JSON lines on standard output, one object an event, for the journal. Written at once (no worker
// thread, no buffer), so that the last line of a process is never lost. Keys never reach a log:
// nothing passes them in, and the fields that hold them are redacted should anything ever do so.
// docs/LOGGING.md tells operators what the lines say.

import { type Logger, pino } from 'pino';
import { isJournal, priorityPrefix } from './log-journal.js';
import { withSecurityEvent } from './log-security.js';
import type { LogTail } from './log-tail.js';

export type Log = Logger;

interface Output {
  write(line: string): void;
}

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
    write(line: string): void {
      output.write(isJournal ? priorityPrefix(this.lastLevel) + line : line);
      tail?.push(line);
    },
  } as Output & { lastLevel: number };
}

export interface LogSources {
  env?: NodeJS.ProcessEnv;
  tail?: LogTail | undefined;
}

export function createLog(level: string, { env = process.env, tail }: LogSources = {}): Log {
  const destination = pino.destination({ fd: 1, sync: true });
  // Whoever read our output has gone (EPIPE): serving matters more than saying so.
  destination.on('error', () => {});
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: withSecurityEvent },
      redact: { paths: ['privateKey', '*.privateKey', '*.*.privateKey'], censor: '[secret]' },
    },
    toAll({ output: destination, isJournal: isJournal(env, 1), tail }),
  );
}
