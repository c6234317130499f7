// SPDX-License-Identifier: Apache-2.0
// How the device or the service is restarted after an update. The service may not do it itself: it
// has no privilege. For the device it leaves a file in its runtime directory, which
// systemd/spliced-reboot.path waits for; nobody else can write there, and the file cannot outlive the
// boot. The service itself ends with an exit code that the unit answers with a new start.
// Used by manager.ts.

import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { reasonOf } from '../start-error.js';

export type RestartKind = 'reboot' | 'service' | 'none';

/** Within this time the service manager begins to stop us, or it never will. */
export const restartPatienceMs = 60_000;

export interface RestartMeans {
  kind: RestartKind;
  env: NodeJS.ProcessEnv;
  /** Ends this process after a drain, so that it is started again. */
  endForRestart: () => void;
}

/** Begins it. The answer is a sentence that says why it cannot be; undefined: it has begun. */
export function beginRestart({ kind, env, endForRestart }: RestartMeans): string | undefined {
  if (kind === 'none') return 'The configuration forbids it: update.restart is "none".';
  if (kind === 'service') {
    endForRestart();
    return undefined;
  }
  const directory = env.RUNTIME_DIRECTORY ?? '';
  if (directory === '') {
    return 'The service has no runtime directory: only as spliced.service it can restart the device.';
  }
  try {
    closeSync(openSync(join(directory, 'reboot'), 'wx', 0o600));
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined; // Asked for before.
    return `The restart cannot be asked for: ${reasonOf(error)}.`;
  }
}
