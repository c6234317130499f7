// SPDX-License-Identifier: Apache-2.0
// STATUS, and READY after a reload, by the systemd-notify package, which starts the program of that
// name: one at a time, and only the newest of the words that came meanwhile. Where the program is
// missing, the same goes as a datagram from then on. Made by systemd.ts.

import type { NotifySocket } from './notify.js';

/** As the package has it. */
export type Notify = (message: { ready?: true; status: string }) => Promise<unknown>;

const loadPackage = async (): Promise<Notify> => (await import('systemd-notify')).default;

export class StatusCarrier {
  readonly #socket: NotifySocket;
  readonly #onFailure: (error: unknown) => void;
  readonly #load: () => Promise<Notify>;
  #isUsable = true;
  #next: string | undefined;
  #sending: Promise<void> | undefined;

  constructor(
    socket: NotifySocket,
    onFailure: (error: unknown) => void,
    load: () => Promise<Notify> = loadPackage,
  ) {
    this.#socket = socket;
    this.#onFailure = onFailure;
    this.#load = load;
  }

  get isSending(): boolean {
    return this.#sending !== undefined;
  }

  /** Says it when the words before have been said; those that wait are replaced. */
  say(status: string): void {
    this.#next = status;
    this.#sending ??= this.#sendAll();
  }

  /** READY with its words, in the order of the calls; resolves when it has been sent. */
  async ready(status: string): Promise<void> {
    await this.settle();
    await this.#send({ ready: true, status });
  }

  /** Forgets what waits; resolves when nothing is under way. */
  async settle(): Promise<void> {
    this.#next = undefined;
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    while (this.#next !== undefined) {
      const status = this.#next;
      this.#next = undefined;
      await this.#send({ status });
    }
    this.#sending = undefined;
  }

  async #send(message: Parameters<Notify>[0]): Promise<void> {
    if (this.#isUsable) {
      try {
        return await this.#start(message);
      } catch (error) {
        this.#isUsable = false;
        this.#onFailure(error);
      }
    }
    const ready = message.ready ? 'READY=1\n' : '';
    this.#socket.notifySystemd(`${ready}STATUS=${message.status}`);
  }

  /** With the socket in the environment for just as long as the child is made. */
  async #start(message: Parameters<Notify>[0]): Promise<void> {
    const notify = await this.#load();
    process.env.NOTIFY_SOCKET = this.#socket.address;
    try {
      const sent = notify(message); // The child has its environment by now.
      delete process.env.NOTIFY_SOCKET;
      await sent;
    } finally {
      delete process.env.NOTIFY_SOCKET;
    }
  }
}
