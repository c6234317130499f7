// SPDX-License-Identifier: Apache-2.0
// JSON lines on standard output, one object an event, for the journal. Written at once (no worker
// thread, no buffer), so that the last line of a process is never lost. Keys never reach a log:
// nothing passes them in, and the fields that hold them are redacted should anything ever do so.

import { type Logger, pino } from 'pino';

export type Log = Logger;

export function createLog(level: string): Log {
  const destination = pino.destination({ fd: 1, sync: true });
  // Whoever read our output has gone (EPIPE): serving matters more than saying so.
  destination.on('error', () => {});
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['privateKey', '*.privateKey', '*.*.privateKey'], censor: '[secret]' },
    },
    destination,
  );
}
