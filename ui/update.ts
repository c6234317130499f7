// SPDX-License-Identifier: Apache-2.0
// The update of the firmware: follows the device's own account of it (GET update, and its events), so
// that a reload of the page, a restart of the service and the boot change nothing that is shown.

import { change, Refusal, read, reasonOf } from './api.js';
import type { Power, Update } from './documents.js';
import { announce, byId, say } from './dom.js';
import { lockNote, type Session } from './session.js';
import { showSlots } from './slots.js';
import { follow } from './stream.js';
import { failedStep, type PanelActions, showPanel } from './update-panel.js';
import { type Progress, Upload } from './upload.js';
import { afterMs, whenVisible } from './wait.js';

export interface UpdateEvents {
  onChange: () => void;
  /** The device tells of another build of what it serves. */
  onBuild: () => void;
  /** It tells how it is itself. */
  onDevice: (power: Power) => void;
}

/** Where the device has no events for us. */
const pollMs = 2_000;

export class UpdateView {
  readonly #session: Session;
  readonly #events: UpdateEvents;
  document: Update | undefined;
  #upload: Upload | undefined;
  #progress: Progress | undefined;
  #error = '';
  #isUnknown = false;
  /** Events of the update so far. */
  #news = 0;
  #bootId = '';
  #state = '';
  #failedStep = 0;

  constructor(session: Session, events: UpdateEvents) {
    this.#session = session;
    this.#events = events;
    lockNote(byId('update-locked'), 'update the firmware', () => session.ask());
  }

  /** A reload of the page would cut off what it sends. */
  get isBusy(): boolean {
    return this.#upload !== undefined;
  }

  accessChanged(): void {
    const isOpen = this.#session.access === 'granted';
    byId('update-locked').hidden = isOpen;
    byId('update-open').hidden = !isOpen;
    if (isOpen) void this.#follow();
  }

  /** The device answers again. */
  async refresh(): Promise<void> {
    if (this.#session.access !== 'granted' || this.#isUnknown) return;
    const newsBefore = this.#news;
    try {
      const update = await read<Update>('update');
      // An event that came meanwhile is newer, or another one with this very state follows it.
      if (this.#news === newsBefore) this.#take(update);
    } catch (error) {
      this.#session.refused(error);
      if (error instanceof Refusal && error.status === 404) this.#unknown();
    }
  }

  async #follow(): Promise<void> {
    try {
      await this.refresh();
      await follow({
        path: 'events',
        onEvent: ({ name, data }) => {
          if (name === 'update') {
            this.#news += 1;
            this.#take(JSON.parse(data) as Update);
          } else if (name === 'build') this.#events.onBuild();
          else if (name === 'device') this.#events.onDevice(JSON.parse(data) as Power);
        },
        onOpen: () => void this.refresh(),
        signal: this.#session.signal,
      });
    } catch (error) {
      this.#session.refused(error);
      if (error instanceof Refusal && error.status === 404) await this.#poll();
    }
  }

  async #poll(): Promise<void> {
    while (this.#session.access === 'granted' && !this.#isUnknown) {
      await whenVisible();
      await this.refresh();
      await afterMs(pollMs);
    }
  }

  #unknown(): void {
    this.#isUnknown = true;
    this.#show();
  }

  #take(update: Update): void {
    const { bootId, state, slots } = update;
    if (this.#bootId !== '' && bootId !== '' && bootId !== this.#bootId) this.#events.onBuild();
    this.#bootId = bootId;
    this.document = update;
    if (this.#state !== state) {
      if (state === 'failed') this.#failedStep = failedStep(update, this.#state);
      if (this.#state !== '') announce(stateWords[state] ?? state);
      this.#state = state;
    }
    showSlots(slots, update.adapter, (path) => void this.#mark(path));
    this.#show();
    this.#events.onChange();
  }

  #show(): void {
    showPanel(
      {
        update: this.document,
        isUnknown: this.#isUnknown,
        sending: this.#progress,
        failedStep: this.#failedStep,
        error: this.#error,
      },
      this.#actions,
    );
  }

  readonly #actions: PanelActions = {
    choose: (file) => void this.#send(file),
    pause: () => this.#upload?.pause(),
    discard: () => void this.#discard(),
    install: () => void this.#do('POST', 'update/install', {}),
    restart: () => void this.#do('POST', 'update/restart', {}),
  };

  async #send(file: File): Promise<void> {
    if (this.#upload !== undefined) return;
    this.#error = file.size === 0 ? `${file.name} is empty.` : '';
    if (this.#error !== '') return this.#show();
    const upload = new Upload(file, (progress) => {
      this.#progress = progress;
      this.#show();
    });
    this.#upload = upload;
    try {
      const isComplete = await upload.run();
      announce(isComplete ? 'The upload is complete.' : 'The upload is paused.');
    } catch (error) {
      this.#session.refused(error);
      this.#error = reasonOf(error);
    }
    this.#upload = undefined;
    this.#progress = undefined;
    this.#show();
    await this.refresh();
    this.#events.onBuild();
  }

  async #discard(): Promise<void> {
    this.#upload?.pause();
    await this.#do('DELETE', 'update/uploads');
  }

  async #mark(path: string): Promise<void> {
    say('slots-error', '');
    try {
      await change('POST', path, {});
    } catch (error) {
      this.#session.refused(error);
      say('slots-error', reasonOf(error));
    }
    await this.refresh();
  }

  async #do(method: string, path: string, body?: unknown): Promise<void> {
    this.#error = '';
    try {
      await change(method, path, body);
    } catch (error) {
      this.#session.refused(error);
      this.#error = reasonOf(error);
    }
    this.#show();
    await this.refresh();
  }
}

const stateWords: Record<string, string> = {
  idle: 'No update is under way.',
  receiving: 'The bundle is being received.',
  received: 'The bundle is there, ready to be installed.',
  installing: 'The update is being installed.',
  installed: 'The update is installed.',
  failed: 'The update has failed.',
  restarting: 'The device is being restarted.',
};
