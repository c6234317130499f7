// SPDX-License-Identifier: Apache-2.0
// `spliced log`: the last lines of the running service's log, which it keeps in memory; for devices
// without a journal. Loaded by cli.ts for this command.

import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { StartError } from '../base/start-error.js';
import { tailBounds } from '../log/tail.js';
import { openApi } from './api-client.js';
import { enterServing, servingHelp, servingOptions } from './serving.js';
import { readCommandLine } from './usage.js';

const linesDefault = 100;

const help = (): string => `Usage: spliced log [--follow] [OPTIONS]

Prints the last lines of the running service's log, which are JSON objects (docs/LOGGING.md). The
service keeps at most ${tailBounds.linesMax} of them; the journal, where there is one, keeps all.

  --follow            print new lines as well, until the service ends or you stop it
  --lines N           how many of the last lines (default: ${linesDefault}, at most ${tailBounds.linesMax})
${servingHelp}
  --help              this text
  --version           the version
`;

function readLines(text: unknown): number {
  if (text === undefined) return linesDefault;
  const lines = /^\d{1,6}$/.test(String(text)) ? Number(text) : Number.NaN;
  if (lines <= tailBounds.linesMax) return lines;
  const wanted = `a whole number from 0 to ${tailBounds.linesMax}`;
  throw new StartError(`--lines: must be ${wanted}; it is ${text}`);
}

export async function run(args: string[]): Promise<number> {
  const own = { follow: { type: 'boolean' as const }, lines: { type: 'string' as const } };
  const options = { ...servingOptions(), ...own };
  const line = readCommandLine('log', args, { options, help });
  if (line === undefined) return 0;
  const lines = readLines(line.values.lines);
  const { directory } = enterServing(line.values);
  const path = `/log?lines=${lines}&follow=${line.values.follow === true}`;
  const response = await openApi(directory, { path });
  // Whoever read our output may have enough (EPIPE).
  process.stdout.on('error', () => response.destroy());
  response.on('error', () => {}); // The end of the service; the loop below ends.
  let isLoss = false;
  for await (const text of createInterface({ input: response })) {
    if (text.startsWith('event: lost')) isLoss = true;
    if (!text.startsWith('data: ')) continue;
    const data = text.slice('data: '.length);
    if (isLoss) process.stderr.write(`spliced: lines were lost: ${JSON.parse(data).lines}\n`);
    else if (!process.stdout.write(`${data}\n`)) await Promise.race([drained(), closed(response)]);
    isLoss = false;
  }
  return 0;
}

const drained = (): Promise<unknown> => once(process.stdout, 'drain').catch(() => {});
const closed = (response: NodeJS.ReadableStream): Promise<unknown> =>
  once(response, 'close').catch(() => {});
