// SPDX-License-Identifier: Apache-2.0
// A client of a Unix socket, and what the proxy route adds to a request.

import { type IncomingMessage, request } from 'node:http';
import { basename, dirname } from 'node:path';
import { withShortPath } from '../../../src/api/private-socket.js';

export interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
  json: Record<string, never> & { [name: string]: unknown };
}

export interface Asked {
  method?: string;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer | undefined;
}

export const prefix = '/.spliced/api/v1';
export const json = { 'content-type': 'application/json' };

/** What a client at this address looks like through the proxy. */
export const from = (address: string, more: Record<string, string> = {}) => ({
  'x-forwarded-for': address,
  'x-forwarded-proto': 'https',
  ...more,
});

/** `path` is below the API's prefix, unless it begins with it. */
export function ask(socket: string, path: string, asked: Asked = {}): Promise<Answer> {
  // A test's directory has a long name.
  return withShortPath(dirname(socket), basename(socket), (short) => askAt(short, path, asked));
}

function askAt(socketPath: string, path: string, asked: Asked): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = asked;
  const target = path.startsWith('/.spliced') ? path : prefix + path;
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const options = { socketPath, path: target, method, agent: false } as const;
    const own = { host: 'device.example', ...length, ...headers };
    const outgoing = request({ ...options, headers: own }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(parts).toString();
        const isJson = /[/+]json/.test(response.headers['content-type'] ?? '');
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, text, json: isJson && text !== '' ? JSON.parse(text) : {} });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

export const post = (socketPath: string, path: string, body: unknown = {}): Promise<Answer> =>
  ask(socketPath, path, { method: 'POST', headers: json, body: JSON.stringify(body) });
