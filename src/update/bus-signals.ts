// SPDX-License-Identifier: Apache-2.0
// Signals on the system bus: one connection that sleeps until a service says something. busctl cannot
// (monitoring is root's alone), and to ask again and again would wake the device for nothing. As much
// of the D-Bus Specification as that needs: EXTERNAL ("Authentication Protocol"), Hello and AddMatch,
// and what of a message its receiver is told (bus-message.ts). Used by the adapter for RAUC.

import { createConnection, type Socket } from 'node:net';
import { visible } from '../base/visible.js';
import { type BusMessage, busCall, MessageReader, messageType } from './bus-message.js';
import { userAdvice } from './busctl.js';

export interface SignalEvents {
  /** From here on nothing is missed. Also each time that the bus is there again. */
  onOpen(): void;
  onSignal(member: string): void;
  /** Once, until the next onOpen: it is tried again by itself. */
  onTrouble(reason: string): void;
}

export const signalBounds = {
  /** Between attempts: doubled from the first to the last. */
  retryMsMin: 5_000,
  retryMsMax: 60_000,
  /** Of the server's lines before its first message. */
  greetingBytesMax: 4096,
} as const;

const defaultAddress = 'unix:path=/run/dbus/system_bus_socket';
const [helloSerial, matchSerial] = [1, 2];

/** "Server Addresses": the first one on a Unix socket. Undefined: there is none. */
function socketPath(address: string): string | undefined {
  for (const entry of address.split(';')) {
    const [, kind, value = ''] = /^unix:(?:.*,)?(path|abstract)=([^,]*)/.exec(entry) ?? [];
    if (kind !== undefined) return (kind === 'abstract' ? '\0' : '') + decodeURIComponent(value);
  }
  return undefined;
}

export class BusSignals {
  readonly #rule: string;
  readonly #events: SignalEvents;
  readonly #address: string;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #retryMs: number = signalBounds.retryMsMin;
  #isTroubleTold = false;
  #isClosed = false;

  /** Connects at once, and again whenever the connection ends; `rule` is a match rule. */
  constructor(
    rule: string,
    events: SignalEvents,
    address = process.env.DBUS_SYSTEM_BUS_ADDRESS ?? defaultAddress,
  ) {
    this.#rule = rule;
    this.#events = events;
    this.#address = address;
    this.#connect();
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #connect(): void {
    const path = socketPath(this.#address);
    if (path === undefined) {
      this.#ended(`${this.#address} is no Unix socket`);
      return;
    }
    const socket = createConnection({ path });
    const reader = new MessageReader();
    let greeting = '';
    let isGreeted = false;
    let reason = '';
    const fail = (why: string): void => {
      reason ||= why;
      socket.destroy();
    };
    const take = (data: Buffer): void => {
      for (const message of reader.take(data)) this.#take(message, fail);
    };
    this.#socket = socket;
    socket.on('connect', () => {
      // "Authentication Protocol": a zero byte, and who we are, which the kernel confirms.
      const user = Buffer.from(String(process.getuid?.() ?? 0)).toString('hex');
      socket.write(`\0AUTH EXTERNAL ${user}\r\n`);
    });
    socket.on('data', (data) => {
      try {
        if (isGreeted) return take(data);
        greeting += data.toString('latin1');
        const end = greeting.indexOf('\r\n');
        if (end < 0 && greeting.length > signalBounds.greetingBytesMax) return fail('it babbles');
        if (end < 0) return;
        const line = greeting.slice(0, end);
        if (!line.startsWith('OK ')) return fail(`it does not let us in: ${visible(line)}`);
        isGreeted = true;
        socket.write('BEGIN\r\n');
        socket.write(busCall(helloSerial, 'Hello'));
        socket.write(busCall(matchSerial, 'AddMatch', this.#rule));
        take(Buffer.from(greeting.slice(end + 2), 'latin1'));
      } catch (error) {
        fail((error as Error).message);
      }
    });
    socket.on('error', (error) => fail(error.message));
    // dbus-daemon says nothing to a user whom it does not find: it ends the connection.
    socket.on('close', () => this.#ended(reason || (isGreeted ? userAdvice : 'it has hung up')));
  }

  #take({ type, member, replySerial }: BusMessage, fail: (why: string) => void): void {
    if (type === messageType.error) fail('it refuses to tell of signals');
    if (type === messageType.signal) this.#events.onSignal(member);
    if (type !== messageType.methodReturn || replySerial !== matchSerial) return;
    this.#retryMs = signalBounds.retryMsMin;
    this.#isTroubleTold = false;
    this.#events.onOpen();
  }

  #ended(reason: string): void {
    if (this.#isClosed) return;
    if (!this.#isTroubleTold) this.#events.onTrouble(`The system bus: ${reason}.`);
    this.#isTroubleTold = true;
    this.#timer = setTimeout(() => this.#connect(), this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, signalBounds.retryMsMax);
  }
}
