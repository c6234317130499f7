// SPDX-License-Identifier: Apache-2.0
// How the device or the service is restarted after an update. For the device it is asked for
// (power/request.ts); the service itself ends with an exit code that the unit answers with a new start.
// Used by manager.ts.

import { askFor, withdraw } from '../power/request.js';

export type RestartKind = 'reboot' | 'service' | 'none';

export interface RestartMeans {
  kind: RestartKind;
  env: NodeJS.ProcessEnv;
  /** Ends this process after a drain, so that it is started again. */
  endForRestart: () => void;
  /** Aborted: the service drains, for this or because it was told to. */
  stop: AbortSignal;
}

/** Begins it. The answer is a sentence that says why it cannot be; undefined: it has begun. */
export function beginRestart({ kind, env, endForRestart }: RestartMeans): string | undefined {
  if (kind === 'none') return 'The configuration forbids it: update.restart is "none".';
  if (kind === 'reboot') return askFor('restart', env);
  endForRestart();
  return undefined;
}

/** Nothing has come of it. The answer says what is the matter. */
export function giveUpRestart({ kind, env }: RestartMeans): string {
  if (kind === 'reboot') return withdraw('restart', env);
  return 'The restart was asked for, and the service has not ended.';
}
