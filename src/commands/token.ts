// SPDX-License-Identifier: Apache-2.0
// `spliced token`: makes the bearer token of the API and shows it, once: only its hash is kept. Works
// beside a running service, and on one that is stopped. Loaded by cli.ts for this command.

import { judgeRole, type Role, roles } from '../api/people/names.js';
import { makeToken, revokeToken } from '../api/token.js';
import { reasonOf, StartError } from '../base/start-error.js';
import { enterStateDir, servingHelp, servingOptions } from './serving.js';
import { readCommandLine } from './usage.js';

const help = (): string => `Usage: spliced token [--role ROLE] [--revoke] [OPTIONS]

Prints a new token for the API (docs/API.md), which replaces the previous one of its role. It is shown
only this once: the service keeps a hash of it. There is no token until this command is run.

  --role ROLE         what it may do: view, such as for Prometheus; operate; administer (default)
  --revoke            no token is good any more; with --role, none of this role
${servingHelp}
  --help              this text
  --version           the version
`;

async function revokeAll(stateDir: string, which: readonly Role[]): Promise<void> {
  let had = 0;
  for (const role of which) had += (await revokeToken(stateDir, role)) ? 1 : 0;
  const words =
    ['There was no token.', 'The token is revoked.'][had] ?? `${had} tokens are revoked.`;
  process.stderr.write(`${words}\n`);
}

async function make(stateDir: string, role: Role): Promise<void> {
  process.stdout.write(`${await makeToken(stateDir, role)}\n`);
  const which = role === 'administer' ? 'token' : `token with the role ${role}`;
  process.stderr.write(`This is shown once. The previous ${which} is no longer valid.\n`);
}

export async function run(args: string[]): Promise<number> {
  const own = { role: { type: 'string' as const }, revoke: { type: 'boolean' as const } };
  const options = { ...servingOptions(), ...own };
  const line = readCommandLine('token', args, { options, help });
  if (line === undefined) return 0;
  const { role: given, revoke } = line.values;
  const role = judgeRole(String(given ?? 'administer'));
  const directory = enterStateDir(line.values);
  try {
    if (revoke) await revokeAll(directory.place, given === undefined ? roles : [role]);
    else await make(directory.place, role);
    return 0;
  } catch (error) {
    throw new StartError(reasonOf(directory.inWords(error)));
  }
}
