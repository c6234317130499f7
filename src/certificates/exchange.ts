// SPDX-License-Identifier: Apache-2.0
// One HTTPS request with bounds on time and size, on a connection of its own. Used by the clients
// of the enrolment protocols.

import { type ClientRequest, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { isKeyReference } from '../tls/token-key.js';
import { secondMs } from './clock.js';
import type { CertificatePair } from './source.js';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Bytes as characters: these protocols carry ASCII. */
  body: string;
}

const timeoutMs = 30 * secondMs;
const bodyBytesMax = 256 * 1024;

export interface ExchangeOptions extends Omit<RequestOptions, 'ca' | 'cert' | 'key'> {
  /** PEM: who may have signed the server's certificate; undefined: whom Node trusts. */
  ca?: string | undefined;
  /** What is shown to the server. */
  client?: CertificatePair | undefined;
}

const https = 443;

/** Node's own TLS; over the addon's where the key is in a token. */
async function begin(url: URL, options: ExchangeOptions): Promise<ClientRequest> {
  const { ca, client, ...rest } = options;
  const all = { ...rest, agent: false, timeout: timeoutMs } as const;
  if (client === undefined) return httpsRequest(url, { ...all, ca });
  const { chain, privateKey } = client;
  if (!isKeyReference(privateKey)) {
    return httpsRequest(url, { ...all, ca, cert: chain, key: privateKey });
  }
  const { connectWithToken } = await import('../tls/token-connection.js');
  const name = url.hostname.replaceAll(/^\[|\]$/g, '');
  const port = Number(url.port || https);
  const peer = { name, anchors: ca ?? '', chain, reference: privateKey };
  const connection = await connectWithToken(port, peer, timeoutMs);
  return httpRequest({
    ...rest,
    headers: { ...rest.headers, Host: url.host },
    path: `${url.pathname}${url.search}`,
    createConnection: () => connection,
  });
}

/** Rejects with the reason when there is no complete answer in time. Redirects are not followed. */
export async function exchange(
  url: URL,
  options: ExchangeOptions,
  body: string | undefined,
): Promise<Answer> {
  const request = await begin(url, options);
  return new Promise((resolve, reject) => {
    request.on('response', (response) => {
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
