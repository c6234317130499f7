// SPDX-License-Identifier: Apache-2.0
// A handler's answer that is a file of an internal route: the engine sends it (docs/HAND-OVER.md), and
// no byte of it passes through JavaScript. Without the engine, in a program's tests, the file is read
// here, so that handlers need not know.

import { createReadStream } from 'node:fs';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import type { EngineFileOptions, Route } from '../../types/index.js';

function invalid(text: string): TypeError {
  return Object.assign(new TypeError(`sendEngineFile(): ${text}`), {
    code: 'ERR_INVALID_ARG_VALUE',
  });
}

/** The segments of a path as its file is named; what is joined from a client's words must be one. */
function segmentsOf(path: string): string[] {
  if (!path.startsWith('/')) throw invalid(`"${path}" does not begin with "/"`);
  const segments = path.slice(1).split('/');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  const isOdd = segments.some((part) => /^\.{0,2}$|[\x00-\x1f\x7f\\]/.test(part));
  if (isOdd)
    throw invalid(`"${path}" has an empty or dotted part, or a character that no file has`);
  return segments;
}

/** RFC 6266 4.3, RFC 8187: the name for all, and as it is for those that can. */
function attachmentOf(name: string): string {
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16)}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

function describe(
  response: ServerResponse,
  { status, type, filename, headers }: EngineFileOptions,
): void {
  if (status !== undefined) response.statusCode = status;
  for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value);
  if (type !== undefined) response.setHeader('Content-Type', type);
  if (filename !== undefined) response.setHeader('Content-Disposition', attachmentOf(filename));
}

/** For responses whose requests came by the engine. */
export function offerEngineFiles(response: ServerResponse): void {
  response.sendEngineFile = (path: string, options: EngineFileOptions = {}): void => {
    const target = segmentsOf(path).map(encodeURIComponent).join('/');
    describe(response, options);
    response.setHeader('X-Accel-Redirect', `/${target}`);
    response.end();
  };
}

const fewTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.json': 'application/json',
  '.mp4': 'video/mp4',
  '.txt': 'text/plain; charset=utf-8',
};

/** The file of an internal route; undefined: there is no such route. */
function fileOf(path: string, routes: readonly Route[]): string | undefined {
  const wanted = `/${segmentsOf(path).join('/')}`;
  const fits = routes
    .filter(({ internal }) => internal === true)
    .map(({ path: prefix = '/', root = '' }) => ({ prefix: prefix.replace(/\/$/, ''), root }))
    .filter(({ prefix }) => wanted.startsWith(`${prefix}/`))
    .sort((a, b) => b.prefix.length - a.prefix.length);
  return fits[0] && join(fits[0].root, wanted.slice(fits[0].prefix.length));
}

/** The whole file, without ranges and conditions: enough for a test of who may have it. */
function sendHere(
  request: IncomingMessage,
  response: ServerResponse,
  file: string | undefined,
  options: EngineFileOptions,
): void {
  if (file === undefined) {
    response.writeHead(502).end();
    return;
  }
  const stream = createReadStream(file);
  stream.once('error', () => {
    if (!response.headersSent) response.statusCode = 404;
    response.end();
  });
  stream.once('ready', () => {
    describe(response, options);
    const type = fewTypes[extname(file)] ?? 'application/octet-stream';
    if (!response.hasHeader('Content-Type')) response.setHeader('Content-Type', type);
    if (request.method === 'HEAD') stream.destroy();
    if (request.method === 'HEAD') response.end();
    else stream.pipe(response);
  });
}

/** See types/index.d.ts. */
export const withEngineFiles =
  (handler: RequestListener, routes: readonly Route[]): RequestListener =>
  (request, response) => {
    response.sendEngineFile = (path, options = {}) =>
      sendHere(request, response, fileOf(path, routes), options);
    handler(request, response);
  };
