// SPDX-License-Identifier: Apache-2.0
// Where a service makes the files that it needs only while it runs, the API's sockets and service.json:
// in its state directory. If that cannot be written (worn flash is remounted read-only), they are in the
// unit's runtime directory, systemd.exec(5), so that operators can still reach the API and clear the
// disk. Called once at each start by daemon.ts; the commands look in both (commands/serving.ts).

import { accessSync, constants } from 'node:fs';

/** Of the unit in systemd/. */
export const serviceRunDir = '/run/spliced';

function isReadOnly(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return false;
  } catch (error) {
    return ['EROFS', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
}

/** Never throws: what cannot be written there either is said by whoever tries. */
export function runDirectoryOf(stateDir: string, env: NodeJS.ProcessEnv = process.env): string {
  const [runtime = ''] = (env.RUNTIME_DIRECTORY ?? '').split(':');
  return runtime !== '' && isReadOnly(stateDir) ? runtime : stateDir;
}
