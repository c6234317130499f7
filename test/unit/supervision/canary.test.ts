// SPDX-License-Identifier: Apache-2.0
// The canary's judgement, against servers that are wrong in each way; Node's own TLS serves. The
// right answer of the real engine is in test/contract/supervision.test.ts.

import type { AddressInfo, Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { issueCertificate } from '../../../src/certificates/issue.js';
import { Canary, type CanaryService, canaryBytes } from '../../../src/supervision/canary.js';

const names = { commonName: 'localhost', dns: ['localhost'], ip: ['127.0.0.1'] };
const pair = await issueCertificate(names, Date.now());

class TestService implements CanaryService {
  body = Buffer.alloc(0);
  readonly expected: [port: number, inKernel: boolean][] = [];
  readonly addresses: { address: string; port: number }[] = [];
  offloaded = 0;

  listeners() {
    return this.addresses;
  }
  setCanary(body: Uint8Array): void {
    this.body = Buffer.from(body);
  }
  expectCanary(port: number, inKernel: boolean): void {
    this.expected.push([port, inKernel]);
  }
  pulse() {
    return { canariesOffloaded: this.offloaded, engines: [{}] };
  }
}

type Answer = (socket: TLSSocket, body: Buffer) => void;

const head = (length: number): string => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`;

/** A server that answers so, and the canary for it. */
async function serve(t: Test, answer: Answer) {
  const service = new TestService();
  const sockets = new Set<Socket>();
  const ports: (number | undefined)[] = [];
  const server = createServer({ key: pair.privateKey, cert: pair.certificate }, (socket) => {
    ports.push(socket.remotePort);
    socket.on('error', () => {});
    socket.once('data', () => answer(socket, service.body));
  });
  server.on('tlsClientError', () => {});
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  service.addresses.push({ address: '0.0.0.0', port });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { service, canary: new Canary(service), ports, sockets };
}

const run = { inKernel: true, timeoutMs: 30_000 };

t.test('the right answer, and a port that the engine was told before', async (t) => {
  const { service, canary, ports } = await serve(t, (socket, body) => {
    service.offloaded += 1;
    socket.end(Buffer.concat([Buffer.from(head(body.length)), body]));
  });
  const result = await canary.run(run);
  t.equal(result.fault, undefined);
  t.equal(result.cipher, 'kernel');
  t.equal(service.body.length, canaryBytes);
  t.same(service.expected.at(-2), [ports[0], true]);
  t.same(service.expected.at(-1), [0, false], 'expected no longer');
});

t.test('one bit of the body', async (t) => {
  const { canary } = await serve(t, (socket, body) => {
    const wrong = Buffer.from(body);
    wrong[20_000] = (wrong[20_000] ?? 0) ^ 1;
    socket.end(Buffer.concat([Buffer.from(head(body.length)), wrong]));
  });
  t.match(await canary.run(run), { fault: 'wrong_bytes', cipher: 'user_space', reason: /SHA-256/ });
});

t.test('a response that is none, too long, refused, or cut short', async (t) => {
  const rows: [Answer, string][] = [
    [(socket, body) => socket.end(body), 'wrong_bytes'],
    [(socket) => socket.end('HTTP/1.1 200 OK\r\n'), 'no_completion'],
    [
      (socket, body) => socket.end(Buffer.concat([Buffer.from(head(1)), body, body])),
      'wrong_bytes',
    ],
    [(socket) => socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'), 'no_service'],
    [(socket, body) => socket.end(head(body.length) + body.subarray(1)), 'wrong_bytes'],
    [
      (socket, body) =>
        socket.end(Buffer.concat([Buffer.from(head(body.length)), body.subarray(0, 16_384)])),
      'no_completion',
    ],
    [(socket) => socket.destroy(), 'no_completion'],
  ];
  for (const [answer, fault] of rows) {
    const { canary } = await serve(t, answer);
    const result = await canary.run(run);
    t.equal(result.fault, fault, `${fault}: ${result.reason}`);
  }
});

t.test('bytes that are no record, as from a cipher gone wrong', async (t) => {
  const { canary, sockets } = await serve(t, () => {
    // An application data record whose tag cannot be right.
    const record = Buffer.concat([Buffer.from([23, 3, 3, 0, 64]), Buffer.alloc(64, 0xa5)]);
    for (const socket of sockets) socket.write(record);
  });
  t.match(await canary.run(run), { fault: 'bad_record', reason: /after the handshake/ });
});

t.test('a reset after the handshake, silence after it, and silence before it', async (t) => {
  const reset = await serve(t, () => {
    for (const socket of reset.sockets) socket.resetAndDestroy();
  });
  t.equal((await reset.canary.run(run)).fault, 'no_completion');

  const silent = await serve(t, () => {});
  t.equal((await silent.canary.run({ inKernel: true, timeoutMs: 300 })).fault, 'no_completion');

  const held = await serve(t, (socket, body) => {
    // All of it, but no end: the drain did not come to its end.
    socket.write(Buffer.concat([Buffer.from(head(body.length)), body]));
  });
  t.match(await held.canary.run({ inKernel: true, timeoutMs: 300 }), {
    fault: 'no_completion',
    reason: /with 41\d\d\d bytes/,
  });
});

t.test('nobody listens, and no address of this host', async (t) => {
  const service = new TestService();
  const canary = new Canary(service);
  t.match(await canary.run(run), { fault: 'unreachable', reason: /no listener/ });
  service.addresses.push({ address: '127.0.0.1', port: 1 });
  t.match(await canary.run(run), { fault: 'no_service', reason: /before the handshake/ });
  // RFC 5737: for documentation, nobody's address.
  service.addresses.splice(0, 1, { address: '192.0.2.7', port: 443 });
  t.match(await canary.run(run), { fault: 'unreachable', reason: /EADDRNOTAVAIL/ });
});

t.test('listeners take turns; one that is not there is passed over', async (t) => {
  const { service, canary } = await serve(t, (socket, body) =>
    socket.end(Buffer.concat([Buffer.from(head(body.length)), body])),
  );
  service.addresses.push({ address: '192.0.2.7', port: 443 });
  for (let i = 0; i < 4; i += 1) t.equal((await canary.run(run)).fault, undefined);
});

t.test('close() ends the one under way', async (t) => {
  const { canary, sockets } = await serve(t, () => canary.close());
  t.match(await canary.run(run), { fault: 'no_completion', reason: /the service stops/ });
  t.ok(sockets.size <= 1);
});
