// SPDX-License-Identifier: Apache-2.0
// What the journal wants of a line on standard output: its priority as a prefix, sd-daemon(3), so
// that `journalctl -p warning` finds what matters. Used by log.ts.

import { fstatSync } from 'node:fs';

/**
 * Whether the descriptor is the journal's: JOURNAL_STREAM names the device and inode of what the
 * service manager connected, systemd.exec(5). A pipe that a shell put in its place is another one.
 */
export function isJournal(env: NodeJS.ProcessEnv, fd: number): boolean {
  const match = /^(\d+):(\d+)$/.exec(env.JOURNAL_STREAM ?? '');
  if (match === null) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return `${dev}:${ino}` === match[0];
  } catch {
    return false; // The descriptor is closed.
  }
}

// pino's levels begin at these numbers; syslog(3) names the priorities.
const priorities: [pinoLevel: number, priority: number][] = [
  [60, 2], // fatal: LOG_CRIT
  [50, 3], // error: LOG_ERR
  [40, 4], // warn: LOG_WARNING
  [30, 6], // info: LOG_INFO
];
const debugPriority = 7; // debug and trace: LOG_DEBUG

export function priorityPrefix(pinoLevel: number): string {
  const found = priorities.find(([level]) => pinoLevel >= level);
  return `<${found?.[1] ?? debugPriority}>`;
}
