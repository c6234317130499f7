// SPDX-License-Identifier: Apache-2.0
// What every command shares: its options by node:util parseArgs, wrong usage as one clear line, and
// the help of the options that set configuration. Called by the modules beside this one.

import { parseArgs } from 'node:util';
import { reasonOf, StartError } from '../base/start-error.js';
import type { CommandOptions } from '../config/layers.js';
import { nearest } from '../config/nearest.js';
import { schema, settingsOf } from '../config/schema.js';

/** A command as cli.ts starts it. The answer is the exit code. */
export interface Command {
  run(args: string[]): Promise<number>;
}

export interface CommandLine {
  values: CommandOptions;
  positionals: string[];
}

type OptionTypes = Record<string, { type: 'string' | 'boolean'; multiple?: boolean }>;

/** --config, and one option for each setting that has one. */
export function configurationOptions(): OptionTypes {
  const options: OptionTypes = { config: { type: 'string' } };
  for (const { option, default: fallback } of settingsOf(schema).values()) {
    if (option === undefined) continue;
    options[option] = { type: 'string', multiple: Array.isArray(fallback) };
  }
  return options;
}

/** Their lines in a help text, with the defaults. */
export function configurationHelp(): string {
  const rows: [string, string][] = [
    ['--config FILE', 'configuration file (default: /etc/spliced/spliced.toml)'],
  ];
  for (const { option, argument, help, default: fallback } of settingsOf(schema).values()) {
    if (option === undefined) continue;
    const shown = String(fallback) === '' ? '' : ` (default: ${fallback})`;
    rows.push([`--${option} ${argument}`, `${help}${shown}`]);
  }
  return rows.map(([left, right]) => `  ${left.padEnd(24)} ${right}`).join('\n');
}

/**
 * Reads a command's arguments. Prints its help or the version and answers undefined when asked for
 * that. Throws StartError on wrong usage; more than `positionalsMax` words are that too.
 */
export function readCommandLine(
  command: string,
  args: string[],
  { options, help, positionalsMax = 0 }: CommandUsage,
): CommandLine | undefined {
  const known: OptionTypes = {
    ...options,
    help: { type: 'boolean' },
    version: { type: 'boolean' },
  };
  const advice = `see spliced ${command} --help`;
  let parsed: CommandLine;
  try {
    parsed = parseArgs({ args, options: known, allowPositionals: true }) as CommandLine;
  } catch (error) {
    // Node's message is clear; its advice on "--" after the first sentence is of no use here.
    const [reason = ''] = reasonOf(error).split('. ', 1);
    const [, typed] = /^Unknown option '--([^'=]+)/.exec(reason) ?? [];
    const likely = typed && nearest(typed, Object.keys(known));
    throw new StartError(`${reason}; ${likely ? `did you mean --${likely}? ` : ''}${advice}`);
  }
  if (parsed.values.help || parsed.values.version) {
    process.stdout.write(parsed.values.help ? help() : `spliced ${SPLICED_VERSION}\n`);
    return undefined;
  }
  const extra = parsed.positionals[positionalsMax];
  if (extra !== undefined) throw new StartError(`unexpected argument "${extra}"; ${advice}`);
  return parsed;
}

export interface CommandUsage {
  options: OptionTypes;
  help: () => string;
  positionalsMax?: number;
}
