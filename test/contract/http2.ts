// SPDX-License-Identifier: Apache-2.0
// HTTP/2 for tests: Node's own client, and frames written by hand (RFC 9113 4), which show what no
// well-behaved client does.

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { Test } from 'tap';
import type { ServiceOptions } from '../../src/engine/native.js';
import { type Running, startService } from './service.js';

/** Error codes of RFC 9113 7. */
export const codes = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  refusedStream: 7,
  cancel: 8,
  enhanceYourCalm: 11,
};

/** With kernel TLS where there is one, and the environment does not forbid it; and without. */
export const offloads: [string, Partial<ServiceOptions>][] = [
  ['the usual TLS', {}],
  ['user-space TLS', { tlsOffload: 'off' }],
];

export function startHttp2(
  t: Test,
  files: Record<string, string | Buffer> = {},
  change: Partial<ServiceOptions> = {},
): Promise<Running> {
  return startService(t, files, { protocols: ['h2', 'http/1.1'], ...change });
}

/** A verified session, ended with the test. */
export function openSession(
  t: Test,
  running: { port: number; pair: { chain: string } },
  options: SecureClientSessionOptions = {},
): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const target = `https://127.0.0.1:${running.port}`;
    const session = connect(target, { ca: running.pair.chain, ...options });
    session.once('error', reject);
    session.once('connect', () => {
      session.on('error', () => {}); // a test looks at the streams
      resolve(session);
    });
    t.teardown(() => session.destroy());
  });
}

export interface Http2Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** Of RST_STREAM, or 0: the stream ended. */
  code: number;
  /** END_STREAM came. */
  isWhole: boolean;
}

/** What came over a stream until it closed. */
export function answerOf(stream: ClientHttp2Stream): Promise<Http2Answer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let headers: IncomingHttpHeaders = {};
    let isWhole = false;
    stream.on('response', (received) => {
      headers = received;
    });
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => {
      isWhole = stream.rstCode === 0;
    });
    stream.on('error', () => {});
    stream.on('close', () => {
      const status = Number(headers[':status'] ?? 0);
      resolve({ status, headers, body: Buffer.concat(chunks), code: stream.rstCode ?? 0, isWhole });
    });
  });
}

export function ask(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders = {},
  body?: string | Buffer,
): Promise<Http2Answer> {
  const stream = session.request({ ':path': '/', ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  return answerOf(stream);
}

export const type = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
};
export const flag = { endStream: 1, ack: 1, endHeaders: 4 };

export interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

export function frame(
  of: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = of;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function u32(...values: number[]): Buffer {
  const buffer = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) buffer.writeUInt32BE(value, 4 * index);
  return buffer;
}

/** HPACK: literals that are not indexed (RFC 7541 6.2.2), each of 16,000 bytes at most. */
export function fieldBlock(fields: [string, string][]): Buffer {
  const text = (value: string): Buffer[] => {
    const bytes = Buffer.from(value, 'latin1');
    if (bytes.length < 127) return [Buffer.from([bytes.length]), bytes];
    const rest = bytes.length - 127;
    return [Buffer.from([127, (rest & 127) | 128, rest >> 7]), bytes];
  };
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.from([0]), ...text(name), ...text(value)]),
  );
}

export const requestFields = (path: string, more: [string, string][] = []): [string, string][] => [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', path],
  [':authority', 'localhost'],
  ...more,
];

export const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(type.settings, 0, 0),
]);

/** A connection whose frames a test writes itself. */
export class RawSession {
  readonly frames: Frame[] = [];
  isEnded = false;
  #rest = Buffer.alloc(0);
  #wake: (() => void)[] = [];

  constructor(readonly socket: TLSSocket) {
    const woken = () => {
      for (const wake of this.#wake.splice(0)) wake();
    };
    socket.on('data', (chunk) => {
      this.#take(chunk);
      woken();
    });
    const ended = () => {
      this.isEnded = true;
      woken();
    };
    socket.on('end', ended);
    socket.on('close', ended);
    socket.on('error', ended);
  }

  static open(t: Test, running: Running, start: Buffer = preface): Promise<RawSession> {
    return new Promise((resolve, reject) => {
      const socket = tlsConnect(
        { host: '127.0.0.1', port: running.port, ca: running.pair.chain, ALPNProtocols: ['h2'] },
        () => {
          const raw = new RawSession(socket);
          socket.write(start);
          resolve(raw);
        },
      );
      socket.once('error', reject);
      t.teardown(() => socket.destroy());
    });
  }

  send(...frames: Buffer[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(frames));
  }

  /** As wide as they can be: from now on only TCP holds the server back. */
  openWindows(): void {
    this.send(frame(type.settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), u32(0x7fffffff)])));
    this.send(frame(type.windowUpdate, 0, 0, u32(0x7fffffff - 65_535)));
  }

  get(stream: number, path: string, more: [string, string][] = []): void {
    const block = fieldBlock(requestFields(path, more));
    this.send(frame(type.headers, flag.endHeaders | flag.endStream, stream, block));
  }

  /** The first frame that fits, now or later; undefined: the server has closed without it. */
  async wait(fits: (frame: Frame) => boolean): Promise<Frame | undefined> {
    for (;;) {
      const found = this.frames.find(fits);
      if (found || this.isEnded) return found;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  /** The code of the server's GOAWAY; undefined: there was none. */
  async goAway(): Promise<number | undefined> {
    return (await this.wait((frame) => frame.type === type.goAway))?.payload.readUInt32BE(4);
  }

  /** The code of a stream's RST_STREAM. */
  async reset(stream: number): Promise<number | undefined> {
    const fits = (frame: Frame) => frame.type === type.reset && frame.stream === stream;
    return (await this.wait(fits))?.payload.readUInt32BE(0);
  }

  async end(stream: number): Promise<Buffer> {
    await this.wait(
      (frame) =>
        frame.stream === stream &&
        frame.type <= type.headers &&
        (frame.flags & flag.endStream) !== 0,
    );
    return this.dataOf(stream);
  }

  async ended(): Promise<void> {
    while (!this.isEnded) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  dataOf(stream: number): Buffer {
    const data = this.frames.filter((frame) => frame.type === type.data && frame.stream === stream);
    return Buffer.concat(data.map((frame) => frame.payload));
  }

  #take(chunk: Buffer): void {
    let bytes = Buffer.concat([this.#rest, chunk]);
    while (bytes.length >= 9) {
      const length = bytes.readUIntBE(0, 3);
      if (bytes.length < 9 + length) break;
      this.frames.push({
        type: bytes[3] ?? 0,
        flags: bytes[4] ?? 0,
        stream: bytes.readUInt32BE(5),
        payload: bytes.subarray(9, 9 + length),
      });
      bytes = bytes.subarray(9 + length);
    }
    this.#rest = bytes;
  }
}

/** A figure of the status's "http2". */
export function http2Figures(running: Running): {
  offered: boolean;
  reason: string;
  connections: number;
  streams: Record<string, number>;
  floods: Record<string, number>;
} {
  return JSON.parse(running.service.stats()).http2;
}
