// SPDX-License-Identifier: Apache-2.0
// One HTTPS request with bounds on time and size, on a connection of its own. Used by the clients
// of the enrolment protocols.

import type { IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { secondMs } from './clock.js';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Bytes as characters: these protocols carry ASCII. */
  body: string;
}

const timeoutMs = 30 * secondMs;
const bodyBytesMax = 256 * 1024;

/** Rejects with the reason when there is no complete answer in time. Redirects are not followed. */
export function exchange(
  url: URL,
  options: RequestOptions,
  body: string | undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const all = { ...options, agent: false, timeout: timeoutMs };
    const request = httpsRequest(url, all, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > bodyBytesMax) request.destroy(new Error('the answer is too long'));
        else chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: Buffer.concat(chunks).toString('latin1') });
      });
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    request.on('error', reject);
    request.end(body);
  });
}
