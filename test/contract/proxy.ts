// SPDX-License-Identifier: Apache-2.0
// For the tests of proxy routes: applications behind them, well-behaved and not, and a client that
// sends bodies.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { createServer as createRawServer, type Server as RawServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Test } from 'tap';
import type { StatusDocument } from '../../src/base/status-document.js';
import type { RouteOptions, SiteOptions } from '../../src/engine/native.js';
import type { Running } from './service.js';

export function proxyRoute(upstream: string, change: Partial<RouteOptions> = {}): RouteOptions {
  return {
    host: '',
    path: '/',
    methods: [],
    action: 'proxy',
    clientCertificate: false,
    fields: [],
    directory: 0,
    mounted: false,
    index: '',
    fallback: '',
    notFound: '',
    cacheControl: '',
    immutable: [],
    variants: false,
    internal: false,
    accelerate: [],
    authorize: '',
    authorizePath: '',
    authorizeFields: [],
    authorizeTimeoutMs: 5_000,
    authorizeRememberMs: 0,
    authorizeSparesTokens: false,
    authorizeFallsBack: false,
    rateMaxBytesPerS: 0,
    status: 0,
    location: '',
    keepPath: false,
    contentType: '',
    body: '',
    upstream,
    connectTimeoutMs: 1_000,
    responseTimeoutMs: 10_000,
    streamTimeoutMs: 60_000,
    ...change,
  };
}

export const siteWith = (routes: RouteOptions[], own: RouteOptions[] = []): SiteOptions => ({
  build: '',
  directories: [],
  routes,
  own,
});

/** Listens on a Unix socket; the address as a route has it. Closed when the test ends. */
export async function listen(t: Test, server: Server | RawServer): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'spliced-app-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'app.sock');
  return new Promise((resolve) => {
    server.listen(path, () => resolve(`unix:${path}`));
    t.teardown(() => {
      if ('closeAllConnections' in server) server.closeAllConnections();
      server.close();
    });
  });
}

/** Likewise over TCP on the loopback address. */
export async function listenTcp(t: Test, server: Server | RawServer): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' ? address?.port : 0;
      resolve(`tcp:127.0.0.1:${port}`);
    });
    t.teardown(() => {
      if ('closeAllConnections' in server) server.closeAllConnections();
      server.close();
    });
  });
}

export const nodeApplication = (listener: RequestListener): Server => createServer(listener);

/** An application that writes its own bytes; its sockets end with the test. */
export function rawApplication(t: Test, onConnection: (socket: Socket) => void): RawServer {
  const sockets = new Set<Socket>();
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  return createRawServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    onConnection(socket);
  });
}

export interface Answer {
  /** 0: the connection was cut before there was one. */
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
  /** The body came to its end. */
  isWhole: boolean;
}

export interface Asked extends RequestOptions {
  send?: Buffer | string | Readable;
}

/** One request with a body, over a connection of its own unless an agent is given. */
export function ask(running: Running, { send, ...options }: Asked = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const agent = options.agent ?? new Agent({ keepAlive: false, maxCachedSessions: 0 });
    const common = { host: '127.0.0.1', port: running.port, ca: running.pair.chain };
    const outgoing = request({ ...common, path: '/', ...options, agent }, (response) => {
      const chunks: Buffer[] = [];
      const settle = (isWhole: boolean): void => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: Buffer.concat(chunks), isWhole });
      };
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', () => settle(false));
      response.on('end', () => settle(response.complete));
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET') return reject(error);
      resolve({ status: 0, headers: {}, body: Buffer.alloc(0), isWhole: false });
    });
    if (send === undefined) outgoing.end();
    else if (typeof send === 'string' || Buffer.isBuffer(send)) outgoing.end(send);
    else send.pipe(outgoing);
  });
}

export type UpstreamFigures = StatusDocument['upstreams'];

export const upstreamsOf = ({ service }: Running): UpstreamFigures =>
  JSON.parse(service.stats()).upstreams;
