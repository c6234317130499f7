// SPDX-License-Identifier: Apache-2.0
// The state of the service in words, as `systemctl status` shows it, and its refreshing: at most
// once an interval, and only when the words have changed. Used by daemon.ts.

/** The part of the engine's status that the words are made of. */
export interface StatusFigures {
  connections: { open: number };
  offload: { kernel: string; mode: string; driver?: { name: string; async: boolean } };
}

export interface StatusFacts {
  urls: readonly string[];
  figures: StatusFigures;
  /** Whole days; below 0: expired so many days ago. Undefined: the clock is not set. */
  certificateDaysLeft: number | undefined;
  /** Within the time of the warnings; certificates/expiry.ts. */
  certificateEndsSoon?: boolean;
  /** Errors of a configuration that a reload refused; 0: it is in effect. */
  refusedErrors: number;
  /** Settings whose new value waits for a restart. */
  waiting?: readonly string[];
  /** How many things could not be written, tidied or read: housekeeping.ts. */
  undone?: number;
  /** What health.ts has found wrong; empty: nothing. */
  troubles?: string;
}

const refreshMs = 10_000;
/** So many keys are named. */
const keysMax = 3;

const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;

function offloadWords({ kernel, mode, driver }: StatusFigures['offload']): string {
  if (mode === 'off') return 'user-space TLS (kernel TLS is off)';
  if (kernel !== 'available') return 'user-space TLS';
  if (driver === undefined) return 'kernel TLS';
  return `kernel TLS by ${driver.name}${driver.async ? ' (asynchronous)' : ''}`;
}

function certificateWords(daysLeft: number | undefined, endsSoon: boolean): string {
  if (daysLeft === undefined) return 'the clock is not set';
  if (daysLeft < 0) return `certificate EXPIRED ${counted(-daysLeft, 'day')} ago`;
  if (endsSoon) return `certificate ENDS in ${counted(daysLeft, 'day')}`;
  return `certificate valid for ${counted(daysLeft, 'day')}`;
}

function waitingWords(keys: readonly string[]): string {
  if (keys.length === 0) return '';
  const named = keys.slice(0, keysMax).join(', ');
  const more = keys.length > keysMax ? ` and ${keys.length - keysMax} more` : '';
  return `; ${named}${more} ${keys.length === 1 ? 'waits' : 'wait'} for a restart`;
}

export function statusWords({
  urls,
  figures,
  certificateDaysLeft,
  certificateEndsSoon = false,
  refusedErrors,
  waiting = [],
  undone = 0,
  troubles = '',
}: StatusFacts): string {
  const words = [
    counted(figures.connections.open, 'connection'),
    offloadWords(figures.offload),
    certificateWords(certificateDaysLeft, certificateEndsSoon),
  ];
  const refusal =
    refusedErrors === 0
      ? ''
      : `; the new configuration was refused (${counted(refusedErrors, 'error')} in the log)`;
  const housekeeping =
    undone === 0 ? '' : `; ${counted(undone, 'task')} of housekeeping failing (see the log)`;
  const rest = `${refusal}${waitingWords(waiting)}${housekeeping}${troubles === '' ? '' : `; ${troubles}`}`;
  return `Serving ${urls.join(' ')}: ${words.join(', ')}${rest}`;
}

/** Sends the words when they have changed. The answer stops that. */
export function keepStatusFresh(
  words: () => string,
  send: (status: string) => void,
  intervalMs = refreshMs,
): () => void {
  let last = words();
  const timer = setInterval(() => {
    const next = words();
    if (next === last) return;
    last = next;
    send(next);
  }, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}
