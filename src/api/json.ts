// SPDX-License-Identifier: Apache-2.0
// A response with JSON. Hono's c.json leaves characters that control a terminal as they are, and a
// user of curl sees text that a client or a bundle has written; this escapes them.
import { visibleJson } from '../base/visible.js';
import { jsonType } from './route.js';

export const json = (
  value: unknown,
  status = 200,
  headers: Record<string, string> = {},
): Response =>
  new Response(visibleJson(value), { status, headers: { ...headers, 'Content-Type': jsonType } });
