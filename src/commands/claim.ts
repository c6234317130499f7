// SPDX-License-Identifier: Apache-2.0
// `spliced claim`: the code by which the first administrator claims the device, for root alone. Loaded
// by cli.ts for this command.

import { askApi } from './api-client.js';
import { enterServing, servingHelp, servingOptions } from './serving.js';
import { readCommandLine } from './usage.js';

const help = (): string => `Usage: spliced claim [OPTIONS]

Shows the code by which the first administrator claims the device (POST claim of the API,
docs/PEOPLE.md). It is good once, and for some minutes after the service was started.

${servingHelp}
  --help              this text
  --version           the version

Exit code 0: the code is on standard output. 1: there is none to show; standard error says why.
`;

interface Claim {
  isClaimed: boolean;
  secondsLeft: number;
  isMakers: boolean;
  code: string | null;
}

function whyNone({ isClaimed, secondsLeft, isMakers }: Claim): string {
  if (isClaimed) return 'the device is claimed; its people: spliced user list';
  if (secondsLeft === 0)
    return 'the time for it is over: restart the service, or add somebody: spliced user add';
  if (isMakers) return "the code is the maker's, by api.claim_code_file: see the device's label";
  return 'the service has no code';
}

export async function run(args: string[]): Promise<number> {
  const line = readCommandLine('claim', args, { options: servingOptions(), help });
  if (line === undefined) return 0;
  const { directory } = enterServing(line.values);
  const claim = JSON.parse(await askApi(directory, { path: '/claim' })) as Claim;
  if (claim.code === null) {
    process.stderr.write(`spliced: ${whyNone(claim)}\n`);
    return 1;
  }
  process.stdout.write(`${claim.code}\n`);
  const minutes = Math.max(Math.floor(claim.secondsLeft / 60), 1);
  const words = minutes === 1 ? 'a minute' : `${minutes} minutes`;
  process.stderr.write(`It is good once, for ${words} from now; docs/PEOPLE.md says how.\n`);
  return 0;
}
