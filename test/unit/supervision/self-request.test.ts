// SPDX-License-Identifier: Apache-2.0
// src/supervision/self-request.ts against real TLS servers that answer, lie, cut short, or are silent.

import { createHash, X509Certificate } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { issueCertificate } from '../../../src/certificates/issue.js';
import { selfRequest } from '../../../src/supervision/self-request.js';

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
  selfRequest({ address: '127.0.0.1', port, fingerprint, timeoutMs: 5_000, ...more });

t.test('the response of the right server', async (t) => {
  const heads: string[] = [];
  const port = await serve(t, (socket, head) => {
    heads.push(head);
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
  });
  const bodySha256 = createHash('sha256').update('hello').digest('hex');
  const expected = { status: 200, bodyBytes: 5, bodySha256 };
  t.same(await ask(port, { method: 'GET', path: '/x' }), expected);
  t.match(heads[0], /^GET \/x HTTP\/1\.1\r\n/);
  t.match(await ask(port, { address: '0.0.0.0' }), { status: 200 }, 'all interfaces');
  t.match(await ask(port, { address: '::' }), { status: 200 }, 'IPv4 after IPv6');
});

t.test('a HEAD has no body', async (t) => {
  const port = await serve(t, (socket) =>
    socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n'),
  );
  t.match(await ask(port), { status: 404, bodyBytes: 0 });
});

t.test('what is wrong is said', async (t) => {
  const short = await serve(t, (socket) =>
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell'),
  );
  await t.rejects(ask(short, { method: 'GET' }), { message: 'the body has 4 of 5 bytes' });
  const other = await serve(t, (socket) => socket.end('SSH-2.0-x\r\n'));
  await t.rejects(ask(other), { message: 'the answer is not an HTTP/1.1 response' });
  await t.rejects(ask(other, { fingerprint: 'AA' }), { message: /^another certificate answers/ });
  const silent = await serve(t, () => {});
  await t.rejects(ask(silent, { timeoutMs: 200 }), { message: 'no answer within 200 ms' });
  const endless = await serve(t, (socket) => {
    const more = (): void => void socket.write(Buffer.alloc(1 << 20), (error) => error ?? more());
    more();
  });
  await t.rejects(ask(endless), { message: 'the answer is too long' });
  await t.rejects(ask(1), { code: 'ECONNREFUSED' }, 'nobody listens');
});
