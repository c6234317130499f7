// SPDX-License-Identifier: Apache-2.0
// Reads the body of a request strictly: the content type that the route wants, a bounded length,
// UTF-8, known fields only. Throws Problem. Called by the routes.

import type { IncomingMessage } from 'node:http';
import { Problem } from './problem.js';
import type { RouteContext } from './route.js';

export const bodyBytesMax = 64 * 1024;

/** `string?` may be absent. */
type Kind = 'string' | 'string?' | 'strings' | 'number';

type Value<K extends Kind> = K extends 'string'
  ? string
  : K extends 'string?'
    ? string | undefined
    : K extends 'number'
      ? number
      : string[];

const wordsOf: Record<Kind, string> = {
  string: 'a string',
  'string?': 'a string',
  strings: 'an array of strings',
  number: 'a number',
};

const bad = (detail: string): Problem => new Problem(400, 'Bad request body', detail);

function tooLong(): Problem {
  const detail = `A body has at most ${bodyBytesMax} bytes.`;
  // What is still to come is not read: nothing else can be asked on this connection.
  return new Problem(413, 'Body too long', detail, { headers: { Connection: 'close' } });
}

/**
 * Reads Node's message itself: Hono's own limit copies a request of unknown length, which its
 * adapter for Node cannot do unless it replaces the process's global Request.
 */
function readBytes(incoming: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let length = 0;
    if (Number(incoming.headers['content-length'] ?? 0) > bodyBytesMax) {
      reject(tooLong());
      return;
    }
    incoming.on('data', (part: Buffer) => {
      length += part.length;
      if (length <= bodyBytesMax) {
        parts.push(part);
        return;
      }
      incoming.removeAllListeners('data').pause();
      reject(tooLong());
    });
    incoming.on('end', () => resolve(Buffer.concat(parts)));
    incoming.on('error', () => reject(bad('The body ended too early.')));
  });
}

/** The whole text; an empty one needs the content type as well: no form of a web page has it. */
export async function readText(c: RouteContext, type: string): Promise<string> {
  const [given = ''] = (c.req.header('content-type') ?? '').split(';', 1);
  if (given.trim().toLowerCase() !== type) {
    const detail = `Send the body with "Content-Type: ${type}"; it was ${given ? `"${given}"` : 'absent'}.`;
    throw new Problem(415, 'Wrong content type', detail);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readBytes(c.env.incoming));
  } catch (error) {
    if (error instanceof TypeError) throw bad('The body is not UTF-8.');
    throw error;
  }
}

function isKind(value: unknown, kind: Kind): boolean {
  if (kind === 'string?' && value === undefined) return true;
  if (kind === 'number') return typeof value === 'number';
  if (kind !== 'strings') return typeof value === 'string';
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** The fields of a JSON object; without any wanted, no body is an object too. */
export async function readFields<const Fields extends Record<string, Kind>>(
  c: RouteContext,
  wanted: Fields,
): Promise<{ [Name in keyof Fields]: Value<Fields[Name]> }> {
  const text = await readText(c, 'application/json');
  let body: unknown;
  try {
    body = JSON.parse(text === '' ? '{}' : text);
  } catch {
    throw bad('The body is not JSON.');
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw bad('The body must be a JSON object.');
  }
  const names = Object.keys(wanted);
  const has = names.length === 0 ? 'there are none' : `there are: ${names.join(', ')}`;
  for (const name of Object.keys(body)) {
    if (!names.includes(name)) throw bad(`There is no field ${JSON.stringify(name)}; ${has}.`);
  }
  const fields = body as Record<string, unknown>;
  for (const [name, kind] of Object.entries(wanted)) {
    if (isKind(fields[name], kind)) continue;
    throw bad(`"${name}" must be ${wordsOf[kind]}.`);
  }
  return fields as { [Name in keyof Fields]: Value<Fields[Name]> };
}
