// SPDX-License-Identifier: Apache-2.0
// What the tests of uploads share: a ticket with its file, and a client that sends as it is told.

import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { loadNative, type Upload, type UploadSnapshot } from '../../src/engine/native.js';
import { type Answer, connectRaw, type Running } from './service.js';

export const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

export class Part {
  readonly id = randomBytes(32).toString('base64url');
  readonly target = `/.spliced/upload/${this.id}`;
  readonly path: string;
  readonly upload: Upload;
  #listeners: (() => void)[] = [];

  /** `there`: what an earlier connection has left. */
  constructor(running: Running, length: number, there: Buffer = Buffer.alloc(0)) {
    this.path = join(running.root, `part-${this.id}`);
    writeFileSync(this.path, there);
    const { Upload } = loadNative();
    const { id, path } = this;
    this.upload = new Upload({ id, path, length, offset: there.length }, () => {
      for (const listener of this.#listeners.splice(0)) listener();
    });
    running.service.setUploads([this.upload]);
  }

  get content(): Buffer {
    return readFileSync(this.path);
  }

  /** Until the news say so. */
  async until(isSo: (snapshot: UploadSnapshot) => boolean): Promise<UploadSnapshot> {
    for (;;) {
      const snapshot = this.upload.snapshot();
      if (isSo(snapshot)) return snapshot;
      await new Promise<void>((resolve) => this.#listeners.push(resolve));
    }
  }

  /** What the daemon does when all is there. */
  async conclude(): Promise<string> {
    const { sha256: digest } = await this.until(({ sha256: found }) => found !== '');
    this.upload.conclude(200, JSON.stringify({ sha256: digest }));
    return digest;
  }
}

export interface Put {
  /** Of the first byte; undefined: without Content-Range. */
  first?: number;
  length?: number;
  headers?: Record<string, string>;
}

export const rangeOf = (first: number, bytes: number, length: number): string =>
  `bytes ${first}-${first + bytes - 1}/${length}`;

/** One PUT over a connection of its own. */
export function put(
  running: Running,
  target: string,
  body: Buffer,
  headers: Record<string, string> = {},
  method = 'PUT',
): Promise<Answer & { wasTold100: boolean }> {
  return new Promise((resolve, reject) => {
    let wasTold100 = false;
    const options = {
      host: '127.0.0.1',
      port: running.port,
      ca: running.pair.chain,
      path: target,
      method,
      agent: false as const,
      headers: { 'Content-Length': String(body.length), ...headers },
    };
    const outgoing = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode: status = 0, headers: answered } = response;
        const common = { protocol: null, fingerprint: '', wasTold100 };
        resolve({ status, headers: answered, body: Buffer.concat(chunks), ...common });
      });
    });
    outgoing.on('error', reject);
    outgoing.on('continue', () => {
      wasTold100 = true;
      outgoing.end(body);
    });
    if (headers.Expect === undefined) outgoing.end(body);
    else outgoing.flushHeaders();
  });
}

/** Sends a request's head and so much of its body, and keeps the connection. */
export async function beginPut(
  running: Running,
  target: string,
  length: number,
  sent: Buffer,
): Promise<TLSSocket> {
  const socket = await connectRaw(running);
  socket.write(`PUT ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`);
  socket.write(sent);
  return socket;
}
