// SPDX-License-Identifier: Apache-2.0
// src/supervision/self-request.ts and the addon's askOurselves() against real TLS servers that
// answer, lie, cut short, or are silent.

import { X509Certificate } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { issueCertificate } from '../../src/certificates/issue.js';
import { loadNative } from '../../src/engine/native.js';
import { selfRequestWithin } from '../../src/supervision/self-request.js';

const { askOurselves } = loadNative();
const issued = await issueCertificate(
  { commonName: 'localhost', dns: ['localhost'], ip: ['127.0.0.1'] },
  Date.now(),
);
const fingerprint = new X509Certificate(issued.certificate).fingerprint256;

async function serve(t: Test, answer: (socket: TLSSocket, head: string) => void): Promise<number> {
  const sockets = new Set<TLSSocket>();
  const server = createServer({ cert: issued.certificate, key: issued.privateKey }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', (data) => answer(socket, String(data)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

const ask = (port: number, more: object = {}) =>
  selfRequestWithin(
    askOurselves,
    { address: '127.0.0.1', port, fingerprints: ['00', fingerprint], timeoutMs: 5_000, ...more },
    0,
  );

t.test('the response of the right server', async (t) => {
  const heads: string[] = [];
  const port = await serve(t, (socket, head) => {
    heads.push(head);
    socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n');
  });
  await ask(port);
  t.match(heads[0], /^HEAD \/ HTTP\/1\.1\r\n/);
  await ask(port, { address: '0.0.0.0' });
  await ask(port, { address: '::' });
  t.equal(heads.length, 3, 'all interfaces, IPv4 after IPv6');
});

t.test('what is wrong is said', async (t) => {
  const other = await serve(t, (socket) => socket.end('SSH-2.0-x\r\n'));
  await t.rejects(ask(other), { message: 'the answer is not an HTTP/1.1 response' });
  await t.rejects(ask(other, { fingerprints: ['AA'] }), {
    message: /^another certificate answers/,
  });
  const short = await serve(t, (socket) => socket.end('HTTP/1.1 200 OK\r\n'));
  await t.rejects(ask(short), { message: 'the answer is not an HTTP/1.1 response' });
  const silent = await serve(t, () => {});
  await t.rejects(ask(silent, { timeoutMs: 200 }), { message: 'no answer within 200 ms' });
  const endless = await serve(t, (socket) => {
    const more = (): void => void socket.write(Buffer.alloc(1 << 20), (error) => error ?? more());
    more();
  });
  await t.rejects(ask(endless), { message: 'the answer is too long' });
  await t.rejects(ask(1), { message: 'cannot connect: Connection refused' }, 'nobody listens');
  await t.rejects(ask(other, { address: 'localhost' }), { message: /no numeric address/ });
  for (const more of [
    { port: 0 },
    { port: 65_536 },
    { timeoutMs: 0 },
    { timeoutMs: '5' },
    { fingerprints: [] },
  ]) {
    await t.rejects(ask(other, more), { code: 'EINVAL_OPTION' }, JSON.stringify(more));
  }
});

t.test('a server that is not ready yet is asked again', async (t) => {
  let asked = 0;
  const notYet = async (): Promise<void> => {
    asked += 1;
    if (asked < 3) throw new Error('not yet');
  };
  const request = { address: '127.0.0.1', port: 1, fingerprints: [fingerprint], timeoutMs: 1 };
  await selfRequestWithin(notYet, request, 10_000);
  t.equal(asked, 3);
});
