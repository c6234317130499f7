// SPDX-License-Identifier: Apache-2.0
// How the fake device answers.

import type { IncomingMessage, ServerResponse } from 'node:http';

export function json(outgoing: ServerResponse, body: unknown, status = 200): void {
  outgoing.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  outgoing.end(JSON.stringify(body));
}

export function problem(
  outgoing: ServerResponse,
  status: number,
  detail: string,
  more: object = {},
): void {
  outgoing.writeHead(status, { 'Content-Type': 'application/problem+json' });
  outgoing.end(JSON.stringify({ type: 'about:blank', title: 'Refused', status, detail, ...more }));
}

export async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
