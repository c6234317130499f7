// SPDX-License-Identifier: Apache-2.0
// How the device is asked to restart or to power off. The service may do neither itself: it has no
// privilege. It leaves a file in its runtime directory, which a path unit waits for
// (systemd/spliced-reboot.path, systemd/spliced-poweroff.path); nobody else can write there, and the
// file cannot outlive the boot. Used by power.ts and by update/restart.ts.

import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { reasonOf } from '../base/start-error.js';
import { removeFile } from '../files/remove-file.js';
import type { PowerAction } from './document.js';

interface Means {
  file: string;
  unit: string;
  noun: string;
  underWay: string;
}

const means: Record<PowerAction, Means> = {
  restart: {
    file: 'reboot',
    unit: 'spliced-reboot.path',
    noun: 'restart',
    underWay: 'The device restarts.',
  },
  'power-off': {
    file: 'poweroff',
    unit: 'spliced-poweroff.path',
    noun: 'power-off',
    underWay: 'The device is being powered off.',
  },
};

/** Within this time the service manager begins to stop us, or it never will. */
export const powerPatienceMs = 60_000;

const other = (action: PowerAction): PowerAction =>
  action === 'restart' ? 'power-off' : 'restart';

const pathOf = (env: NodeJS.ProcessEnv, action: PowerAction): string | undefined => {
  const [directory = ''] = (env.RUNTIME_DIRECTORY ?? '').split(':');
  return directory === '' ? undefined : join(directory, means[action].file);
};

/** What was asked for and is still waited for, in a sentence; undefined: nothing. */
export function powerUnderWay(env: NodeJS.ProcessEnv): string | undefined {
  const actions: PowerAction[] = ['power-off', 'restart'];
  const asked = actions.find((action) => existsSync(pathOf(env, action) ?? ''));
  return asked && means[asked].underWay;
}

/** Begins it. The answer is a sentence that says why it cannot be; undefined: it has begun. */
export function askFor(action: PowerAction, env: NodeJS.ProcessEnv): string | undefined {
  const path = pathOf(env, action);
  if (path === undefined) {
    const what = action === 'restart' ? 'restart the device' : 'power the device off';
    return `The service has no runtime directory: it can ${what} only as spliced.service.`;
  }
  const opposite = other(action);
  if (existsSync(pathOf(env, opposite) ?? '')) return means[opposite].underWay;
  try {
    closeSync(openSync(path, 'wx', 0o600));
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined; // Asked for before.
    return `The ${means[action].noun} cannot be asked for: ${reasonOf(error)}.`;
  }
}

/**
 * Nobody has done it in time: it is not asked for any more, or it would happen whenever the unit is
 * started. The answer says what is the matter. Never throws.
 */
export function withdraw(action: PowerAction, env: NodeJS.ProcessEnv): string {
  const { noun, unit } = means[action];
  const reason = `The ${noun} was asked for, and nothing has happened: is ${unit} active?`;
  const path = pathOf(env, action);
  if (path === undefined) return reason;
  try {
    removeFile(path);
    return reason;
  } catch (error) {
    return `${reason} It still waits for that: ${reasonOf(error)}.`;
  }
}
