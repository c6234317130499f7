// SPDX-License-Identifier: Apache-2.0
// The request that the service makes to itself, as a client would: TCP, a whole TLS handshake, a
// body of several records out of the page cache through whatever encrypts, the drain and the close.
// Its bytes are compared, so that a cipher which is wrong with a valid tag is found too. health.ts
// runs it, the accelerator and the watchdog judge by it.

import { createHash, randomBytes, randomInt } from 'node:crypto';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { everyGroup } from '../tls/every-group.js';

/** The part of the engine that a canary needs; engine/native.ts has the promises. */
export interface CanaryService {
  listeners(): { address: string; port: number }[];
  setCanary(body: Uint8Array): void;
  expectCanary(port: number, inKernel: boolean, index: number): void;
  pulse(): { canariesOffloaded: number; engines: readonly unknown[] };
}

/** Who encrypted the answer. */
export type Cipher = 'kernel' | 'user_space';

export type CanaryFault =
  /** Every tag was right, and yet the bytes are others. */
  | 'wrong_bytes'
  /** A record could not be read: a bad MAC at either end, or no record at all. */
  | 'bad_record'
  /** After the handshake, not everything came in time. */
  | 'no_completion'
  /**
   * No handshake, and a private key that is not in memory does not sign. Set by health.ts, which knows. A
   * restart would not mend the token, and would end the connections that are served.
   */
  | 'no_signature'
  /** No handshake in time, or the service refused the connection or the request. */
  | 'no_service'
  /**
   * No listener's address is one of this host at present, or TCP never got there, as where a firewall
   * drops loopback's packets: says nothing about the service.
   */
  | 'unreachable';

export interface CanaryResult {
  fault?: CanaryFault;
  /** Of a fault: one sentence. */
  reason?: string;
  cipher: Cipher;
  durationMs: number;
}

/** A listener of ours, and which of the engines shall answer there. */
interface Addressed {
  host: string;
  port: number;
  index: number;
}

export interface CanaryRun {
  /** Whether it shall try the kernel's cipher, even while that is suspended. */
  inKernel: boolean;
  timeoutMs: number;
}

// Three records, of which the last is short: more than a small body, so that it goes from the page
// cache, and its end goes from memory (native/conn/splice.cpp).
export const canaryBytes = 40_963;
const headBytesMax = 4_096;

// The client's port is chosen, so that the engine knows the connection when it comes; from above
// the kernel's default range for ephemeral ports, where collisions are few.
const portMin = 61_000;
const portEnd = 65_536;
const portTriesMax = 8;

const unreachableCodes = new Set([
  'EADDRNOTAVAIL',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'EAFNOSUPPORT',
  'EACCES', // A prohibit route, ip-route(8), or a filter's verdict.
  'EPERM',
  'ETIMEDOUT',
]);
/** Our own timer's. */
const canaryTimeout = 'ECANARYTIMEOUT';

const request =
  'GET /.spliced/canary HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n' +
  'User-Agent: spliced-canary\r\n\r\n';

/** An address of this host at which a listener at `address` answers. */
function hostOf(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  return address === '::' ? '::1' : address;
}

const statusLineBegin = 'HTTP/1.1 ';

type Verdict = Pick<CanaryResult, 'fault' | 'reason'>;

/** What came is judged by its digest alone: no byte is compared with what could be overwritten. */
function judge(answer: Buffer, digest: string): Verdict {
  const end = answer.indexOf('\r\n\r\n');
  const head = answer.subarray(0, end < 0 ? headBytesMax : end).toString('latin1');
  const isBegun = head.startsWith(statusLineBegin) || statusLineBegin.startsWith(head);
  if (!isBegun || end > headBytesMax || (end < 0 && answer.length >= headBytesMax)) {
    return { fault: 'wrong_bytes', reason: 'the answer does not begin like a response' };
  }
  if (end < 0) {
    return { fault: 'no_completion', reason: `the answer ended after ${answer.length} bytes` };
  }
  if (!head.startsWith('HTTP/1.1 200 ')) {
    return { fault: 'no_service', reason: `the answer was "${head.split('\r\n', 1)[0]}"` };
  }
  const body = answer.subarray(end + 4);
  if (body.length < canaryBytes) {
    const reason = `${body.length} of ${canaryBytes} bytes came before the end`;
    return { fault: 'no_completion', reason };
  }
  const found = createHash('sha256').update(body).digest('hex');
  if (found !== digest) return { fault: 'wrong_bytes', reason: 'the SHA-256 does not match' };
  return {};
}

/** How far a canary has come. */
type Stage = 'connecting' | 'connected' | 'secure';

/** By the error of the client's socket. Handshakes are OpenSSL's, so the kernel is not suspect. */
function faultOf(error: NodeJS.ErrnoException, stage: Stage): Verdict {
  const isSecure = stage === 'secure';
  const reason = `${isSecure ? 'after' : 'before'} the handshake: ${error.message}`;
  const isUnanswered = stage === 'connecting' && error.code === canaryTimeout;
  if (isUnanswered || unreachableCodes.has(error.code ?? ''))
    return { fault: 'unreachable', reason };
  if (!isSecure) return { fault: 'no_service', reason };
  const isRecord = error.code?.startsWith('ERR_SSL_') === true;
  return { fault: isRecord ? 'bad_record' : 'no_completion', reason };
}

export class Canary {
  readonly #service: CanaryService;
  readonly #digest: string;
  #turn = 0;
  #abandon: ((error: Error) => void) | undefined;

  /** Gives the engine its body. Throws ECANARY when there is no memory for it. */
  constructor(service: CanaryService) {
    this.#service = service;
    const body = randomBytes(canaryBytes);
    this.#digest = createHash('sha256').update(body).digest('hex');
    service.setCanary(body);
  }

  /**
   * One request to each engine, one after the other, at one of the listeners in turn. The first fault is
   * the result. Not to be called while one is under way.
   */
  async run({ inKernel, timeoutMs }: CanaryRun): Promise<CanaryResult> {
    const beganMs = performance.now();
    const { canariesOffloaded: before, engines } = this.#service.pulse();
    let verdict: Verdict = {};
    let asked = 0;
    while (asked < engines.length && verdict.fault === undefined) {
      const leftMs = timeoutMs - (performance.now() - beganMs);
      verdict = await this.#askOne(asked, inKernel, leftMs);
      asked += 1;
    }
    const isOffloaded = this.#service.pulse().canariesOffloaded - before >= asked;
    const durationMs = Math.round(performance.now() - beganMs);
    return { ...verdict, cipher: isOffloaded ? 'kernel' : 'user_space', durationMs };
  }

  async #askOne(index: number, inKernel: boolean, timeoutMs: number): Promise<Verdict> {
    const beganMs = performance.now();
    const listeners = this.#service.listeners();
    let verdict: Verdict = { fault: 'unreachable', reason: 'there is no listener' };
    for (let tries = 0; tries < listeners.length; tries += 1) {
      const listener = listeners[this.#turn++ % listeners.length];
      if (listener === undefined) break;
      const leftMs = timeoutMs - (performance.now() - beganMs);
      const to = { host: hostOf(listener.address), port: listener.port, index };
      verdict = await this.#ask(to, inKernel, leftMs);
      if (verdict.fault !== 'unreachable') break;
    }
    return verdict;
  }

  /** Ends the one under way, if there is one. */
  close(why = 'the service stops'): void {
    this.#abandon?.(new Error(why));
  }

  async #ask({ host, port, index }: Addressed, inKernel: boolean, timeoutMs: number) {
    // Loaded when it is needed: the service is ready before.
    const { connect } = await import('node:tls');
    for (let tries = 1; ; tries += 1) {
      const localPort = randomInt(portMin, portEnd);
      this.#service.expectCanary(localPort, inKernel, index);
      const options: ConnectionOptions & { localPort: number; localAddress: string } = {
        host,
        port,
        localPort,
        // Both ends at the same address: that is how the engine knows us. And should the address
        // no longer be ours, nobody else is asked.
        localAddress: host,
        // What is tried is the way; whom the certificate is for is the clients' business.
        rejectUnauthorized: false,
        minVersion: 'TLSv1.3',
        ciphers: 'TLS_AES_128_GCM_SHA256',
        ecdhCurve: everyGroup,
      };
      try {
        return await this.#exchange(connect(options), timeoutMs);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'EADDRINUSE' || tries === portTriesMax) throw error;
      } finally {
        this.#service.expectCanary(0, false, index);
      }
    }
  }

  /** Rejects only when our own port is taken. */
  #exchange(socket: TLSSocket, timeoutMs: number): Promise<Verdict> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      let stage: Stage = 'connecting';
      const end = (verdict: Verdict): void => {
        clearTimeout(timer);
        this.#abandon = undefined;
        socket.destroy();
        resolve(verdict);
      };
      const fail = (error: NodeJS.ErrnoException): void => {
        clearTimeout(timer);
        if (error.code === 'EADDRINUSE') reject(error);
        else end(faultOf(error, stage));
      };
      const timer = setTimeout(() => {
        const words = `not done after ${timeoutMs} ms, with ${bytes} bytes received`;
        fail(Object.assign(new Error(words), { code: canaryTimeout }));
      }, timeoutMs);
      this.#abandon = fail;
      socket.on('connect', () => {
        stage = 'connected';
      });
      socket.on('secureConnect', () => {
        stage = 'secure';
        socket.write(request);
      });
      socket.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= headBytesMax + canaryBytes) chunks.push(chunk);
        else end({ fault: 'wrong_bytes', reason: `more than ${canaryBytes} bytes came` });
      });
      // Only now: the service has drained, said close_notify and sent its FIN.
      socket.on('end', () => end(judge(Buffer.concat(chunks), this.#digest)));
      socket.on('error', fail);
    });
  }
}
