// SPDX-License-Identifier: Apache-2.0
// Connects the update's room with what the daemon has: the configuration, the log, the events and
// the API. Its code is read when the service is ready, an adapter's when it is needed. Called by
// daemon.ts.

import { randomUUID } from 'node:crypto';
import type { ApiService, Update } from '../api/service.js';
import { bootId } from '../base/boot-id.js';
import type { Events } from '../base/events.js';
import { reasonOf } from '../base/start-error.js';
import type { Configuration } from '../config/configuration.js';
import type { Housekeeper } from '../files/housekeeping.js';
import { secureDirectory } from '../files/state-directory.js';
import type { Log } from '../log/log.js';
import type { UpdateManager } from '../update/manager.js';

export interface UpdateServingParts {
  configuration: Pick<Configuration, 'update'>;
  events: Events;
  log: Log;
  housekeeping: Housekeeper;
  /** Identity of the web root's build; null: it has none. */
  build: () => string | null;
  /** Ends this process after a drain, so that it is started again. */
  endForRestart: () => void;
  /** Aborted: the service drains. */
  stop: AbortSignal;
}

export class UpdateServing {
  readonly #parts: UpdateServingParts;
  #manager: Promise<UpdateManager> | undefined;

  /** Does nothing yet; `start()` does. */
  constructor(parts: UpdateServingParts) {
    this.#parts = parts;
  }

  /** In the background; never throws. Call it when the service is ready: it reads more code. */
  start(): void {
    this.#manager ??= this.#make();
    this.#manager.catch((error) => {
      this.#parts.log.error({ event: 'update_unavailable', reason: reasonOf(error) });
    });
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await (await this.#manager?.catch(() => undefined))?.close();
  }

  /** For the upload, which asks whether it may and tells what has come. */
  manager(): Promise<UpdateManager> {
    if (this.#manager === undefined) throw new Error('start() was not called');
    return this.#manager;
  }

  /** Why the device may be neither restarted nor powered off now; undefined: it may. */
  async powerRefusal(): Promise<string | undefined> {
    const manager = await this.#manager?.catch(() => undefined); // Without updates it always may.
    return manager?.powerRefusal();
  }

  /** What the API needs of the update. */
  readonly service: ApiService['update'] = {
    current: async () => ({ ...(await (await this.manager()).current()) }) satisfies Update,
    install: async (file) => {
      const manager = await this.manager();
      return file === undefined ? manager.install() : manager.installFile(file);
    },
    restart: async () => (await this.manager()).restart(),
    mark: async (slot, mark) => {
      try {
        return { isMarked: true, message: await (await this.manager()).mark(slot, mark) };
      } catch (error) {
        return { isMarked: false, message: reasonOf(error) };
      }
    },
  };

  async #make(): Promise<UpdateManager> {
    const { configuration, events, log, housekeeping, build, endForRestart, stop } = this.#parts;
    const { adapter, directory, command, restart: kind } = configuration.update;
    // A group may bring bundles there: an installer's, or the operators'.
    secureDirectory(directory, { forbidden: 0o002 });
    const { loadInstaller, UpdateManager } = await import('../update/main.js');
    const manager = new UpdateManager({
      adapter,
      loadInstaller: () => loadInstaller(adapter, command),
      directory,
      restart: { kind, env: process.env, endForRestart, stop },
      log,
      housekeeping,
      bootId: bootId(),
      run: randomUUID(),
      build,
      onChange: (document) => events.publish('update', document),
    });
    manager.start();
    return manager;
  }
}
