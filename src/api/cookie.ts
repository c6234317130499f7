// SPDX-License-Identifier: Apache-2.0
// The cookie of a session. Because of its name's prefix (RFC 6265bis 4.1.3.2) browsers accept it only
// from this host, over https, and send it to no other host. Used by access.ts and by the routes of people.

import type { IncomingMessage } from 'node:http';

const name = '__Host-spliced';
const attributes = 'Path=/; Secure; HttpOnly; SameSite=Strict';

/** Until the browser ends; the service ends it sooner. */
export const cookieOf = (key: string): string => `${name}=${key}; ${attributes}`;

export const endCookie = `${name}=; Max-Age=0; ${attributes}`;

/** Undefined: there is none, or several, of which nobody knows which is ours. */
export function sessionKeyOf({ headers: { cookie = '' } }: IncomingMessage): string | undefined {
  const found = cookie
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`));
  return found.length === 1 ? found[0]?.slice(name.length + 1) : undefined;
}
