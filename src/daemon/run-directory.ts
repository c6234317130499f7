// SPDX-License-Identifier: Apache-2.0
// Where a service makes what lives no longer than itself, the API's sockets and service.json: in its
// state directory. Where that cannot be written (worn flash is remounted read-only) the unit's runtime
// directory takes them, systemd.exec(5): what would clear the disk is reached all the same. Asked once
// a start by daemon.ts; the commands look in both (commands/serving.ts).

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
