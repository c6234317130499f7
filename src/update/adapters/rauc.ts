// SPDX-License-Identifier: Apache-2.0
// RAUC as the installer, over D-Bus (de.pengutronix.rauc.Installer; RAUC's docs/reference, "D-Bus
// API"). An installation is RAUC's own: it goes on while we restart, and is found again by the bus
// name's owner, which is another one should RAUC itself have ended meanwhile. Its end is the operation
// "idle" behind 100 percent, with LastError for the reason, which RAUC empties at the beginning. "idle"
// alone is no end: RAUC says so too when it refuses a second installation beside one that goes on
// (1.8: r_on_handle_install_bundle). What others begin is heard by signals. Loaded by main.ts when it
// is configured.

import { setTimeout as sleep } from 'node:timers/promises';
import { BusSignals } from '../bus-signals.js';
import { BusError, call, ownerOf, properties } from '../busctl.js';
import {
  type BundleDetails,
  type Device,
  type InstallCallbacks,
  InstallError,
  type Installer,
  type OthersEvents,
  type Slot,
  type SlotMark,
} from '../installer.js';
import { programBounds } from '../program.js';

const service = 'de.pengutronix.rauc';
const rauc = { service, path: '/', interface: `${service}.Installer` };

const signalRule = `type='signal',sender='${service}',path='/'`;

const pollMsDefault = 500;
/** Looks in a row that show the end: LastError comes a moment behind the last percent. */
const endLooks = 2;
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

/** Nothing: the last installation went well. */
function refuse(lastError: unknown): void {
  const reason = textOf(lastError);
  if (reason !== null) throw new InstallError(reason);
}

export class RaucInstaller implements Installer {
  readonly #ended = new AbortController();
  readonly #pollMs: number;
  #signals: BusSignals | undefined;
  /** An installation that is followed: its signals are no news. */
  #isFollowing = false;
  /** A look at RAUC is under way; another one is wanted behind it. */
  #isLooking = false;
  #isLookWanted = false;
  /** So many installations have ended unseen. */
  #unseen = 0;

  constructor(pollMs = pollMsDefault) {
    this.#pollMs = pollMs;
  }

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
    await this.#following(async () => {
      // A question first: it starts the service where it does not run.
      const [operation] = await properties(rauc, 'Operation');
      if (operation !== 'idle') throw new InstallError(`RAUC is busy: ${String(operation)}.`);
      const owner = await ownerOf(service);
      callbacks.onToken(owner);
      await call(rauc, 'InstallBundle', 'sa{sv}', path, '0');
      await this.#untilOver(owner, callbacks);
    });
  }

  async resume(token: string, callbacks: InstallCallbacks): Promise<void> {
    await this.#following(() => this.#untilOver(token, callbacks));
  }

  watchOthers(events: OthersEvents): void {
    this.#signals = new BusSignals(signalRule, {
      onOpen: () => void this.#look(events),
      onSignal: (member) => {
        if (member === 'Completed') this.#completed(events);
        else void this.#look(events);
      },
      onTrouble: (reason) => events.onTrouble(reason),
    });
  }

  async mark(slot: string, mark: SlotMark): Promise<string> {
    const [name, message] = await call(rauc, 'Mark', 'ss', mark, slot);
    return textOf(message) ?? `marked slot ${String(name)} as ${mark}`;
  }

  close(): void {
    this.#ended.abort();
    this.#signals?.close();
  }

  /** RAUC does something, or was not heard for a while. It is not started for that. */
  async #look(events: OthersEvents): Promise<void> {
    this.#isLookWanted = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    while (this.#isLookWanted && !this.#isFollowing) {
      this.#isLookWanted = false;
      const unseen = this.#unseen;
      try {
        const owner = await ownerOf(service);
        const [operation] = await properties(rauc, 'Operation');
        if (operation === 'idle' || this.#isFollowing || this.#unseen !== unseen) continue;
        events.onBegun((callbacks) => {
          callbacks.onToken(owner);
          return this.resume(owner, callbacks);
        });
      } catch (error) {
        if (!(error instanceof InstallError)) throw error;
        // It does not run; or it is busy, and its next signal comes.
      }
    }
    this.#isLooking = false;
  }

  /** Of an installation that was over before we could see it: its reason is still there. */
  #completed({ onBegun }: OthersEvents): void {
    if (this.#isFollowing) return;
    this.#unseen += 1;
    onBegun(() =>
      this.#following(async () => {
        const [lastError] = await properties(rauc, 'LastError');
        refuse(lastError);
      }),
    );
  }

  async #following(work: () => Promise<void>): Promise<void> {
    this.#isFollowing = true;
    try {
      await work();
    } finally {
      this.#isFollowing = false;
    }
  }

  async #untilOver(owner: string, { onProgress }: InstallCallbacks): Promise<void> {
    const { signal } = this.#ended;
    const endMs = performance.now() + programBounds.installTimeoutMs;
    let ends = 0;
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
        await sleep(this.#pollMs, undefined, { signal });
        continue;
      }
      const [operation, progress, lastError] = answer;
      const [percent, message] = progress as [number, string];
      ends = operation === 'idle' && percent === 100 ? ends + 1 : 0;
      if (ends === endLooks) return refuse(lastError);
      onProgress({ percent: Math.min(Math.max(percent, 0), 100), message });
      await sleep(this.#pollMs, undefined, { signal });
    }
    throw new InstallError('RAUC has not come to an end in time.');
  }
}
