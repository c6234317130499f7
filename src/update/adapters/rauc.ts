// SPDX-License-Identifier: Apache-2.0
// RAUC as the installer, over D-Bus (de.pengutronix.rauc.Installer; RAUC's docs/reference, "D-Bus
// API"). An installation is RAUC's own: it goes on while we restart, and is found again by the bus
// name's owner, which is another one should RAUC itself have ended meanwhile. Its signal Completed
// cannot be waited for (busctl.ts): its end is the operation "idle", with LastError for the reason,
// which RAUC empties at the beginning. Loaded by main.ts when it is configured and needed.

import { setTimeout as sleep } from 'node:timers/promises';
import { BusError, call, ownerOf, properties } from '../busctl.js';
import {
  type BundleDetails,
  type Device,
  type InstallCallbacks,
  InstallError,
  type Installer,
  type Slot,
  type SlotMark,
} from '../installer.js';
import { programBounds } from '../program.js';

const service = 'de.pengutronix.rauc';
const rauc = { service, path: '/', interface: `${service}.Installer` };

const pollMs = 500;
/** Of questions in a row: RAUC or the bus may be busy for a while. */
const failuresMax = 20;

/** All that Info says of a bundle that it does not accept. */
const unexplained = 'rauc info error';
const unexplainedInWords =
  'RAUC does not accept this bundle: its signature is wrong, or it is damaged. Installing it all the ' +
  'same tells the reason, and writes nothing.';

type Dictionary = Record<string, { data: unknown } | undefined>;

const textOf = (value: unknown): string | null =>
  typeof value === 'string' && value !== '' ? value : null;

const isUnknownMethod = (error: unknown): boolean =>
  error instanceof BusError && /unknown method|no such (interface|method)/i.test(error.message);

function stateOf(state: unknown): Slot['state'] {
  return state === 'booted' || state === 'active' ? state : 'inactive';
}

function slotOf([name, dictionary]: [string, Dictionary]): Slot {
  const value = (key: string): unknown => dictionary[key]?.data;
  const status = value('boot-status');
  return {
    name,
    bootname: textOf(value('bootname')),
    state: stateOf(value('state')),
    status: status === 'good' || status === 'bad' ? status : 'unknown',
    version: textOf(value('bundle.version')),
  };
}

function detailsOf(info: Dictionary): BundleDetails {
  const update = (info.update?.data ?? {}) as Dictionary;
  const value = (key: string): string | null => textOf(update[key]?.data);
  return {
    compatible: value('compatible'),
    version: value('version'),
    description: value('description'),
  };
}

export class RaucInstaller implements Installer {
  readonly #ended = new AbortController();

  async device(): Promise<Device> {
    const [compatible] = await properties(rauc, 'Compatible');
    const [status] = await call(rauc, 'GetSlotStatus');
    const slots = (status as [string, Dictionary][]).map(slotOf);
    slots.sort((a, b) => (a.name < b.name ? -1 : 1));
    return { compatible: textOf(compatible), slots };
  }

  /** InspectBundle is of RAUC 1.9; before it, Info tells less. Both verify the signature. */
  async inspect(path: string): Promise<BundleDetails> {
    try {
      const [info] = await call(rauc, 'InspectBundle', 'sa{sv}', path, '0');
      return detailsOf(info as Dictionary);
    } catch (error) {
      if (!isUnknownMethod(error)) throw error;
    }
    try {
      const [compatible, version] = await call(rauc, 'Info', 's', path);
      return { compatible: textOf(compatible), version: textOf(version), description: null };
    } catch (error) {
      if (!(error instanceof BusError) || error.message !== unexplained) throw error;
      throw new InstallError(unexplainedInWords);
    }
  }

  async install(path: string, callbacks: InstallCallbacks): Promise<void> {
    // A question first: it starts the service where it does not run.
    const [operation] = await properties(rauc, 'Operation');
    if (operation !== 'idle') throw new InstallError(`RAUC is busy: ${String(operation)}.`);
    const owner = await ownerOf(service);
    callbacks.onToken(owner);
    await call(rauc, 'InstallBundle', 'sa{sv}', path, '0');
    await this.#follow(owner, callbacks);
  }

  async resume(token: string, callbacks: InstallCallbacks): Promise<void> {
    await this.#follow(token, callbacks);
  }

  async mark(slot: string, mark: SlotMark): Promise<string> {
    const [name, message] = await call(rauc, 'Mark', 'ss', mark, slot);
    return textOf(message) ?? `marked slot ${String(name)} as ${mark}`;
  }

  close(): void {
    this.#ended.abort();
  }

  /** Until RAUC is idle again. */
  async #follow(owner: string, { onProgress }: InstallCallbacks): Promise<void> {
    const { signal } = this.#ended;
    const endMs = performance.now() + programBounds.installTimeoutMs;
    for (let failures = 0; performance.now() < endMs; ) {
      signal.throwIfAborted();
      let answer: unknown[];
      try {
        answer = await properties(rauc, 'Operation', 'Progress', 'LastError');
        if ((await ownerOf(service)) !== owner) {
          throw new InstallError("RAUC's service ended during the installation.");
        }
        failures = 0;
      } catch (error) {
        failures += 1;
        if (!(error instanceof BusError) || failures > failuresMax) throw error;
        await sleep(pollMs, undefined, { signal });
        continue;
      }
      const [operation, progress, lastError] = answer;
      const [percent, message] = progress as [number, string];
      if (operation === 'idle') {
        const reason = textOf(lastError);
        if (reason === null) return;
        throw new InstallError(reason);
      }
      onProgress({ percent: Math.min(Math.max(percent, 0), 100), message });
      await sleep(pollMs, undefined, { signal });
    }
    throw new InstallError('RAUC has not come to an end in time.');
  }
}
