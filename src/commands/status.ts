// SPDX-License-Identifier: Apache-2.0
// `spliced status`: what the running service does now, in a few lines for an operator; --json has
// everything. Loaded by cli.ts when this command is given.

import { type Counts, type StatusDocument, troubleText } from '../base/status-document.js';
import { askApi } from './api-client.js';
import { enterServing, servingHelp, servingOptions } from './serving.js';
import { readCommandLine } from './usage.js';

const help = (): string => `Usage: spliced status [--json] [OPTIONS]

Shows what the running service does: kernel TLS, connections, what is pending, certificates.

  --json              everything, as JSON
${servingHelp}
  --help              this text
  --version           the version
`;

export interface Shown {
  status: StatusDocument;
  certificates: {
    served: { source: string; subject: string; notAfter: string; daysLeft: number | null }[];
    waiting: { source: string; lastError: string | null }[];
  };
}

const sum = (counts: Counts): number => Object.values(counts).reduce((a, b) => a + b, 0);

const listOf = (counts: Counts): string =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name}: ${count}`)
    .join(', ');

const engineWords = ({ each, hanging }: StatusDocument['engines']): string => {
  const shares = `connections: ${each.map(({ connections }) => connections).join(', ')}`;
  return hanging === 0 ? shares : `${shares}; ${hanging} wait in the kernel`;
};

const inBrackets = (text: string): string => (text === '' ? '' : ` (${text})`);

function sizeOf(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [size, unit] = [bytes, 0];
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}

function durationOf(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return `${Math.floor(ms / 1_000)} s`;
  const [hours, days] = [Math.floor(minutes / 60), Math.floor(minutes / 1_440)];
  if (hours < 1) return `${minutes} min`;
  return days < 1 ? `${hours} h ${minutes % 60} min` : `${days} d ${hours % 24} h`;
}

function kernelTls({ mode, suspended, kernel, driver }: StatusDocument['offload']): string {
  if (mode === 'off') return 'off by configuration';
  if (suspended !== '') return `suspended: ${suspended}`;
  if (kernel !== 'available') return kernel;
  if (driver === null) return kernel;
  return `${kernel}, by ${driver.name}${driver.async ? ', asynchronous' : ''}`;
}

function certificateRows({ served, waiting }: Shown['certificates']): string[] {
  return [
    ...served.map(({ source, subject, notAfter, daysLeft }) => {
      const left = daysLeft === null ? 'the clock is not set' : `${daysLeft} days left`;
      return `${subject}, ${left}, until ${notAfter.slice(0, 10)} (${source})`;
    }),
    ...waiting.map(({ source, lastError }) => `none yet from ${source}: ${lastError ?? 'waiting'}`),
  ];
}

/** Rows of a name and what is to be said; rows of one name stand below each other. */
function rowsOf({ status, certificates }: Shown): [name: string, text: string][] {
  const { offload, engines, connections, requests, bytes, pending, drains, canary, watchdog } =
    status;
  const { housekeeping = [] } = status;
  const stayed = sum(offload.fallbacks);
  const rows: [string, string][] = [
    ['version', `${status.version}, up ${durationOf(status.uptimeMs)}, ${status.ring.backend}`],
    ['kernel TLS', kernelTls(offload)],
    [
      '',
      `${sum(offload.promoted)} connections in the kernel${inBrackets(listOf(offload.promoted))}`,
    ],
    ['', `${stayed} in user space${inBrackets(listOf(offload.fallbacks))}`],
    [
      'connections',
      `${connections.open} open, ${connections.accepted} accepted, ${connections.shed} refused`,
    ],
    ['engines', `${engines.count}${inBrackets(engineWords(engines))}`],
    ['requests', `${requests.total}${inBrackets(listOf(requests.byStatus))}`],
    ['sent', `${sizeOf(bytes.plaintextSent)}, of which ${sizeOf(bytes.spliced)} spliced`],
    [
      'pending',
      `${sizeOf(pending.bytes)} now, at most ${sizeOf(pending.bytesMax)} of one connection, ` +
        `${pending.stuck} stuck, ${pending.contradictions} contradictions`,
    ],
    [
      'drains',
      `${drains.drained} drained, ${drains.aborted} aborted, ${drains.peerGone} left by the peer, ` +
        `${drains.inProgress} under way`,
    ],
    ...certificateRows(certificates).map((text, i): [string, string] => [
      i === 0 ? 'certificates' : '',
      text,
    ]),
  ];
  for (const [i, trouble] of housekeeping.entries()) {
    rows.push([i === 0 ? 'not done' : '', troubleText(trouble)]);
  }
  if (canary !== undefined) {
    const text = `${canary.ok} right, ${canary.failed} wrong${inBrackets(canary.lastError)}`;
    rows.push(['canary', text]);
  }
  if (watchdog !== undefined) {
    const isWell = watchdog.missing.length === 0;
    rows.push(['watchdog', isWell ? 'well' : `waits for ${watchdog.missing.join(', ')}`]);
  }
  return rows;
}

export function statusTable(shown: Shown): string {
  const lines = rowsOf(shown).map(([name, text]) => `${name.padEnd(13)} ${text}\n`);
  return lines.join('');
}

export async function run(args: string[]): Promise<number> {
  const options = { ...servingOptions(), json: { type: 'boolean' as const } };
  const line = readCommandLine('status', args, { options, help });
  if (line === undefined) return 0;
  const { directory } = enterServing(line.values);
  const status = await askApi(directory, { path: '/status' });
  if (line.values.json) {
    process.stdout.write(`${status}\n`);
    return 0;
  }
  const certificates = await askApi(directory, { path: '/certificates' });
  const shown = { status: JSON.parse(status), certificates: JSON.parse(certificates) } as Shown;
  process.stdout.write(statusTable(shown));
  return 0;
}
