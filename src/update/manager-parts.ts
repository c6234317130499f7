// SPDX-License-Identifier: Apache-2.0
// What the update's manager is made of. Types only.

import type { Housekeeper } from '../files/housekeeping.js';
import type { Log } from '../log/log.js';
import type { AdapterName, UpdateDocument } from './document.js';
import type { Installer } from './installer.js';
import type { RestartMeans } from './restart.js';

export interface UpdateParts {
  adapter: AdapterName;
  /** Reads the adapter's code. Not called for the adapter "none". */
  loadInstaller: () => Promise<Installer>;
  directory: string;
  restart: RestartMeans;
  log: Log;
  housekeeping: Housekeeper;
  /** Of the boot, and of this process. */
  bootId: string;
  run: string;
  /** Identity of the web root's build. */
  build: () => string | null;
  /** After each change of the document. */
  onChange: (document: UpdateDocument) => void;
  restartPatienceMs?: number;
}
