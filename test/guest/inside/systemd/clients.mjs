// SPDX-License-Identifier: Apache-2.0
// Clients of the scenarios: one request, a loop of new connections that counts what became of each,
// and slow downloads. The loop is a program of its own, so that systemctl does not stop it:
//   node clients.mjs PORT        until its standard input ends; then one line of JSON
import { request as plainRequest } from 'node:http';
import { request } from 'node:https';
import { pathToFileURL } from 'node:url';

const requestMs = 20_000;

/** One request over a new connection. Rejects unless the whole body has come. */
export function get(port, path = '/', onData = undefined) {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false };
    const outgoing = request({ ...options, timeout: requestMs }, (response) => {
      let bytes = 0;
      const { fingerprint256 } = response.socket.getPeerCertificate();
      response.on('data', (data) => {
        bytes += data.length;
        onData?.(response, data.length);
      });
      response.on('end', () => {
        if (!response.complete) return reject(new Error('truncated'));
        resolve({ status: response.statusCode, bytes, fingerprint256 });
      });
      response.on('error', reject);
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** One request over plain HTTP: its status, and where it leads. */
export function getPlain(port) {
  return new Promise((resolve, reject) => {
    const headers = { Host: 'localhost' };
    const options = { host: '127.0.0.1', port, agent: false, headers, timeout: requestMs };
    const outgoing = plainRequest(options, (response) => {
      const { statusCode: status, headers } = response;
      response.resume();
      response.on('end', () => resolve({ status, location: headers.location }));
      response.on('error', reject);
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** A download that takes `bytesPerSecond`. */
export function download(port, path, bytesPerSecond) {
  const startedMs = Date.now();
  let bytes = 0;
  return get(port, path, (response, count) => {
    bytes += count;
    const dueMs = startedMs + (bytes / bytesPerSecond) * 1000;
    const waitMs = dueMs - Date.now();
    if (waitMs < 10) return;
    response.pause();
    setTimeout(() => response.resume(), waitMs);
  });
}

async function loop(port) {
  const result = { served: 0, failed: {}, slowestMs: 0 };
  let isOver = false;
  process.stdin.on('end', () => {
    isOver = true;
  });
  process.stdin.resume();
  console.log('ready');
  while (!isOver) {
    const startedMs = Date.now();
    try {
      const { status } = await get(port);
      if (status === 200) result.served += 1;
      else result.failed[status] = (result.failed[status] ?? 0) + 1;
    } catch (error) {
      const reason = error.code ?? error.message;
      result.failed[reason] = (result.failed[reason] ?? 0) + 1;
    }
    result.slowestMs = Math.max(result.slowestMs, Date.now() - startedMs);
  }
  console.log(JSON.stringify(result));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await loop(Number(process.argv[2]));
