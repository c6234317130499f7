// SPDX-License-Identifier: Apache-2.0
// A stand-in for a hawkBit server: as much of its Direct Device Integration API (controller/v1) as one device needs that
// is to install one file. The download drips until it is held, and goes on when it is let go.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';

export const tenant = 'default';
export const device = 'gate-1234';
const action = '7';
const pieceBytes = 16 * 1024;
const betweenPiecesMs = 20;

export class Hawkbit {
  /** What the device has said of the action, in its order. */
  readonly feedback: string[] = [];
  url = '';
  #isHeld = false;
  readonly #bundle: Buffer;

  constructor(bundle: Buffer) {
    this.#bundle = bundle;
  }

  hold(): void {
    this.#isHeld = true;
  }

  letGo(): void {
    this.#isHeld = false;
  }

  async start(t: Test): Promise<this> {
    const server = createServer((incoming, outgoing) => {
      let body = '';
      incoming.on('data', (data) => {
        body += data;
      });
      incoming.on('end', () => this.#answer(incoming.method, incoming.url ?? '', body, outgoing));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    t.teardown(() => {
      this.letGo();
      server.closeAllConnections();
      server.close();
    });
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return this;
  }

  #answer(method = '', path: string, body: string, outgoing: ServerResponse): void {
    const root = `/${tenant}/controller/v1/${device}`;
    const deployment = `${root}/deploymentBase/${action}`;
    const json = (answer: object): void => void outgoing.end(JSON.stringify(answer));
    if (method !== 'GET') {
      this.feedback.push(body);
      outgoing.end();
    } else if (path === `${root}/file.swu`) {
      void this.#drip(outgoing);
    } else if (path.startsWith(deployment)) {
      const href = `${this.url}${root}/file.swu`;
      const hashes = { sha1: createHash('sha1').update(this.#bundle).digest('hex') };
      const _links = { download: { href }, 'download-http': { href } };
      const artifacts = [{ filename: 'file.swu', hashes, size: this.#bundle.length, _links }];
      const chunks = [{ part: 'os', name: 'gate', version: '2', artifacts }];
      json({ id: action, deployment: { download: 'forced', update: 'forced', chunks } });
    } else {
      const _links = { deploymentBase: { href: `${this.url}${deployment}` } };
      json({ config: { polling: { sleep: '00:00:01' } }, _links });
    }
  }

  async #drip(outgoing: ServerResponse): Promise<void> {
    outgoing.setHeader('Content-Length', this.#bundle.length);
    for (let at = 0; at < this.#bundle.length && !outgoing.destroyed; ) {
      await sleep(betweenPiecesMs);
      if (this.#isHeld) continue;
      outgoing.write(this.#bundle.subarray(at, at + pieceBytes));
      at += pieceBytes;
    }
    outgoing.end();
  }
}
