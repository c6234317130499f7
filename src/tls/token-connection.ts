// SPDX-License-Identifier: Apache-2.0
// A TLS connection of our own that shows a certificate whose key is in a token, as a stream: TCP is Node's, TLS the
// addon's (native/tls/outgoing.hpp), which signs on another thread. Used by certificates/exchange.ts.

import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Outgoing, OutgoingPeer } from '../engine/outgoing.js';

const nothing = new Uint8Array();

class TokenConnection extends Duplex {
  readonly #outgoing: Outgoing;
  readonly #socket: Socket;
  /** One step after the other. */
  #last: Promise<void> = Promise.resolve();

  #hasEnded = false;

  constructor(outgoing: Outgoing, socket: Socket) {
    super();
    this.#outgoing = outgoing;
    this.#socket = socket;
    socket.on('connect', () => this.#step(nothing, nothing));
    socket.on('data', (bytes: Buffer) => this.#step(bytes, nothing));
    socket.on('end', () => this.#then(() => this.#end()));
    socket.on('error', (error) => this.destroy(error));
  }

  // What comes is bounded by whoever reads it, which ends the connection when it is too much.
  override _read(): void {}

  override _write(bytes: Buffer, _: unknown, done: (error?: Error | null) => void): void {
    this.#step(nothing, bytes);
    this.#then(() => done());
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#then(() => this.#socket.end());
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #end(): void {
    if (!this.#hasEnded) this.push(null);
    this.#hasEnded = true;
  }

  #then(act: () => unknown): void {
    this.#last = this.#last.then(() => {
      if (!this.destroyed) act();
    });
  }

  #step(fromNetwork: Uint8Array, toSend: Uint8Array): void {
    this.#last = this.#last.then(async () => {
      if (this.destroyed) return;
      try {
        const made = await this.#outgoing.step(fromNetwork, toSend);
        if (made.toNetwork.length > 0) this.#socket.write(made.toNetwork);
        if (made.received.length > 0) this.push(made.received);
        if (made.hasEnded) this.#end();
        if (made.error !== '') throw new Error(made.error);
      } catch (error) {
        this.destroy(error as Error);
      }
    });
  }
}

/**
 * Connects; what is written waits for the handshake. An error of TLS or of the token is one of the stream, and so is
 * silence for `timeoutMs`, of the network or of the token.
 */
export async function connectWithToken(
  port: number,
  peer: OutgoingPeer,
  timeoutMs: number,
): Promise<Duplex> {
  const { loadNative } = await import('../engine/native.js');
  const { Outgoing } = loadNative();
  const socket = connect(port, peer.name);
  const connection = new TokenConnection(new Outgoing(peer), socket);
  const late = new Error(`no answer within ${timeoutMs} ms`);
  socket.setTimeout(timeoutMs, () => connection.destroy(late));
  return connection;
}
