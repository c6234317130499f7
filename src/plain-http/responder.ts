// SPDX-License-Identifier: Apache-2.0
// What port 80 answers: an ACME server's challenges (RFC 8555 8.3), and to everything else where
// the HTTPS service is. Reads no file, keeps no connection, and forgets every request at once. Made
// by serving/certificates.ts, only when there is a place for it to listen.

import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { isIPv6, type Socket } from 'node:net';
import { reasonOf, StartError } from '../base/start-error.js';

export interface PlainAddress {
  address: string;
  port: number;
}

export interface BoundPlain extends PlainAddress {
  /** For the descriptor store, which gets a duplicate. Undefined: this Node does not tell it. */
  fd: number | undefined;
}

export interface PlainHttpParts {
  /** Addresses to bind, or sockets that listen already: those are ours from then on. */
  places: readonly (PlainAddress | { fd: number })[];
  /** The body for a path, or undefined when it is no challenge. */
  challenge(path: string): string | undefined;
  /** Where HTTPS is; undefined when it is not served within a moment. Never rejects. */
  httpsPort(): Promise<number | undefined>;
}

/** For each address. Units are in the names. */
export const bounds = {
  connectionsMax: 64,
  headBytesMax: 4096,
  headerFieldsMax: 32,
  /** For a whole request, from the connection's first byte; also the idle time of a connection. */
  requestTimeoutMs: 5_000,
  /** At a stop, for those that have been accepted and have not asked yet. */
  closeTimeoutMs: 250,
  /** How often the time of requests is looked at. */
  checkIntervalMs: 1_000,
} as const;

const challengePrefix = '/.well-known/acme-challenge/';
const httpsPortDefault = 443;
const dnsNameMax = 253;
const dnsName = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i; // IPv4 addresses look the same.

/** The host of a Host header field without its port (RFC 9110 7.2); undefined when it is none. */
export function hostOf(field: string | undefined): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::\d{0,5})?$/i.exec(field ?? '');
  const [, host] = match ?? [];
  if (host === undefined) return undefined;
  if (host.startsWith('[')) return isIPv6(host.slice(1, -1)) ? host : undefined;
  const name = host.replace(/\.$/, ''); // No certificate and no SNI has the root's dot.
  return name.length <= dnsNameMax && dnsName.test(name) ? name : undefined;
}

/** A target in origin form of visible characters (RFC 9112 3.2.1): safe in a header field. */
const isTarget = (target: string): boolean => /^\/[\x21-\x7e]*$/.test(target);

interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

async function answerTo(request: IncomingMessage, parts: PlainHttpParts): Promise<Answer> {
  const { method, url: target = '' } = request;
  // Node reads a request line without a version as HTTP/0.9.
  if (request.httpVersionMajor !== 1 || !isTarget(target)) return { status: 400 };
  if (target.startsWith(challengePrefix)) {
    if (method !== 'GET' && method !== 'HEAD')
      return { status: 405, headers: { Allow: 'GET, HEAD' } };
    const body = parts.challenge(target);
    if (body === undefined) return { status: 404 };
    return { status: 200, headers: { 'Content-Type': 'application/octet-stream' }, body };
  }
  // More than one Host field is an error (RFC 9112 3.2); Node keeps the first of several.
  const fields = request.headersDistinct.host ?? [];
  const host = fields.length === 1 ? hostOf(fields[0]) : undefined;
  if (host === undefined) return { status: 400 };
  const port = await parts.httpsPort();
  if (port === undefined) return { status: 503, headers: { 'Retry-After': '1' } };
  const authority = port === httpsPortDefault ? host : `${host}:${port}`;
  // 308 and not 301: a method and a body stay what they are (RFC 9110 15.4.9).
  return { status: 308, headers: { Location: `https://${authority}${target}` } };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  parts: PlainHttpParts,
): Promise<void> {
  const { status, headers = {}, body = '' } = await answerTo(request, parts);
  response.writeHead(status, {
    ...headers,
    'Content-Length': String(Buffer.byteLength(body)),
    'Cache-Control': 'no-store',
    Connection: 'close',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

// Node's types lack the status of a broken request's answer: what is not HTTP gets one line.
const badRequest = 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';

function newServer(parts: PlainHttpParts): Server {
  const options: ServerOptions = {
    maxHeaderSize: bounds.headBytesMax,
    headersTimeout: bounds.requestTimeoutMs,
    requestTimeout: bounds.requestTimeoutMs,
    connectionsCheckingInterval: bounds.checkIntervalMs,
    keepAlive: false,
  };
  const answer = (request: IncomingMessage, response: ServerResponse): void =>
    void respond(request, response, parts);
  const server = createServer(options, answer);
  server.maxConnections = bounds.connectionsMax;
  server.maxHeadersCount = bounds.headerFieldsMax;
  server.maxRequestsPerSocket = 1;
  server.timeout = bounds.requestTimeoutMs;
  // A body is never wanted: the answer comes without "100 Continue".
  server.on('checkContinue', answer);
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.write(badRequest);
    (socket as Socket).destroySoon();
  });
  // Without a listener for it, Node keeps a tunnel's socket that asks for CONNECT open.
  server.on('connect', (_request, socket: Socket) => socket.destroy());
  return server;
}

function nameOf(place: PlainAddress | { fd: number }): string {
  if ('fd' in place) return `descriptor ${place.fd} from the service manager`;
  const { address, port } = place;
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

function optionsOf(place: PlainAddress | { fd: number }) {
  if ('fd' in place) return { fd: place.fd };
  const { address, port } = place;
  return { host: address, port, ipv6Only: isIPv6(address) };
}

/** Node has no public way to it; where that is gone, the listener is not kept over a restart. */
function descriptorOf(server: Server): number | undefined {
  const fd = (server as { _handle?: { fd?: unknown } })._handle?.fd;
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}

function listen(server: Server, place: PlainAddress | { fd: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      const advice =
        error.code === 'EACCES' ? '; a port below 1024 needs CAP_NET_BIND_SERVICE' : '';
      const where = nameOf(place);
      reject(new StartError(`listen_http: cannot listen at ${where}: ${reasonOf(error)}${advice}`));
    };
    server.once('error', onError);
    server.listen(optionsOf(place), () => {
      server.off('error', onError);
      // Out of descriptors, for example: who comes later may have more luck.
      server.on('error', () => {});
      resolve();
    });
  });
}

export class PlainHttp {
  readonly #parts: PlainHttpParts;
  readonly #servers: Server[] = [];

  /** Does nothing yet; `start()` does. */
  constructor(parts: PlainHttpParts) {
    this.#parts = parts;
  }

  /** Listens at every address, or throws StartError and at none. */
  async start(): Promise<void> {
    try {
      for (const place of this.#parts.places) {
        const server = newServer(this.#parts);
        this.#servers.push(server);
        await listen(server, place);
      }
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** As bound: port 0 has become a real one. */
  listeners(): BoundPlain[] {
    return this.#servers.flatMap((server) => {
      const bound = server.address();
      return bound === null || typeof bound === 'string'
        ? []
        : [{ address: bound.address, port: bound.port, fd: descriptorOf(server) }];
    });
  }

  /** Closes listeners at once, and connections when they have had their answer. Idempotent. */
  async close(): Promise<void> {
    const closed = this.#servers.splice(0).map(
      (server) =>
        new Promise<void>((resolve) => {
          const timer = setTimeout(() => server.closeAllConnections(), bounds.closeTimeoutMs);
          server.close(() => {
            clearTimeout(timer);
            resolve();
          });
        }),
    );
    await Promise.all(closed);
  }
}
