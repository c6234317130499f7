// SPDX-License-Identifier: Apache-2.0
// Connects the uploads with what the daemon has: the addon, the engine, the configuration, and the
// update that takes what was received. Called by daemon.ts.

import type { ApiService } from '../api/service.js';
import { reasonOf } from '../base/start-error.js';
import type { Configuration } from '../config/configuration.js';
import type { NativeModule, Service, Upload } from '../engine/native.js';
import type { Housekeeper } from '../files/housekeeping.js';
import type { Log } from '../log/log.js';
import type { Uploads } from '../update/uploads.js';
import type { UpdateServing } from './update.js';

export interface UploadServingParts {
  native: Pick<NativeModule, 'Upload' | 'reserveFile'>;
  service: Pick<Service, 'setUploads'>;
  configuration: Pick<Configuration, 'update'>;
  log: Log;
  housekeeping: Housekeeper;
  update: Pick<UpdateServing, 'manager'>;
}

export class UploadServing {
  readonly #parts: UploadServingParts;
  #uploads: Promise<Uploads<Upload>> | undefined;

  /** Does nothing yet; `start()` does. */
  constructor(parts: UploadServingParts) {
    this.#parts = parts;
  }

  /** In the background; never throws. Call it when the update was started. */
  start(): void {
    this.#uploads ??= this.#make();
    this.#uploads.catch((error) => {
      this.#parts.log.error({ event: 'uploads_unavailable', reason: reasonOf(error) });
    });
  }

  /** What the API needs of the uploads. */
  readonly service: ApiService['uploads'] = {
    state: async () => (await this.#made()).state(),
    begin: async (wish) => (await this.#made()).begin(wish),
    giveUp: async () => {
      const hadPart = await (await this.#made()).giveUp();
      return (await this.#parts.update.manager()).forget() || hadPart;
    },
  };

  /** Puts what came on the medium. When the engine has stopped. */
  async close(): Promise<void> {
    await (await this.#uploads?.catch(() => undefined))?.close();
  }

  #made(): Promise<Uploads<Upload>> {
    if (this.#uploads === undefined) throw new Error('start() was not called');
    return this.#uploads;
  }

  async #make(): Promise<Uploads<Upload>> {
    const { native, service, configuration, log, housekeeping, update } = this.#parts;
    const { directory, sizeMaxBytes } = configuration.update;
    const manager = await update.manager();
    const { Uploads } = await import('../update/main.js');
    const uploads = new Uploads<Upload>({
      directory,
      sizeMaxBytes,
      openReceiver: (options, onNews) => new native.Upload(options, onNews),
      reserveFile: native.reserveFile,
      setReceivers: (receivers) => service.setUploads(receivers),
      log,
      housekeeping,
      refusal: () => manager.receiveRefusal(),
      onChange: (upload) => manager.uploadChanged(upload),
      onReceived: (bundle) => manager.received(bundle),
    });
    await uploads.start();
    return uploads;
  }
}
