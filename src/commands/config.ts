// SPDX-License-Identifier: Apache-2.0
// `spliced config check` and `spliced config show`: what a start with the same options, variables
// and files would find. Neither serves nor writes anything. Loaded by cli.ts for this command.

import { reasonOf, StartError } from '../base/start-error.js';
import { visible } from '../base/visible.js';
import { otherKeys, servedFiles } from '../certificates/served-files.js';
import {
  type CommandOptions,
  type Configuration,
  ConfigurationError,
} from '../config/configuration.js';
import { showAsJson, showAsToml } from '../config/show.js';
import { checkPlaces, checkSystem, checkUpdateProgram } from '../serving/checks.js';
import { groupWarning } from '../serving/tls-groups.js';
import { isInTpm, isKeyReference, shownKey, tokenSigner } from '../tls/token-key.js';
import { chooseService } from './service-choice.js';
import { configurationHelp, configurationOptions, readCommandLine } from './usage.js';

const exitUsage = 2;

const help = (): string => `Usage: spliced config check [OPTIONS]
       spliced config show [--json] [OPTIONS]

check  reads every layer of the configuration and checks what it names. Each finding is a line on
       standard error, as FILE:LINE: KEY: what is wrong; the exit code is then 2. Without a finding it
       says where each private key is: in a file, in a token, in the TPM.
show   prints the effective values and the origin of each; secrets are left out.

  --json                   show: as JSON
${configurationHelp()}
  --help                   this text

Without --config or --state-dir the command takes the service of this device (docs/CONFIGURATION.md says
which) and names it on standard error. The options are those of "spliced serve" and mean the same.
`;

const otherNames = {
  authority: "the device's authority",
  account: 'the ACME account',
  client: 'the client certificate for EST',
};

/** Where each private key is; "doctor" says what that protects it from. */
function keyLines(configuration: Configuration): string[] {
  const keys = [
    ...servedFiles(configuration).map(({ source, privateKey }) => ({
      of: `the certificate (${source})`,
      privateKey,
    })),
    ...otherKeys(configuration).map(({ use, privateKey }) => ({
      of: otherNames[use],
      privateKey,
    })),
  ];
  return keys.map(({ of, privateKey }) => {
    const inToken = isInTpm(privateKey) ? 'in the TPM' : 'in a token';
    const place = isKeyReference(privateKey) ? inToken : 'a file';
    return `key of ${of}: ${place}, ${visible(shownKey(privateKey))}`;
  });
}

/** A token that does not answer for these keys keeps no start from serving what there is. */
async function otherKeyWarnings(configuration: Configuration): Promise<string[]> {
  const warnings: string[] = [];
  for (const { setting, privateKey } of otherKeys(configuration)) {
    if (!isKeyReference(privateKey)) continue;
    await tokenSigner(privateKey).catch((error) => {
      warnings.push(`${setting}: ${reasonOf(error)}`);
    });
  }
  return warnings;
}

/** A file that is named is what it is about. */
const chosen = (options: CommandOptions) => chooseService(options, options.config !== undefined);

async function check(options: CommandOptions): Promise<number> {
  let findings: readonly string[];
  try {
    const loaded = chosen(options).load();
    const ofGroups = groupWarning(loaded.configuration) ?? [];
    const ofKeys = await otherKeyWarnings(loaded.configuration);
    for (const warning of loaded.warnings.concat(ofGroups, ofKeys))
      process.stderr.write(`warning: ${warning}\n`);
    const found = [
      await checkSystem(loaded),
      await checkPlaces(loaded),
      checkUpdateProgram(loaded),
    ];
    findings = found.flat().map(({ text }) => text);
    if (findings.length === 0) {
      const files = loaded.files.length === 0 ? 'no file' : loaded.files.join(', ');
      const lines = [`ok: ${files}`, ...keyLines(loaded.configuration)];
      process.stdout.write(lines.map((line) => `${line}\n`).join(''));
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
