// SPDX-License-Identifier: Apache-2.0
// The service that is installed on this device, as its unit starts it; an operator's shell has neither
// its variables nor its working directory. The service manager is asked first, because it knows the
// drop-ins; then the unit's files; then systemd/spliced.service. Used by service-choice.ts.

import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync } from 'node:fs';
import { configVariable } from '../config/files.js';
import { unitProperties } from './unit-file.js';

export interface InstalledService {
  /** Relative paths of its configuration begin there. */
  directory: string;
  /** The unit's variables that configure it. */
  env: NodeJS.ProcessEnv;
}

/** As in systemd/spliced.service. */
export const serviceStateDir = '/var/lib/spliced';
const serviceDirectory = '/usr/lib/spliced';
const unit = 'spliced.service';
const managerTimeoutMs = 2_000;

/** Words as `systemctl show` quotes them: bare, or in double quotes with backslashes. */
export function unquoted(text: string): string[] {
  const words = text.match(/"(?:[^"\\]|\\.)*"|[^\s"]+/gs) ?? [];
  return words.map((word) =>
    word.startsWith('"') ? word.slice(1, -1).replace(/\\(.)/gs, '$1') : word,
  );
}

/** What the service manager says of the unit; undefined: there is none, or it does not know it. */
function shown(): Map<string, string> | undefined {
  const properties = '--property=LoadState,WorkingDirectory,Environment,ExecStart';
  const { status, stdout } = spawnSync('systemctl', ['show', unit, properties], {
    encoding: 'utf8',
    timeout: managerTimeoutMs,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (status !== 0) return undefined;
  const pairs = stdout.split('\n').map((line) => {
    const at = line.indexOf('=');
    return [line.slice(0, at), line.slice(at + 1)] as const;
  });
  const found = new Map(pairs);
  return found.get('LoadState') === 'loaded' ? found : undefined;
}

/** What its command line says, as the variables that mean the same: `argv[]=/usr/bin/spliced serve …`. */
function variablesOfCommand(command: string): NodeJS.ProcessEnv {
  const [, line = ''] = /argv\[\]=([^;]*)/.exec(command) ?? [];
  const found: NodeJS.ProcessEnv = {};
  for (const [, option, value] of line.matchAll(/ --(config|state-dir)[ =](\S+)/g)) {
    found[option === 'config' ? configVariable : 'SPLICED_STATE_DIR'] = value;
  }
  return found;
}

/** Also a link that leads nowhere yet: the state directory before the first start. */
const isThere = (path: string): boolean => {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
};

/** Undefined: none is installed here. */
export function installedService(): InstalledService | undefined {
  const found = shown() ?? unitProperties(unit);
  if (found === undefined && !isThere(serviceStateDir)) return undefined;
  const words = unquoted(found?.get('Environment') ?? '');
  const env: NodeJS.ProcessEnv = {
    ...Object.fromEntries(
      words.filter((word) => /^SPLICED_\w+=/.test(word)).map((word) => word.split(/=(.*)/s, 2)),
    ),
    ...variablesOfCommand(found?.get('ExecStart') ?? ''),
  };
  // "!" before it: a directory that may be missing (systemd.exec(5)).
  const named = (found?.get('WorkingDirectory') ?? '').replace(/^[!-]/, '');
  return {
    directory: named.startsWith('/') ? named : serviceDirectory,
    env,
  };
}

const credentialsDirectory = `/run/credentials/${unit}`;

/** Where the service's credentials are while it runs, for `credential:NAME`. */
export function useCredentials(): void {
  if (existsSync(credentialsDirectory)) process.env.CREDENTIALS_DIRECTORY ??= credentialsDirectory;
}
