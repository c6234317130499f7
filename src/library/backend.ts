// SPDX-License-Identifier: Apache-2.0
// The Node side of the library: an HTTP server on a private Unix socket, to which the engine's proxy
// brings what no other route takes. Its requests look as they would with node:https: the client's
// address, and a connection that is encrypted. Owned by the library's server.

import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { IncomingMessage, type RequestListener, Server, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { offerEngineFiles } from './engine-file.js';

// The engine's pool gives an idle connection up first (native/base/limits.hpp), so that no request
// is sent into one that is being closed.
const keepAliveMs = 120_000;

const socketName = 'http.sock';
/** Of sun_path, with its NUL: unix(7). The engine's connect() has no such bound (native/os). */
const socketPathBytesMax = 107;

/** As a socket of node:tls has them. */
function present({ socket, headers }: IncomingMessage): void {
  const address = headers['x-forwarded-for'];
  const family = String(address).includes(':') ? 'IPv6' : 'IPv4';
  const values = { encrypted: true, remoteAddress: address, remoteFamily: family };
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(socket, name, { value, configurable: true });
  }
}

/** Before any handler, also one that is attached later. */
class PresentingServer extends Server {
  // biome-ignore lint/suspicious/noExplicitAny: as the class that it overrides has it
  override emit(event: string, ...values: any[]): boolean {
    const [request, response] = values;
    const isRequest = event === 'request' || event === 'upgrade';
    if (isRequest && request instanceof IncomingMessage) present(request);
    if (event === 'request' && response instanceof ServerResponse) offerEngineFiles(response);
    return super.emit(event, ...values);
  }
}

/** What is left when a program ends without close(). */
const directories = new Set<string>();
let isTidying = false;

function tidyAtExit(): void {
  if (isTidying) return;
  isTidying = true;
  process.once('exit', () => {
    for (const path of directories) rmSync(path, { recursive: true, force: true });
  });
}

export class Backend {
  readonly server: Server;
  /** Of this process alone; empty before listen(). */
  #directory = '';

  constructor(handler: RequestListener | undefined) {
    // The engine has clocks and limits of its own, which are also those of the client.
    const options = { keepAliveTimeout: keepAliveMs, requestTimeout: 0, headersTimeout: 0 };
    this.server = new PresentingServer(options);
    if (handler !== undefined) this.server.on('request', handler);
  }

  /** A directory without files. */
  get emptyRoot(): string {
    return join(this.#directory, 'empty');
  }

  get socketPath(): string {
    return join(this.#directory, socketName);
  }

  /** Whether anybody listens for requests, or for WebSockets. */
  get isUsed(): boolean {
    const { server } = this;
    return server.listenerCount('request') > 0 || server.listenerCount('upgrade') > 0;
  }

  async listen(): Promise<void> {
    this.#directory = mkdtempSync(join(tmpdir(), 'spliced-')); // Mode 0700.
    directories.add(this.#directory);
    tidyAtExit();
    mkdirSync(this.emptyRoot);
    await this.#bind();
  }

  /** Where TMPDIR is long: Node would cut the path off and call what is there EADDRINUSE. */
  async #bind(): Promise<void> {
    const isShort = Buffer.byteLength(this.socketPath) <= socketPathBytesMax;
    const fd = isShort ? undefined : openSync(this.#directory, 'r');
    // libuv unlinks the path that it was given when the server is closed: the descriptor stays until then.
    if (fd !== undefined) this.server.once('close', () => closeSync(fd));
    this.server.listen(fd === undefined ? this.socketPath : `/proc/self/fd/${fd}/${socketName}`);
    await once(this.server, 'listening');
  }

  /** Ends what is left. */
  async close(): Promise<void> {
    if (this.server.listening) {
      const closed = once(this.server, 'close');
      this.server.close();
      this.server.closeAllConnections();
      await closed;
    }
    if (this.#directory !== '') rmSync(this.#directory, { recursive: true, force: true });
    directories.delete(this.#directory);
  }
}
