// SPDX-License-Identifier: Apache-2.0
// A TLS client that sends records as it likes: Node's client does the handshake, then its keys are
// taken (the key log) and every record is made here. AES-128-GCM alone. RFC 8446 5 and 7, RFC 5246
// 6.2 and 6.3, RFC 5288 3.

import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { Running } from './service.js';

export type Version = 'TLSv1.2' | 'TLSv1.3';

export const contentType = { changeCipherSpec: 20, alert: 21, handshake: 22, data: 23 };
export const alerts = {
  unexpectedMessage: 10,
  recordOverflow: 22,
  illegalParameter: 47,
  decodeError: 50,
  internalError: 80,
  noRenegotiation: 100,
};

export interface TlsRecord {
  type: number;
  content: Buffer;
}

const headerBytes = 5;
const tagBytes = 16;
const keyUpdateMessage = 24;

const hmac = (key: Buffer, ...parts: Buffer[]): Buffer =>
  createHmac('sha256', key).update(Buffer.concat(parts)).digest();

/** HKDF-Expand-Label without a context, of at most one block. */
function expandLabel(secret: Buffer, label: string, bytes: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.from([0, bytes, name.length]), name, Buffer.from([0, 1])]);
  return hmac(secret, info).subarray(0, bytes);
}

/** TLS 1.2's PRF, "key expansion". */
function keyBlock(master: Buffer, seed: Buffer, bytes: number): Buffer {
  const label = Buffer.concat([Buffer.from('key expansion'), seed]);
  const blocks: Buffer[] = [];
  for (let a = hmac(master, label); Buffer.concat(blocks).length < bytes; a = hmac(master, a)) {
    blocks.push(hmac(master, a, label));
  }
  return Buffer.concat(blocks).subarray(0, bytes);
}

/** One direction: seals or opens records, one after the other. */
class Direction {
  readonly #version: Version;
  #secret: Buffer;
  #key: Buffer;
  #iv: Buffer;
  #sequence: bigint;

  private constructor(version: Version, secret: Buffer, key: Buffer, iv: Buffer, first: bigint) {
    this.#version = version;
    this.#secret = secret;
    this.#key = key;
    this.#iv = iv;
    this.#sequence = first;
  }

  static of13(secret: Buffer): Direction {
    const key = expandLabel(secret, 'key', 16);
    return new Direction('TLSv1.3', secret, key, expandLabel(secret, 'iv', 12), 0n);
  }

  /** After Finished, which was record 0. */
  static of12(key: Buffer, iv: Buffer): Direction {
    return new Direction('TLSv1.2', Buffer.alloc(0), key, iv, 1n);
  }

  update(): void {
    const next = Direction.of13(expandLabel(this.#secret, 'traffic upd', 32));
    this.#secret = next.#secret;
    this.#key = next.#key;
    this.#iv = next.#iv;
    this.#sequence = 0n;
  }

  #number(): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(this.#sequence);
    return bytes;
  }

  #nonce13(): Buffer {
    const number = Buffer.concat([Buffer.alloc(4), this.#number()]);
    return Buffer.from(this.#iv.map((byte, i) => byte ^ (number[i] ?? 0)));
  }

  #header(type: number, bytes: number): Buffer {
    return Buffer.from([type, 3, 3, bytes >> 8, bytes & 0xff]);
  }

  #additional12(type: number, bytes: number): Buffer {
    return Buffer.concat([this.#number(), this.#header(type, bytes)]);
  }

  seal(type: number, content: Buffer): Buffer {
    const is13 = this.#version === 'TLSv1.3';
    const plain = is13 ? Buffer.concat([content, Buffer.from([type])]) : content;
    const explicit = is13 ? Buffer.alloc(0) : this.#number();
    const nonce = is13 ? this.#nonce13() : Buffer.concat([this.#iv, explicit]);
    const length = explicit.length + plain.length + tagBytes;
    const header = this.#header(is13 ? contentType.data : type, length);
    const cipher = createCipheriv('aes-128-gcm', this.#key, nonce);
    cipher.setAAD(is13 ? header : this.#additional12(type, plain.length));
    const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
    this.#sequence += 1n;
    return Buffer.concat([header, explicit, sealed, cipher.getAuthTag()]);
  }

  /** Undefined: it is not under this key. */
  open(record: Buffer): TlsRecord | undefined {
    const is13 = this.#version === 'TLSv1.3';
    const type = record[0] ?? 0;
    const explicitBytes = is13 ? 0 : 8;
    const body = record.subarray(headerBytes + explicitBytes, record.length - tagBytes);
    const explicit = record.subarray(headerBytes, headerBytes + explicitBytes);
    const nonce = is13 ? this.#nonce13() : Buffer.concat([this.#iv, explicit]);
    const cipher = createDecipheriv('aes-128-gcm', this.#key, nonce);
    cipher.setAAD(is13 ? record.subarray(0, headerBytes) : this.#additional12(type, body.length));
    cipher.setAuthTag(record.subarray(record.length - tagBytes));
    try {
      const plain = Buffer.concat([cipher.update(body), cipher.final()]);
      this.#sequence += 1n;
      if (!is13) return { type, content: plain };
      let end = plain.length - 1;
      while (end > 0 && plain[end] === 0) end -= 1; // padding
      return { type: plain[end] ?? 0, content: plain.subarray(0, end) };
    } catch {
      return undefined;
    }
  }
}

interface Established {
  version: Version;
  toServer: Direction;
  fromServer: Direction;
  /** What the server has sent from its first byte on. */
  stream: Buffer;
}

function keysOf(version: Version, log: string[], stream: Buffer): [Direction, Direction] {
  const secretOf = (label: string): [Buffer, Buffer] => {
    const [, random = '', secret = ''] =
      log
        .find((line) => line.startsWith(`${label} `))
        ?.trim()
        .split(' ') ?? [];
    return [Buffer.from(random, 'hex'), Buffer.from(secret, 'hex')];
  };
  if (version === 'TLSv1.3') {
    const [, client] = secretOf('CLIENT_TRAFFIC_SECRET_0');
    const [, server] = secretOf('SERVER_TRAFFIC_SECRET_0');
    return [Direction.of13(client), Direction.of13(server)];
  }
  const [clientRandom, master] = secretOf('CLIENT_RANDOM');
  const serverRandom = stream.subarray(11, 43); // behind the record's and the message's head
  const block = keyBlock(master, Buffer.concat([serverRandom, clientRandom]), 2 * (16 + 4));
  return [
    Direction.of12(block.subarray(0, 16), block.subarray(32, 36)),
    Direction.of12(block.subarray(16, 32), block.subarray(36, 40)),
  ];
}

export class RecordClient {
  /** Of the server, decrypted, since the handshake. */
  readonly received: TlsRecord[] = [];
  /** The server's FIN was seen, or its reset. */
  isOver = false;
  readonly #socket: Socket;
  readonly #keys: Established;
  #begun = false;
  #waiting: (() => void)[] = [];

  private constructor(socket: Socket, keys: Established) {
    this.#socket = socket;
    this.#keys = keys;
    socket.removeAllListeners('data');
    socket.on('data', (bytes) => this.#take(bytes));
    for (const end of ['end', 'error', 'close']) {
      socket.on(end, () => {
        this.isOver = true;
        this.#wake();
      });
    }
    this.#take(Buffer.alloc(0));
  }

  static connect(
    running: Running,
    version: Version,
    protocols: string[] = ['http/1.1'],
  ): Promise<RecordClient> {
    return new Promise((resolve, reject) => {
      const socket = connectTcp(running.port, '127.0.0.1');
      socket.setNoDelay(true);
      const seen: Buffer[] = [];
      const log: string[] = [];
      const bridge = new Duplex({
        read: () => undefined,
        write: (chunk, _encoding, done) => void socket.write(chunk, () => done()),
      });
      socket.on('error', reject);
      socket.on('data', (bytes) => {
        seen.push(bytes);
        bridge.push(bytes);
      });
      const tls = connectTls({
        socket: bridge,
        ca: running.pair.chain,
        servername: 'localhost',
        ciphers: 'TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256',
        minVersion: version,
        maxVersion: version,
        ALPNProtocols: protocols,
      });
      tls.on('error', reject);
      tls.on('keylog', (line: Buffer) => log.push(line.toString()));
      tls.on('secureConnect', () => {
        const stream = Buffer.concat(seen);
        const [toServer, fromServer] = keysOf(version, log, stream);
        resolve(new RecordClient(socket, { version, toServer, fromServer, stream }));
      });
    });
  }

  /** A record as it would be sent; sealing counts, so it must be sent in this order. */
  seal(type: number, content: Buffer | string): Buffer {
    return this.#keys.toServer.seal(type, Buffer.from(content));
  }

  /** KeyUpdate; the next record is under the next key. */
  sealKeyUpdate(isAnswerAsked = true): Buffer {
    const message = [keyUpdateMessage, 0, 0, 1, isAnswerAsked ? 1 : 0];
    const record = this.seal(contentType.handshake, Buffer.from(message));
    this.#keys.toServer.update();
    return record;
  }

  /** Resolves when the bytes are TCP's, or nobody takes them any more. */
  write(...records: Buffer[]): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.write(Buffer.concat(records), () => resolve());
    });
  }

  stopReading(): void {
    this.#socket.pause();
  }

  goOnReading(): void {
    this.#socket.resume();
  }

  /** Descriptions of the alerts that have come, with a level below fatal as a negative number. */
  alerts(): number[] {
    return this.received
      .filter(({ type }) => type === contentType.alert)
      .map(({ content: [level = 0, description = 0] }) =>
        level === 2 ? description : -description,
      );
  }

  /** KeyUpdates that have come. */
  keyUpdates(): number {
    return this.received.filter(isKeyUpdate).length;
  }

  /** The `request_update` of each of them. */
  keyUpdatesAsked(): number[] {
    return this.received.filter(isKeyUpdate).map(({ content }) => content[4] ?? -1);
  }

  text(): string {
    return this.data().toString('latin1');
  }

  data(): Buffer {
    const data = this.received.filter(({ type }) => type === contentType.data);
    return Buffer.concat(data.map(({ content }) => content));
  }

  dataBytes(): number {
    const data = this.received.filter(({ type }) => type === contentType.data);
    return data.reduce((total, { content }) => total + content.length, 0);
  }

  /** Until it is so, or the connection is over. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo() && !this.isOver) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #take(bytes: Buffer): void {
    const keys = this.#keys;
    keys.stream = Buffer.concat([keys.stream, bytes]);
    for (;;) {
      const length = keys.stream.length < headerBytes ? Infinity : keys.stream.readUInt16BE(3);
      if (keys.stream.length < headerBytes + length) break;
      const record = keys.stream.subarray(0, headerBytes + length);
      keys.stream = keys.stream.subarray(headerBytes + length);
      this.#open(record);
    }
    this.#wake();
  }

  #open(record: Buffer): void {
    const { fromServer, version } = this.#keys;
    // Those of the handshake are under other keys, or in the clear.
    const opened = record.length < headerBytes + tagBytes ? undefined : fromServer.open(record);
    if (opened === undefined) {
      if (this.#begun) throw new Error('a record of the server cannot be opened');
      return;
    }
    this.#begun = true;
    this.received.push(opened);
    if (version === 'TLSv1.3' && isKeyUpdate(opened)) fromServer.update();
  }
}

const isKeyUpdate = ({ type, content }: TlsRecord): boolean =>
  type === contentType.handshake && content[0] === keyUpdateMessage;
