// SPDX-License-Identifier: Apache-2.0
// A route: its handler and its description in one place, so that openapi.ts describes exactly what
// app.ts answers. Types, and the few answers that all routes share.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context } from 'hono';
import type { Asker, Door } from './access.js';
import type { EventStreams } from './event-stream.js';
import type { LogStreams } from './log-stream.js';
import type { OperationId } from './needs.js';
import type { People } from './people/people.js';
import type { ApiService } from './service.js';

/** What node-server gives for a request, and the socket it came through. */
export interface Bindings {
  incoming: IncomingMessage;
  outgoing: ServerResponse;
  door: Door;
}

export type RouteContext = Context<{ Bindings: Bindings }>;

/** What the handlers work with. */
export interface RouteParts {
  service: ApiService;
  people: People;
  streams: LogStreams;
  eventStreams: EventStreams;
}

/** The same for one request. */
export interface RequestParts extends RouteParts {
  asker: Asker;
}

/** A schema in JSON Schema 2020-12, which is OpenAPI 3.1's. */
export type Schema = Record<string, unknown>;

/** The body of a request or of an answer. */
export interface Content {
  type: string;
  schema: Schema;
}

export interface Parameter {
  name: string;
  in: 'query' | 'header' | 'path';
  /** Of OpenAPI: always with one in the path. */
  required?: true;
  description: string;
  schema: Schema;
}

export interface Route {
  method: 'get' | 'put' | 'post' | 'delete';
  /** Below the API's prefix; a parameter as OpenAPI writes it, such as {name}. */
  path: string;
  summary: string;
  /** Is no GET only because it needs a body: there is nothing to record. */
  changesNothing?: true;
  /** The log gets a line of its own: who it is, is known behind the door alone. */
  recordsItself?: true;
  /** A name for programs that are made from the description; needs.ts says who may. */
  operationId: OperationId;
  parameters?: readonly Parameter[];
  body?: Content;
  /** The answer when all is well. */
  answer: Content & { status: 200 | 201 | 202; description: string };
  /** The refusals of this route, beside those that all have. */
  problems?: Readonly<Record<number, string>>;
  handle(c: RouteContext, parts: RequestParts): Response | Promise<Response>;
}

export const jsonType = 'application/json';
export const pemType = 'application/pem-certificate-chain'; // RFC 8555 9.1

export const refTo = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

export const jsonOf = (name: string): Content => ({ type: jsonType, schema: refTo(name) });
