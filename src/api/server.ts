// SPDX-License-Identifier: Apache-2.0
// The API's two Unix sockets in the state directory (or another: run-directory.ts): api.sock for the operators of the device itself,
// proxy.sock for the proxy route, which brings everybody else. Both have their bounds here. Made by
// serving/api.ts once the service is ready.

import {
  createServer,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Events } from '../base/events.js';
import { reasonOf } from '../base/start-error.js';
import type { Log } from '../log/log.js';
import type { LogTail } from '../log/tail.js';
import type { Access, Door } from './access.js';
import { EventStreams } from './event-stream.js';
import { LogStreams } from './log-stream.js';
import type { People } from './people/people.js';
import { listenPrivately } from './private-socket.js';
import { problemType } from './problem.js';
import type { ApiService } from './service.js';

export const socketNames: Readonly<Record<Door, string>> = {
  local: 'api.sock',
  proxy: 'proxy.sock',
};

/** For each socket. Units are in the names. */
export const serverBounds = {
  connectionsMax: 32,
  /** Beyond those: their one request is answered with 503. What comes beyond these is closed. */
  surplusConnectionsMax: 1024,
  retryAfterS: 2,
  headBytesMax: 16 * 1024,
  headerFieldsMax: 64,
  headTimeoutMs: 10_000,
  /** For a whole request; an answer may take as long as it likes. */
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 5_000,
  /** How often the first two are looked at. */
  checkIntervalMs: 5_000,
  /** For answers under way when the API ends. */
  closeTimeoutMs: 1_000,
} as const;

const options: ServerOptions = {
  maxHeaderSize: serverBounds.headBytesMax,
  headersTimeout: serverBounds.headTimeoutMs,
  requestTimeout: serverBounds.requestTimeoutMs,
  keepAliveTimeout: serverBounds.keepAliveTimeoutMs,
  connectionsCheckingInterval: serverBounds.checkIntervalMs,
};

export interface ApiParts {
  /** For the sockets. */
  runDir: string;
  service: ApiService;
  access: Access;
  people: People;
  log: Log;
  tail: LogTail;
  events: Events;
  /** For tests: app.ts has the default. */
  applicationStreamMs?: number;
}

/** Without the application: what is too busy does no more for it. */
function refuseSurplus(outgoing: ServerResponse): void {
  const detail = 'Too many requests are under way. Try again in a moment.';
  const body = { type: 'about:blank', title: 'Too busy', status: 503, detail };
  outgoing.writeHead(503, {
    'Content-Type': problemType,
    'Cache-Control': 'no-store',
    'Retry-After': serverBounds.retryAfterS,
    Connection: 'close',
  });
  outgoing.end(`${JSON.stringify(body)}\n`);
}

/** Those that came when connectionsMax others were open. */
function surplusOf(server: Server): WeakSet<Socket> {
  const surplus = new WeakSet<Socket>();
  let open = 0;
  server.on('connection', (socket) => {
    open += 1;
    socket.once('close', () => {
      open -= 1;
    });
    if (open > serverBounds.connectionsMax) surplus.add(socket);
  });
  return surplus;
}

interface Open {
  server: Server;
  /** Takes the socket's file away. */
  remove: () => void;
}

export class ApiServer {
  readonly #parts: ApiParts;
  readonly #streams: LogStreams;
  readonly #eventStreams: EventStreams;
  readonly #open: Open[] = [];
  #listeners: Promise<Record<Door, RequestListener>> | undefined;

  /** Does nothing yet; `start()` does. */
  constructor(parts: ApiParts) {
    this.#parts = parts;
    this.#streams = new LogStreams(parts.tail);
    this.#eventStreams = new EventStreams(parts.events);
  }

  /** Throws StartError when a socket cannot be had; then none is. */
  async start(): Promise<void> {
    try {
      for (const door of ['local', 'proxy'] as const) await this.#listen(door);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Ends every stream and connection, and removes the sockets. Idempotent. */
  async close(): Promise<void> {
    this.#streams.close();
    this.#eventStreams.close();
    await Promise.all(this.#open.splice(0).map(close));
  }

  async #listen(door: Door): Promise<void> {
    const server = createServer(options, (incoming, outgoing) => {
      if (surplus.has(incoming.socket)) return refuseSurplus(outgoing);
      this.#load().then(
        (listeners) => listeners[door](incoming, outgoing),
        (error) => {
          this.#parts.log.error({ event: 'api_failed', reason: reasonOf(error) });
          outgoing.writeHead(500).end();
        },
      );
    });
    const surplus = surplusOf(server);
    server.maxConnections = serverBounds.connectionsMax + serverBounds.surplusConnectionsMax;
    server.maxHeadersCount = serverBounds.headerFieldsMax;
    const remove = await listenPrivately(server, this.#parts.runDir, socketNames[door]);
    this.#open.push({ server, remove });
    // An accept that fails, such as for want of descriptors: the next one may succeed.
    server.on('error', (error) => {
      this.#parts.log.error({ event: 'api_failed', reason: reasonOf(error) });
    });
  }

  /** Once, at the first request: app.ts says why. */
  #load(): Promise<Record<Door, RequestListener>> {
    this.#listeners ??= import('./app.js').then(({ createApp, listenerOf }) => {
      const streams = { streams: this.#streams, eventStreams: this.#eventStreams };
      const app = createApp({ ...this.#parts, ...streams });
      return { local: listenerOf(app, 'local'), proxy: listenerOf(app, 'proxy') };
    });
    return this.#listeners;
  }
}

async function close({ server, remove }: Open): Promise<void> {
  remove();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), serverBounds.closeTimeoutMs);
  await closed;
  clearTimeout(timer);
}
