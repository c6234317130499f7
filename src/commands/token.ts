// SPDX-License-Identifier: Apache-2.0
// `spliced token`: makes the bearer token of the API and shows it, once: only its hash is kept. Works
// beside a running service, and on one that is stopped. Loaded by cli.ts for this command.

import { makeToken, revokeToken } from '../api/token.js';
import { reasonOf, StartError } from '../base/start-error.js';
import { enterStateDir, servingHelp, servingOptions } from './serving.js';
import { readCommandLine } from './usage.js';

const help = (): string => `Usage: spliced token [--revoke] [OPTIONS]

Prints a new token for the API (docs/API.md), which replaces the previous one. It is shown only this
once: the service keeps a hash of it. There is no token until this command is run.

  --revoke            no token is good any more
${servingHelp}
  --help              this text
  --version           the version
`;

export async function run(args: string[]): Promise<number> {
  const options = { ...servingOptions(), revoke: { type: 'boolean' as const } };
  const line = readCommandLine('token', args, { options, help });
  if (line === undefined) return 0;
  const directory = enterStateDir(line.values);
  try {
    if (line.values.revoke) {
      const wasThere = await revokeToken(directory.place);
      process.stderr.write(wasThere ? 'The token is revoked.\n' : 'There was no token.\n');
      return 0;
    }
    const token = await makeToken(directory.place);
    process.stdout.write(`${token}\n`);
    process.stderr.write('This is shown once. The previous token is no longer valid.\n');
    return 0;
  } catch (error) {
    throw new StartError(reasonOf(directory.inWords(error)));
  }
}
