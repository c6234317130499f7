// SPDX-License-Identifier: Apache-2.0
// `spliced device`: restart and power-off of the device outside an update, for operators, through the
// running service's API. Loaded by cli.ts for this command.

import { StartError } from '../base/start-error.js';
import type { PowerDocument } from '../power/document.js';
import { ApiRefusal, askApi } from './api-client.js';
import { waitUntilItBegins } from './power-wait.js';
import { enterServing, servingHelp, servingOptions } from './serving.js';
import { readCommandLine } from './usage.js';

const help = (): string => `Usage: spliced device restart [OPTIONS]
       spliced device power-off [OPTIONS]

  restart     finishes what is active, then restarts the device
  power-off   finishes what is active, then powers the device off: somebody has to switch it on again

${servingHelp}
  --help              this text
  --version           the version

Exit code 0: the service ends, and the device follows. 1: refused, or nothing has happened; the reason
is on standard error.
`;

const words: Record<string, string> = {
  restart: 'The service finishes what is active; then the device restarts.',
  'power-off': 'The service finishes what is active; then the device powers off.',
};

export async function run(args: string[]): Promise<number> {
  const line = readCommandLine('device', args, {
    options: servingOptions(),
    help,
    positionalsMax: 1,
  });
  if (line === undefined) return 0;
  const [action = ''] = line.positionals;
  const done = Object.hasOwn(words, action) ? words[action] : undefined;
  if (done === undefined) {
    const names = Object.keys(words).join(', ');
    const given = action === '' ? 'say what' : `there is no device ${action}`;
    throw new StartError(`${given}; there are: ${names}`);
  }
  const { directory } = enterServing(line.values);
  try {
    await askApi(directory, { method: 'POST', path: `/device/${action}`, body: {} });
    return await waitUntilItBegins(directory, done, async () => {
      const { error } = JSON.parse(await askApi(directory, { path: '/device' })) as PowerDocument;
      return error;
    });
  } catch (error) {
    if (!(error instanceof ApiRefusal)) throw error;
    process.stderr.write(`spliced: ${error.message}\n`);
    return 1;
  }
}
