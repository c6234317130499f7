// SPDX-License-Identifier: Apache-2.0
// An answer of JSON. Instead of Hono's c.json, which leaves characters that steer a terminal as they
// are: who asks with curl sees what a client or a bundle has written.
import { visibleJson } from '../base/visible.js';
import { jsonType } from './route.js';

export const json = (
  value: unknown,
  status = 200,
  headers: Record<string, string> = {},
): Response =>
  new Response(visibleJson(value), { status, headers: { ...headers, 'Content-Type': jsonType } });
