// SPDX-License-Identifier: Apache-2.0
// A request to ourselves through the real way: TCP to our own listener, a TLS handshake in which our
// own certificate is recognised by its fingerprint, one HTTP exchange. The start asks before READY;
// what watches the running service asks again and looks at the body's SHA-256. Loaded when needed.

import { createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

export interface SelfRequest {
  /** As bound: the address of all interfaces is reached over loopback. */
  address: string;
  port: number;
  /** SHA-256 of the certificate that must answer, as X509Certificate.fingerprint256 has it. */
  fingerprint: string;
  method?: 'GET' | 'HEAD';
  path?: string;
  timeoutMs: number;
}

export interface SelfResponse {
  status: number;
  bodyBytes: number;
  /** Of the body, in hexadecimal. */
  bodySha256: string;
}

const retryMs = 200;
const headBytesMax = 16 * 1024;
export const bodyBytesMax = 4 * 1024 * 1024;

/** Where a listener of this address can be reached from the device itself; first the likeliest. */
function targetsOf(address: string): string[] {
  if (address === '0.0.0.0') return ['127.0.0.1'];
  if (address === '::') return ['::1', '127.0.0.1']; // IPv6 may be off on the loopback interface
  return [address];
}

function parseResponse(bytes: Buffer, method: string): SelfResponse {
  const headEnd = bytes.subarray(0, headBytesMax).indexOf('\r\n\r\n');
  const head = headEnd < 0 ? '' : bytes.subarray(0, headEnd).toString('latin1');
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1];
  if (status === undefined) throw new Error('the answer is not an HTTP/1.1 response');
  const body = bytes.subarray(headEnd + 4);
  const promised = /^content-length: (\d+)$/im.exec(head)?.[1];
  if (method !== 'HEAD' && promised !== undefined && Number(promised) !== body.length) {
    throw new Error(`the body has ${body.length} of ${promised} bytes`);
  }
  const bodySha256 = createHash('sha256').update(body).digest('hex');
  return { status: Number(status), bodyBytes: body.length, bodySha256 };
}

function exchange(socket: TLSSocket, request: SelfRequest): Promise<SelfResponse> {
  const { fingerprint, method = 'HEAD', path = '/', timeoutMs } = request;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const fail = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const late = (): void => fail(new Error(`no answer within ${timeoutMs} ms`));
    const timer = setTimeout(late, timeoutMs);
    socket.on('error', fail);
    socket.on('secureConnect', () => {
      const found = socket.getPeerX509Certificate()?.fingerprint256;
      if (found !== fingerprint) return fail(new Error(`another certificate answers: ${found}`));
      socket.write(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    });
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > headBytesMax + bodyBytesMax) fail(new Error('the answer is too long'));
    });
    socket.on('end', () => {
      clearTimeout(timer);
      socket.destroy();
      try {
        resolve(parseResponse(Buffer.concat(chunks), method));
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** Rejects with an Error that says what is wrong; never takes longer than timeoutMs a target. */
export async function selfRequest(request: SelfRequest): Promise<SelfResponse> {
  const { connect } = await import('node:tls'); // Not for a server without a service manager.
  let failure: unknown;
  for (const host of targetsOf(request.address)) {
    try {
      // Whose certificate it is says the fingerprint; who signed it does not matter here.
      const socket = connect({ host, port: request.port, rejectUnauthorized: false });
      return await exchange(socket, request);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/**
 * Asks until an answer comes: a service that starts while many clients wait may have no place for
 * one more at first. Rejects with the last reason when none has come within `totalMs`.
 */
export async function selfRequestWithin(request: SelfRequest, totalMs: number): Promise<void> {
  const endMs = performance.now() + totalMs;
  for (;;) {
    try {
      await selfRequest(request);
      return;
    } catch (error) {
      if (performance.now() + retryMs > endMs) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}
