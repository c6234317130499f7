// SPDX-License-Identifier: Apache-2.0
// `spliced config check` and `spliced config show`: what a start with the same options, variables
// and files would find. Neither serves nor writes anything. Loaded by cli.ts for this command.

import { StartError } from '../base/start-error.js';
import { type CommandOptions, ConfigurationError } from '../config/configuration.js';
import { showAsJson, showAsToml } from '../config/show.js';
import { checkPlaces, checkSystem, checkUpdateProgram } from '../serving/checks.js';
import { groupWarning } from '../serving/tls-groups.js';
import { chooseService } from './service-choice.js';
import { configurationHelp, configurationOptions, readCommandLine } from './usage.js';

const exitUsage = 2;

const help = (): string => `Usage: spliced config check [OPTIONS]
       spliced config show [--json] [OPTIONS]

check  reads every layer of the configuration and checks what it names. Each finding is a line on
       standard error, as FILE:LINE: KEY: what is wrong; the exit code is then 2.
show   prints the effective values and the origin of each; secrets are left out.

  --json                   show: as JSON
${configurationHelp()}
  --help                   this text

Without --config or --state-dir the command takes the service of this device (docs/CONFIGURATION.md says
which) and names it on standard error. The options are those of "spliced serve" and mean the same.
`;

/** A file that is named is what it is about. */
const chosen = (options: CommandOptions) => chooseService(options, options.config !== undefined);

async function check(options: CommandOptions): Promise<number> {
  let findings: readonly string[];
  try {
    const loaded = chosen(options).load();
    const ofGroups = groupWarning(loaded.configuration) ?? [];
    for (const warning of loaded.warnings.concat(ofGroups))
      process.stderr.write(`warning: ${warning}\n`);
    const found = [
      await checkSystem(loaded),
      await checkPlaces(loaded),
      checkUpdateProgram(loaded),
    ];
    findings = found.flat().map(({ text }) => text);
    if (findings.length === 0) {
      const files = loaded.files.length === 0 ? 'no file' : loaded.files.join(', ');
      process.stdout.write(`ok: ${files}\n`);
      return 0;
    }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    findings = error.problems;
  }
  for (const finding of findings) process.stderr.write(`${finding}\n`);
  return exitUsage;
}

export async function run(args: string[]): Promise<number> {
  const options = { ...configurationOptions(), json: { type: 'boolean' as const } };
  const line = readCommandLine('config', args, { options, help, positionalsMax: 1 });
  if (line === undefined) return 0;
  const { values, positionals } = line;
  const [action] = positionals;
  if (values.json && action !== 'show') throw new StartError('--json belongs to config show');
  if (action === 'check') return check(values);
  if (action !== 'show') {
    throw new StartError('say which: spliced config check, spliced config show; see --help');
  }
  const loaded = chosen(values).load();
  process.stdout.write(values.json ? showAsJson(loaded) : showAsToml(loaded));
  return 0;
}
