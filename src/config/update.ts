// SPDX-License-Identifier: Apache-2.0
// The table [update]: who installs an update, and what follows. Its settings (part of schema.ts),
// what they need of each other, and the value that the daemon receives. Called by schema.ts and
// configuration.ts.

import { join, resolve } from 'node:path';

export const updateTable = {
  adapter: {
    doc:
      'The installer of updates: `rauc`, `swupdate` (each with its own service on the device), ' +
      'or `command`, any program. docs/UPDATES.md has the details.',
    format: ['none', 'rauc', 'swupdate', 'command'],
    default: 'none',
    env: 'SPLICED_UPDATE_ADAPTER',
  },
  directory: {
    doc:
      'The directory where a bundle waits until it is installed. Its file system needs space for ' +
      'the bundle. Empty: `update` in the state directory.',
    format: 'path or nothing',
    default: '',
    example: '/data/update',
    env: 'SPLICED_UPDATE_DIRECTORY',
  },
  command: {
    doc:
      'With `command`: the program and its arguments. The path of the bundle is appended. No ' +
      'shell is involved. In the variable separated by semicolons.',
    format: 'program',
    default: [],
    example: ['/usr/libexec/install-update'],
    env: 'SPLICED_UPDATE_COMMAND',
  },
  size_max_mib: {
    doc: 'The largest bundle, in MiB.',
    format: 'whole number',
    default: 4096,
    env: 'SPLICED_UPDATE_SIZE_MAX_MIB',
    min: 1,
    max: 1024 * 1024,
  },
  restart: {
    doc:
      'What is restarted after an installation, on request: `reboot` restarts the device ' +
      '(`spliced-reboot.path` does it), `service` the service, `none` nothing.',
    format: ['reboot', 'service', 'none'],
    default: 'reboot',
    env: 'SPLICED_UPDATE_RESTART',
  },
} as const;

export interface UpdateSettings {
  adapter: 'none' | 'rauc' | 'swupdate' | 'command';
  /** Absolute. */
  directory: string;
  command: string[];
  sizeMaxBytes: number;
  restart: 'reboot' | 'service' | 'none';
}

export interface UpdateJudge {
  value: (key: string) => unknown;
  refuse: (key: string, text: string) => void;
  warn: (key: string, text: string) => void;
}

/** What the settings need of each other. */
export function judgeUpdate({ value, refuse, warn }: UpdateJudge): void {
  const hasCommand = ((value('update.command') as unknown[] | undefined) ?? []).length > 0;
  const isCommand = value('update.adapter') === 'command';
  if (isCommand && !hasCommand) refuse('update.adapter', '"command" needs update.command');
  if (!isCommand && hasCommand) {
    warn('update.command', 'has no effect without update.adapter = "command"');
  }
}

export function updateOf(
  setTo: (key: string) => unknown,
  stateDir: string,
  workingDirectory: string,
): UpdateSettings {
  const directory = String(setTo('update.directory'));
  return {
    adapter: setTo('update.adapter') as UpdateSettings['adapter'],
    directory: directory === '' ? join(stateDir, 'update') : resolve(workingDirectory, directory),
    command: setTo('update.command') as string[],
    sizeMaxBytes: Number(setTo('update.size_max_mib')) * 1024 * 1024,
    restart: setTo('update.restart') as UpdateSettings['restart'],
  };
}
