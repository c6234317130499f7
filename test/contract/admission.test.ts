// SPDX-License-Identifier: Apache-2.0
// More clients than there is room for, over the real addon: who is refused, who makes room, what is
// counted, and that the server serves on and recovers by itself.

import { once } from 'node:events';
import { Agent } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { connectRaw, get, type Running, startService } from './service.js';

const files = { 'index.html': '<p>hello</p>', 'large.bin': Buffer.alloc(5_000_000, 'x') };

interface Connections {
  open: number;
  shed: number;
  shedBy: Record<string, number>;
  evicted: number;
  byState: Record<string, number>;
}
const connectionsOf = (running: Running): Connections =>
  JSON.parse(running.service.stats()).connections;
const overdueOf = (running: Running): Record<string, number> =>
  JSON.parse(running.service.stats()).overdue;

/** Until it holds; the test's own time-out ends a wait in vain. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Agents with one idle keep-alive connection each. */
async function idleClients(t: Test, running: Running, count: number): Promise<Agent[]> {
  const agents: Agent[] = [];
  for (let i = 0; i < count; i += 1) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.teardown(() => agent.destroy());
    t.equal((await get(running, { agent })).status, 200);
    agents.push(agent);
  }
  return agents;
}

/** Connections that never say anything, not even their first TLS record. */
async function mutes(t: Test, running: Running, count: number, localAddress?: string) {
  const sockets: Socket[] = [];
  for (let i = 0; i < count; i += 1) {
    const options = {
      host: '127.0.0.1',
      port: running.port,
      ...(localAddress && { localAddress }),
    };
    const socket = connectTcp(options);
    socket.on('error', () => {}); // A refusal may come before `connect`.
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => {});
    sockets.push(socket);
  }
  t.teardown(() => sockets.map((socket) => socket.destroy()));
  return sockets;
}

for (const ring of ['auto', 'epoll'] as const) {
  for (const tlsOffload of ['auto', 'off'] as const) {
    t.test(
      `idle clients make room for new ones, ring ${ring}, offload ${tlsOffload}`,
      async (t) => {
        const running = await startService(t, files, { connectionsMax: 4, ring, tlsOffload });
        await idleClients(t, running, 40);
        const { shed, evicted } = connectionsOf(running);
        t.equal(shed, 0, 'nobody was refused');
        t.equal(evicted, 36);
        await until(() => connectionsOf(running).open === 4);
      },
    );
  }
}

t.test('a client in the middle of a response does not make room', async (t) => {
  const running = await startService(t, files, { connectionsMax: 2 });
  const readers = [await connectRaw(running), await connectRaw(running)];
  for (const reader of readers) {
    reader.pause();
    reader.write('GET /large.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  }
  await until(() => connectionsOf(running).byState.splice === 2);
  await t.rejects(get(running), 'there is nobody to make room');
  t.match(connectionsOf(running), { shed: 1, shedBy: { slots: 1 }, evicted: 0 });
  for (const reader of readers) {
    let bytes = 0;
    reader.on('data', (data) => {
      bytes += data.length;
    });
    reader.resume();
    await once(reader, 'end');
    t.ok(bytes > 5_000_000, 'whole');
    reader.destroy();
  }
  await until(() => connectionsOf(running).open === 0);
  t.equal((await get(running)).status, 200, 'and then there is room');
});

t.test('one address takes no more than its share; others are served', async (t) => {
  const running = await startService(t, files, { connectionsMax: 16, connectionsPerAddressMax: 4 });
  await mutes(t, running, 12, '127.0.0.2');
  await until(() => connectionsOf(running).shed === 8);
  t.match(connectionsOf(running), { open: 4, shedBy: { address: 8 } });
  t.equal((await get(running, { localAddress: '127.0.0.3' })).status, 200);
});

t.test('a /64 counts as one address; IPv4-mapped addresses count each', async (t) => {
  const change = {
    listeners: [{ address: '::', port: 0 }],
    connectionsMax: 16,
    connectionsPerAddressMax: 2,
  };
  const running = await startService(t, files, change);
  await mutes(t, running, 2, '127.0.0.2');
  await mutes(t, running, 2, '127.0.0.3');
  await until(() => connectionsOf(running).open === 4);
  t.equal(connectionsOf(running).shed, 0);
  await mutes(t, running, 1, '127.0.0.3');
  await until(() => connectionsOf(running).shedBy.address === 1);
});

t.test('handshakes in flight are bounded, and the oldest makes room', async (t) => {
  const running = await startService(t, files, { handshakesMax: 3 });
  await mutes(t, running, 5);
  await until(() => connectionsOf(running).shed === 2);
  t.match(connectionsOf(running), { open: 3, shedBy: { handshakes: 2 } });
  await new Promise((resolve) => setTimeout(resolve, 2_100)); // limits::kHesitationMs
  t.equal((await get(running)).status, 200);
  t.equal(connectionsOf(running).evicted, 1);
});

t.test('after so many requests the connection ends, and says so', async (t) => {
  const running = await startService(t, files, { requestsPerConnectionMax: 3 });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const said: unknown[] = [];
  for (let i = 0; i < 6; i += 1) said.push((await get(running, { agent })).headers.connection);
  t.same(said, ['keep-alive', 'keep-alive', 'close', 'keep-alive', 'keep-alive', 'close']);
  t.equal(JSON.parse(running.service.stats()).connections.accepted, 2);
});

t.test('every clock: head, request, idle and a least rate', async (t) => {
  const running = await startService(t, files, {
    headTimeoutMs: 200,
    requestTimeoutMs: 400,
    idleTimeoutMs: 300,
    stallTimeoutMs: 300,
    sendRateMinBytesPerS: 1024 * 1024,
    lingerTimeoutMs: 100,
  });
  const said = [
    'GET / HTTP/1.1\r\nHost: a\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx',
    '',
    'GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n',
  ];
  for (const text of said) {
    const client = await connectRaw(running);
    t.teardown(() => client.destroy());
    client.on('error', () => {});
    if (text.includes('large')) client.pause();
    client.write(text);
  }
  await until(() => Object.values(overdueOf(running)).reduce((a, b) => a + b) >= 4);
  t.match(overdueOf(running), { head: 1, request: 1, idle: 1, stall: 1 });
});
