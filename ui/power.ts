// SPDX-License-Identifier: Apache-2.0
// Restart and power-off of the device: asked for here or in another window, and followed by the
// device's own account of it (GET device, and its events) until it is gone and back.

import { change, read, reasonOf } from './api.js';
import type { Power } from './documents.js';
import { announce, say } from './dom.js';
import type { Session } from './session.js';

export type Action = 'restart' | 'power-off';

export const questions: Readonly<Record<Action, string>> = {
  restart: 'Restart the device? What is active is finished first.',
  'power-off':
    'Power the device off? What is active is finished first. Nobody can switch it on again from here: that takes a hand at the device.',
};

const underWay: Readonly<Record<Power['state'], string>> = {
  running: '',
  restarting: 'The device is being restarted. Leave this page open: it comes back with the device.',
  'powering-off': 'The device is being powered off. It comes back when somebody switches it on.',
};

export class PowerView {
  readonly #session: Session;
  readonly #onChange: () => void;
  state: Power['state'] = 'running';

  constructor(session: Session, onChange: () => void) {
    this.#session = session;
    this.#onChange = onChange;
  }

  async ask(action: Action): Promise<void> {
    say('device-result', '');
    try {
      this.take(await change<Power>('POST', `device/${action}`, {}));
    } catch (error) {
      this.#session.refused(error);
      say('device-result', reasonOf(error));
    }
  }

  /** What the device says of itself. */
  take({ state, error }: Power): void {
    const words = error ?? underWay[state];
    if (words !== '' || this.state !== state) {
      say('device-result', words);
      announce(words);
    }
    this.state = state;
    this.#onChange();
  }

  /** The device answers again. */
  async refresh(): Promise<void> {
    if (this.state === 'running') return;
    try {
      this.take(await read<Power>('device'));
    } catch (error) {
      this.#session.refused(error);
    }
  }
}
