// SPDX-License-Identifier: Apache-2.0
// Drives manager.py, a small service manager: starts and restarts the server as one does, with
// sockets, a store and a notify socket, and shows what it was told.

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type LogLine, logLines } from './server.js';

export interface Told {
  told: Record<string, string>;
  fds: number;
}

const waitMs = 20_000;

export class Manager {
  /** Messages to the notify socket, in their order. */
  readonly told: Told[] = [];
  /** The server's log, of every start. */
  readonly log: LogLine[] = [];
  /** Of the socket unit's sockets. */
  ports: number[] = [];
  pid = 0;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #exitCodes: number[] = [];
  #errors = '';
  #waiting: { isMet: () => boolean; resolve: () => void }[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = new Promise((resolve) => child.on('close', resolve));
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) throw new Error('no streams');
    createInterface({ input: stdout }).on('line', (line) => this.#take(JSON.parse(line)));
    createInterface({ input: stderr }).on('line', (line) => {
      this.log.push(...logLines(line));
      if (!line.startsWith('{')) this.#errors += `${line}\n`;
      this.#look();
    });
  }

  /** `sockets`: names and ports of a socket unit, on the loopback address. */
  static async create(
    address: string,
    sockets: [string, number][],
    args: string[],
    env: NodeJS.ProcessEnv = {},
  ): Promise<Manager> {
    const assignments = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const server = [
      '/usr/bin/env',
      ...assignments,
      process.execPath,
      'dist/cli.js',
      'serve',
      ...args,
    ];
    const child = spawn(
      'python3',
      ['test/cli/manager.py', address, JSON.stringify(sockets), ...server],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    const manager = new Manager(child);
    await manager.until('its ports', () => manager.ports.length === sockets.length);
    return manager;
  }

  #take(said: { ports?: number[]; started?: number; ended?: number } & Partial<Told>): void {
    if (said.ports) this.ports = said.ports;
    if (said.started) this.pid = said.started;
    if (said.ended !== undefined) this.#exitCodes.push(said.ended);
    // systemd-notify's own, to know that it was heard: no message of the service.
    if (said.told && !said.told.BARRIER) this.told.push({ told: said.told, fds: said.fds ?? 0 });
    this.#look();
  }

  #look(): void {
    const met = this.#waiting.filter(({ isMet }) => isMet());
    this.#waiting = this.#waiting.filter((waiter) => !met.includes(waiter));
    for (const { resolve } of met) resolve();
  }

  /** Resolves when it is so; rejects, with what is known, when it is not so in time. */
  until(what: string, isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const known = () =>
        JSON.stringify({ told: this.told, log: this.log, codes: this.#exitCodes });
      const timer = setTimeout(() => reject(new Error(`waited for ${what}: ${known()}`)), waitMs);
      const met = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.push({ isMet, resolve: met });
    });
  }

  /** Starts the server and waits for READY. The answer is what it was told since then. */
  async start(): Promise<Told[]> {
    const before = this.told.length;
    const ended = this.#exitCodes.length;
    this.command('start');
    const isReady = () => this.told.slice(before).some(({ told }) => told.READY);
    await this.until('READY', () => isReady() || this.#exitCodes.length > ended);
    if (!isReady()) throw new Error(`ended with ${this.#exitCodes.at(-1)}: ${this.#errors}`);
    return this.told.slice(before);
  }

  command(text: string): void {
    this.#child.stdin?.write(`${text}\n`);
  }

  /** Signals the server and waits for its end. */
  async signal(name: NodeJS.Signals): Promise<number> {
    const before = this.#exitCodes.length;
    this.command(`signal ${name}`);
    await this.until('its end', () => this.#exitCodes.length > before);
    return this.#exitCodes.at(-1) ?? -1;
  }

  async end(): Promise<void> {
    this.command('end');
    await this.#ended;
  }

  event(name: string): LogLine | undefined {
    return this.log.findLast(({ event }) => event === name);
  }
}
