// SPDX-License-Identifier: Apache-2.0
// The log for a person at a terminal: a line for each important step of a start and an end, and every
// warning; all other events need log.format = "json". Made by commands/serve.ts.

import { isIPv6 } from 'node:net';

interface Entry {
  level: string;
  event?: string;
  [field: string]: unknown;
}

export interface WordsOptions {
  /** Whether the operators' page is served. */
  hasPage: boolean;
  /** How this program is called, such as "node dist/cli.js". */
  program: string;
  /** Options with which its commands find this service; empty: they do so by themselves. */
  place: string;
}

const nameCharacters = 12;
const row = (name: string, text: string): string => `${name.padEnd(nameCharacters)} ${text}\n`;

/** One line each; what a browser on this machine can open comes first. */
function readyWords(entry: Entry, { hasPage, program, place }: WordsOptions): string {
  const { root = '', listeners = [] } = entry as { root?: string; listeners?: Listener[] };
  const [first] = listeners;
  const urls = listeners.map(urlOf);
  const lines = [row('serving', `${urls.join(' ')} (the files of ${root})`)];
  if (hasPage && first !== undefined) {
    lines.push(row('page', `${urlOf(first)}.spliced/ui/`));
    const command = `${program} token${place === '' ? '' : ` ${place}`}`;
    lines.push(row('sign in', `in another terminal run: ${command}`));
  }
  lines.push(row('stop', 'Ctrl-C'));
  return lines.join('');
}

interface Listener {
  address: string;
  port: number;
}

function urlOf({ address, port }: Listener): string {
  const isEverywhere = address === '0.0.0.0' || address === '::';
  const literal = isIPv6(address) ? `[${address}]` : address;
  return `https://${isEverywhere ? 'localhost' : literal}${port === 443 ? '' : `:${port}`}/`;
}

function certificateWords(entry: Entry, { program, place }: WordsOptions): string {
  const { source, notAfter } = entry;
  const until = `until ${String(notAfter).slice(0, 10)}`;
  if (source !== 'device') return row('certificate', `${source}, ${until}`);
  const command = `${program} certificate ca${place === '' ? '' : ` ${place}`}`;
  const advice = `a browser warns until it trusts what this prints: ${command}`;
  return row('certificate', `the device's own, ${until}; ${advice}`);
}

/** Nobody administers the device yet: the page asks for its code. */
function claimWords({ by, secondsLeft }: Entry, { program, place }: WordsOptions): string {
  const minutes = `for ${Math.ceil(Number(secondsLeft) / 60)} min`;
  if (by !== 'spliced claim') return row('claim', `with the maker's code, ${minutes}`);
  const command = `${program} claim${place === '' ? '' : ` ${place}`}`;
  return row('claim', `with the code that this prints in another terminal, ${minutes}: ${command}`);
}

const byEvent: Record<string, (entry: Entry, options: WordsOptions) => string> = {
  certificate: certificateWords,
  device_unclaimed: claimWords,
  ready: readyWords,
  reloaded: ({ applied, restart_required: waiting }) => {
    const list = (keys: unknown): string => ((keys ?? []) as string[]).join(', ') || 'nothing';
    const waits = list(waiting) === 'nothing' ? '' : `; waits for a restart: ${list(waiting)}`;
    return row('reloaded', `in effect: ${list(applied)}${waits}`);
  },
  stopping: () => row('stopping', 'active responses are finished; Ctrl-C again ends them'),
  stopped: ({ requests, aborted }) =>
    row('stopped', `${requests} requests answered, ${aborted} connections aborted`),
};

const told = new Set(['level', 'time', 'event', 'securityEvent']);

/** `warning: event: reason; field=value`. */
function troubleWords(entry: Entry): string {
  const { level, event = '', reason, ...rest } = entry;
  const fields = Object.entries(rest)
    .filter(([name]) => !told.has(name))
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const words = [reason === undefined ? [] : [String(reason)], fields].flat().join('; ');
  return `${level === 'warn' ? 'warning' : level}: ${event}${words === '' ? '' : `: ${words}`}\n`;
}

/** The words of a line of the log; empty: none. A line that is no JSON stays as it is. */
export function wordsOf(line: string, options: WordsOptions): string {
  let entry: Entry;
  try {
    entry = JSON.parse(line) as Entry;
  } catch {
    return line;
  }
  const known = Object.hasOwn(byEvent, entry.event ?? '') ? byEvent[entry.event ?? ''] : undefined;
  if (known !== undefined) return known(entry, options);
  return entry.level === 'info' ? '' : troubleWords(entry);
}
