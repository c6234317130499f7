// SPDX-License-Identifier: Apache-2.0
// The public interface of the package `spliced` as a library: spliced's data plane (TLS, kernel TLS,
// files, limits, a close that drains) in front of a Node program's own handlers. docs/LIBRARY.md.
// src/index.ts implements it, and is held against it by the compiler.

import type { EventEmitter } from 'node:events';
import type { Server as HttpServer, RequestListener } from 'node:http';

/** A `[[route]]` of docs/CONFIGURATION.md, by the same names. */
export interface Route {
  path?: string;
  host?: string;
  methods?: string[];
  action?: 'static' | 'redirect' | 'respond' | 'proxy';
  root?: string;
  /** No client can ask for it; its files are for `response.sendEngineFile()`. Needs a `root`. */
  internal?: boolean;
  [key: string]: unknown;
}

/** What goes with a file that a handler answers with. */
export interface EngineFileOptions {
  /** 200 by default, with ranges and conditions; with another status the whole file is the body. */
  status?: number;
  /** Content-Type; by default the file's name says it. */
  type?: string;
  /** Content-Disposition: attachment, under this name. */
  filename?: string;
  headers?: Record<string, string | string[]>;
}

declare module 'node:http' {
  interface ServerResponse {
    /**
     * Ends the response with a file of an internal route, which the engine sends: ranges, conditions,
     * HEAD, no byte through JavaScript. `path` is the route's and below it, as files are named (not
     * encoded): '/recordings/1.mp4'. Throws ERR_INVALID_ARG_VALUE for a path with dots or empty parts;
     * a file that is not there is 404. Header fields that were set before stay. On every response of
     * a request that came by createServer(), and within withEngineFiles().
     */
    sendEngineFile(path: string, options?: EngineFileOptions): void;
  }
}

/**
 * Settings have the names, the units and the bounds of docs/CONFIGURATION.md. A wrong one makes
 * createServer() throw a TypeError (ERR_INVALID_ARG_VALUE) whose message names every mistake. It throws
 * as well when cert or key is missing (ERR_MISSING_OPTION), and as node:https does when OpenSSL cannot
 * use them or they do not belong together (ERR_OSSL_…).
 */
export interface ServerOptions {
  /** The chain, PEM, the server's own certificate first; as for Node's https. */
  cert: string | Buffer;
  /** Its private key, PEM, unencrypted. */
  key: string | Buffer;
  /** Where the files of routes without a `root` lie. */
  root?: string;
  /** What no route takes goes to the handler. */
  routes?: Route[];
  tls?: { offload?: 'auto' | 'off' };
  ring?: 'auto' | 'epoll';
  /**
   * What clients may choose by ALPN: both by default. A handler sees no difference: each of a connection's
   * requests comes to it as one of HTTP/1.1.
   */
  protocols?: ('h2' | 'http/1.1')[];
  /** Threads that serve: one for each CPU, or a number from 1 to 8. */
  engines?: 'auto' | number;
  limits?: Record<string, number>;
  timeouts?: Record<string, number>;
  client_certificates?: { ca: string; crl?: string; require?: string[] };
  /** Told what happens; nobody by default. pino fits. */
  log?: Log;
}

export interface Log {
  info(line: Record<string, unknown>): void;
  warn(line: Record<string, unknown>): void;
  error(line: Record<string, unknown>): void;
}

/** How the connections of a server that was closed have ended. */
export interface Outcome {
  /** Every byte was delivered to the peer's TCP. */
  drained: number;
  /** Given up at the deadline. */
  aborted: number;
  durationMs: number;
}

export interface AddressInfo {
  address: string;
  family: 'IPv4' | 'IPv6';
  port: number;
}

/**
 * Events: `listening`; `error` (it could not begin, or its engine has failed); `close` with the
 * Outcome. An address that cannot be had is an `error` as node:net has it, with `code` (EADDRINUSE,
 * EACCES, EADDRNOTAVAIL, ENOTFOUND), `syscall`, `address` and `port`. After an `error` nothing of the
 * server is left, and the process ends if nothing else holds it.
 */
export interface Server extends EventEmitter {
  /**
   * The server that the handler belongs to, on a private Unix socket: for what attaches to one, such
   * as `new WebSocketServer({ server: server.http })`. Its requests have the client's address as
   * `request.socket.remoteAddress`, and `X-Forwarded-*` fields that no client can forge.
   */
  readonly http: HttpServer;
  /**
   * Port 0: any. Without a host: every address of the device. Throws ERR_SERVER_ALREADY_LISTEN the
   * second time, also after an `error`, and ERR_SOCKET_BAD_PORT.
   */
  listen(port?: number | string, host?: string, onListening?: () => void): this;
  listen(port?: number | string, onListening?: () => void): this;
  listen(where: { port?: number | string; host?: string }, onListening?: () => void): this;
  /** Null before `listening` and after `close`. */
  address(): AddressInfo | null;
  /**
   * Graceful: no new connection, what is active is delivered within `timeouts.stop_ms`, idle ones
   * end, WebSockets get a close frame. Never rejects; again: the same promise.
   */
  close(onClosed?: (outcome: Outcome) => void): Promise<Outcome>;
  /** New connections get the new certificate. Throws as createServer() does, and keeps the old one. */
  setSecureContext(pair: { cert: string | Buffer; key: string | Buffer }): void;
  /** The figures of docs/API.md's `status`. Throws ERR_SERVER_NOT_RUNNING when it does not listen. */
  status(): Record<string, unknown>;
}

/** `handler` is what Node's http.createServer() takes: an Express application is one. */
export function createServer(options: ServerOptions, handler?: RequestListener): Server;

/**
 * For tests and development without the engine: a handler for node:http whose responses have
 * `sendEngineFile()`, which reads the file here, whole. `routes` are those of createServer().
 */
export function withEngineFiles(
  handler: RequestListener,
  routes: readonly Route[],
): RequestListener;

export const version: string;
