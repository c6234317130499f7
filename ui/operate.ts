// SPDX-License-Identifier: Apache-2.0
// What an operator does to the device outside an update: restart it, power it off, end the service; renew
// and request certificates, take its authority home. Each asks before it does what cannot be undone.

import { ask, change, reasonOf } from './api.js';
import { button, byId, say } from './dom.js';
import { type Action, questions } from './power.js';
import { forRole } from './roles.js';
import type { Session } from './session.js';

/** Saves it as a file of the user's. */
export function save(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 0);
}

const pemType = 'application/x-pem-file';

export class Operation {
  readonly #session: Session;

  constructor(session: Session, power: (action: Action) => Promise<void>) {
    this.#session = session;
    const asked = (action: Action) => (): void => {
      if (confirm(questions[action])) void power(action);
    };
    byId('device-actions').append(
      button('Restart the device', asked('restart')),
      button('Power the device off', asked('power-off')),
      button('End the service', () => {
        const question =
          'End the service? What is active is finished first. It comes back with the next connection only where systemd holds its socket; elsewhere by a hand on the device.';
        if (!confirm(question)) return;
        const drain = (): Promise<unknown> => change('POST', 'drain', {});
        this.#run('device-result', drain, 'The service finishes what is active, and ends.');
      }),
    );
    byId('certificate-actions').append(
      button('Download the authority', () => this.#run('certificate-result', saveAuthority, '')),
      forRole(
        'operate',
        button('Renew now', () => {
          const renew = (): Promise<unknown> => change('POST', 'certificates/renewal', {});
          this.#run('certificate-result', renew, 'It has begun; the log tells the end.');
        }),
      ),
    );
    byId('request').addEventListener('submit', (event) => {
      event.preventDefault();
      const done = 'Its key stays on the device. Have it signed, and install the chain here.';
      this.#run('certificate-result', saveRequest, done);
    });
  }

  accessChanged(): void {
    const isOpen = this.#session.access === 'granted';
    byId('device-actions').hidden = !isOpen;
    byId('certificate-tools').hidden = !isOpen;
  }

  #run(place: string, work: () => Promise<unknown>, done: string): void {
    say(place, '');
    work().then(
      () => say(place, done),
      (error) => {
        this.#session.refused(error);
        say(place, reasonOf(error));
      },
    );
  }
}

async function saveAuthority(): Promise<void> {
  const response = await ask('certificates/authority');
  save('device-authority.pem', await response.text(), pemType);
}

async function saveRequest(): Promise<void> {
  const field = byId<HTMLInputElement>('request-names');
  const names = field.value.split(/[\s,]+/).filter((name) => name !== '');
  const { request } = await change<{ request: string }>('POST', 'certificates/requests', { names });
  save('request.pem', request, pemType);
}
