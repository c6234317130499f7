// SPDX-License-Identifier: Apache-2.0
// A message bus with RAUC on it, for the adapter: a socket that speaks as much of D-Bus as the signals
// need, and a program in the place of busctl that answers with what the test says. The real ones:
// test/guest/update.test.ts.

import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Test } from 'tap';

export interface RaucState {
  owner: string;
  operation: string;
  percent: number;
  message: string;
  lastError: string;
}

const busctl = `#!/bin/sh
d=$(dirname "$0")
echo "$*" >>"$d/calls"
case "$*" in
  *GetNameOwner*)
    [ -s "$d/owner" ] || { echo "Call failed: Could not get owner: no such name" >&2; exit 1; }
    cat "$d/owner" ;;
  *'Operation Progress LastError')
    [ ! -e "$d/failing" ] || { rm "$d/failing"; echo "Call failed: busy" >&2; exit 1; }
    cat "$d/properties" ;;
  *LastError) tail -n 1 "$d/properties" ;;
  *Operation)
    answer=$(head -n 1 "$d/properties")
    [ ! -e "$d/hold" ] || touch "$d/held"
    while [ -e "$d/hold" ]; do sleep 0.01; done
    echo "$answer" ;;
  *InstallBundle*) echo "$*" >>"$d/installs"; echo '{"type":"","data":[]}' ;;
  *)
    for name in Compatible GetSlotStatus InspectBundle Info Mark; do
      case " $* " in *" $name "*) ;; *) continue ;; esac
      [ ! -e "$d/$name.error" ] || { cat "$d/$name.error" >&2; exit 1; }
      [ ! -e "$d/$name" ] || exec cat "$d/$name"
    done
    echo "what is $*" >&2; exit 1 ;;
esac
`;

/** With `order`: as the specification has it, for a peer of either byte order. */
export function signal(member: string, order: 'l' | 'B' = 'l'): Buffer {
  const text = Buffer.from(member);
  const fields = Buffer.alloc(8 + Math.ceil((text.length + 1) / 8) * 8);
  const body = Buffer.alloc(4);
  const fixed = Buffer.alloc(16);
  const put = (buffer: Buffer, value: number, at: number): number =>
    order === 'l' ? buffer.writeUInt32LE(value, at) : buffer.writeUInt32BE(value, at);
  fields.set([3, 1, 's'.charCodeAt(0)]);
  put(fields, text.length, 4);
  text.copy(fields, 8);
  fixed.set([order.charCodeAt(0), 4, 1, 1]);
  put(fixed, body.length, 4);
  put(fixed, 7, 8);
  put(fixed, 8 + text.length + 1, 12);
  return Buffer.concat([fixed, fields, body]);
}

/** The answer to the call with this serial. */
function methodReturn(serial: number, type = 2): Buffer {
  const fields = Buffer.from([5, 1, 'u'.charCodeAt(0), 0, serial, 0, 0, 0]);
  return Buffer.concat([
    Buffer.from([0x6c, type, 1, 1, 0, 0, 0, 0, 9, 0, 0, 0, 8, 0, 0, 0]),
    fields,
  ]);
}

export class FakeBus {
  readonly directory: string;
  readonly address: string;
  /** What clients have sent, each until its subscription. */
  readonly heard: Buffer[] = [];
  /** Refuses the subscription, or hangs up before it. */
  mood: 'kind' | 'refuses' | 'hangs up' = 'kind';
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();

  constructor(directory: string) {
    this.directory = directory;
    this.address = `unix:path=${join(directory, 'bus')},guid=0`;
    writeFileSync(join(directory, 'busctl'), busctl, { mode: 0o755 });
  }

  async start(): Promise<void> {
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.listen(join(this.directory, 'bus'));
    await once(this.#server, 'listening');
  }

  rauc({ owner, operation, percent, message, lastError }: RaucState): void {
    const put = (name: string, text: string): void => {
      writeFileSync(join(this.directory, `${name}.new`), text);
      renameSync(join(this.directory, `${name}.new`), join(this.directory, name));
    };
    put('owner', owner === '' ? '' : `${JSON.stringify({ type: 's', data: [owner] })}\n`);
    const values = [
      { type: 's', data: operation },
      { type: '(isi)', data: [percent, message, 1] },
      { type: 's', data: lastError },
    ];
    put('properties', values.map((value) => `${JSON.stringify(value)}\n`).join(''));
  }

  /** To a call of this method, or for this property. */
  answers(name: string, data: unknown): void {
    rmSync(join(this.directory, `${name}.error`), { force: true });
    writeFileSync(join(this.directory, name), `${JSON.stringify({ type: '', data })}\n`);
  }

  refuses(name: string, reason: string): void {
    writeFileSync(join(this.directory, `${name}.error`), `Call failed: ${reason}\n`);
  }

  /** The next question how far it is. */
  failsOnce(): void {
    writeFileSync(join(this.directory, 'failing'), '');
  }

  /** What it does is asked, and the answer is held back until the function is called. */
  holdOperation(): () => void {
    writeFileSync(join(this.directory, 'hold'), '');
    rmSync(join(this.directory, 'held'), { force: true });
    return () => rmSync(join(this.directory, 'hold'));
  }

  has(name: 'failing' | 'held' | 'installs'): boolean {
    return existsSync(join(this.directory, name));
  }

  get calls(): string {
    return readFileSync(join(this.directory, 'calls'), 'utf8');
  }

  get listeners(): number {
    return this.#sockets.size;
  }

  /** To all who listen; in two pieces, as a stream may. */
  send(message: Buffer): void {
    for (const socket of this.#sockets) {
      socket.write(message.subarray(0, 20));
      socket.write(message.subarray(20));
    }
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  #serve(socket: Socket): void {
    let text = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (data) => {
      const before = text.toString('latin1');
      text = Buffer.concat([text, data]);
      const now = text.toString('latin1');
      if (!before.includes('\r\n') && now.includes('\r\n')) socket.write('OK 1234\r\n');
      if (now.includes('BEGIN\r\n') && this.mood === 'hangs up') socket.destroy();
      if (!now.includes("path='/'") || before.includes("path='/'")) return;
      this.heard.push(text);
      this.#sockets.add(socket);
      // A reply to Hello, a signal of the bus itself, the subscription.
      const answer = methodReturn(2, this.mood === 'refuses' ? 3 : 2);
      socket.write(Buffer.concat([methodReturn(1), signal('NameAcquired'), answer]));
    });
  }
}

/** A busctl of the last question may still write there; rmSync() itself looks once at what is in it. */
async function removeDirectory(path: string): Promise<void> {
  for (;;) {
    try {
      return rmSync(path, { recursive: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
    }
    await setTimeout(10);
  }
}

export async function startBus(t: Test): Promise<FakeBus> {
  // A socket's name has room for 107 characters.
  const bus = new FakeBus(mkdtempSync(join(tmpdir(), 'spliced-bus-')));
  await bus.start();
  const { PATH, DBUS_SYSTEM_BUS_ADDRESS } = process.env;
  process.env.PATH = `${bus.directory}:/usr/bin:/bin`;
  process.env.DBUS_SYSTEM_BUS_ADDRESS = bus.address;
  t.teardown(async () => {
    await bus.stop();
    await removeDirectory(bus.directory);
    process.env.PATH = PATH;
    if (DBUS_SYSTEM_BUS_ADDRESS === undefined) delete process.env.DBUS_SYSTEM_BUS_ADDRESS;
    else process.env.DBUS_SYSTEM_BUS_ADDRESS = DBUS_SYSTEM_BUS_ADDRESS;
  });
  return bus;
}
