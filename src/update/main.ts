// SPDX-License-Identifier: Apache-2.0
// What serving/update.ts loads when the service is ready, as one part of the bundle. An adapter is a
// part of its own.

import type { AdapterName } from './document.js';
import type { Installer } from './installer.js';

export { UpdateManager } from './manager.js';
export { Uploads } from './uploads.js';

export async function loadInstaller(
  adapter: AdapterName,
  command: readonly string[],
): Promise<Installer> {
  switch (adapter) {
    case 'rauc':
      return new (await import('./adapters/rauc.js')).RaucInstaller();
    case 'swupdate':
      return new (await import('./adapters/swupdate.js')).SwupdateInstaller();
    case 'command':
      return new (await import('./adapters/command.js')).CommandInstaller(command);
    case 'none':
      throw new Error('the adapter "none" installs nothing');
  }
}
