// SPDX-License-Identifier: Apache-2.0
// Several engines: clients are spread evenly, the limits are those of all together, a ticket of one
// is good at another, and the figures are sums.

import { Agent } from 'node:https';
import type { Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { Failover } from '../../src/engine/failover.js';
import { get, type Running, startService } from './service.js';

interface ServiceFigures {
  connections: number;
  accepted: number;
  requests: number;
  bytesSent: number;
}

interface Figures {
  engines: { count: number; each: ServiceFigures[] };
  connections: { accepted: number; open: number; shed: number; evicted: number };
  requests: { total: number };
  bytes: { plaintextSent: number };
  tls: { handshakes: { full: number; resumed: number } };
}

const figuresOf = (running: Running): Figures => JSON.parse(running.service.stats());
const rings = ['auto', 'epoll'] as const;
const files = { 'a.txt': 'hello' };
const quiet = pino({ level: 'silent' }) as never;

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Keep-alive clients that have had a response each, all connecting at once. */
async function keepAlive(t: Test, running: Running, count: number, more: object = {}) {
  const agents = Array.from({ length: count }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  t.teardown(() => {
    for (const agent of agents) agent.destroy();
  });
  const answers = await Promise.all(
    agents.map((agent) => get(running, { path: '/a.txt', agent, ...more })),
  );
  t.ok(answers.every(({ status }) => status === 200));
  return agents;
}

/** Connects, and resolves with the socket when the handshake is over and a ticket has come. */
function handshake(running: Running, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: running.port, ca: running.pair.chain, ...options });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      if (options.session !== undefined) resolve(socket);
    });
    // Not within the event: what is then written stays in Node's buffers.
    socket.once('session', () => setImmediate(resolve, socket));
  });
}

for (const ring of rings) {
  for (const engines of [2, 4]) {
    t.test(`64 clients are spread evenly over ${engines} engines (${ring})`, async (t) => {
      const running = await startService(t, files, { ring, engines });
      const agents = await keepAlive(t, running, 64);
      const each = figuresOf(running).engines.each.map(({ connections }) => connections);
      t.equal(each.length, engines);
      t.equal(
        each.reduce((sum, count) => sum + count, 0),
        64,
      );
      t.ok(Math.max(...each) <= 1.25 * Math.min(...each), each.join(' '));
      // Those of one engine leave: the next clients fill what is empty.
      for (const agent of agents.slice(0, 32)) agent.destroy();
      await until(() => figuresOf(running).connections.open === 32);
      await keepAlive(t, running, 32);
      const after = figuresOf(running).engines.each.map(({ connections }) => connections);
      t.ok(Math.max(...after) <= 1.25 * Math.min(...after), after.join(' '));
    });
  }

  t.test(`the limits are those of all engines together (${ring})`, async (t) => {
    const limits = { connectionsMax: 6, connectionsPerAddressMax: 4 };
    const running = await startService(t, files, { ring, engines: 2, ...limits });
    const localAddress = '127.0.0.2';
    // Four of one address, the fifth of which makes room at whatever engine has an idle one.
    await keepAlive(t, running, 4, { localAddress });
    for (let i = 1; i <= 6; i += 1) {
      await keepAlive(t, running, 1, { localAddress });
      t.match(figuresOf(running).connections, { shed: 0, evicted: i });
    }
    // And of all addresses.
    for (let i = 0; i < 8; i += 1) await keepAlive(t, running, 1, { localAddress: `127.0.1.${i}` });
    t.equal(figuresOf(running).connections.shed, 0);
    await until(() => figuresOf(running).connections.open <= 6);
  });

  t.test(`who is busy is not cut off, and the next is refused (${ring})`, async (t) => {
    const large = { 'large.bin': Buffer.alloc(24 << 20) };
    const limits = { connectionsMax: 4, connectionsPerAddressMax: 4 };
    const running = await startService(t, large, { ring, engines: 2, ...limits });
    const busy: Socket[] = [];
    t.teardown(() => busy.map((socket) => socket.destroy()));
    for (let i = 0; i < 4; i += 1) {
      const socket = await handshake(running, {});
      busy.push(socket);
      socket.write('GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n');
      await new Promise((resolve) => socket.once('data', resolve));
      socket.pause();
    }
    await t.rejects(get(running, { path: '/large.bin' }));
    t.match(figuresOf(running).connections, { open: 4, shed: 1, evicted: 0 });
  });
}

t.test('a ticket of one engine resumes at every other', async (t) => {
  for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
    const running = await startService(t, files, { engines: 4 });
    let session: Buffer | undefined;
    const first = await handshake(running, { maxVersion });
    session = first.getSession();
    const open = [first];
    // Each goes to another engine, for those before it are open.
    for (let i = 0; i < 7; i += 1) {
      const socket = await handshake(running, { maxVersion, ...(session && { session }) });
      t.ok(socket.isSessionReused(), `${maxVersion} ${i}`);
      open.push(socket);
    }
    const each = figuresOf(running).engines.each.map(({ connections }) => connections);
    t.ok(
      each.every((count) => count > 0),
      each.join(' '),
    );
    await until(() => figuresOf(running).tls.handshakes.resumed === 7);
    t.equal(figuresOf(running).tls.handshakes.full, 1);
    for (const socket of open) socket.destroy();
  }
});

t.test('the figures are the sums, and a stop counts what all have drained', async (t) => {
  const running = await startService(t, files, { engines: 3 });
  await keepAlive(t, running, 9);
  const { engines, connections, requests, bytes } = figuresOf(running);
  const sum = (of: keyof ServiceFigures): number =>
    engines.each.reduce((all, figures) => all + figures[of], 0);
  t.equal(engines.count, 3);
  t.equal(sum('connections'), connections.open);
  t.equal(sum('accepted'), connections.accepted);
  t.equal(sum('requests'), requests.total);
  t.equal(sum('bytesSent'), bytes.plaintextSent);
  t.equal(requests.total, 9);
  const pulse = running.service.pulse();
  t.equal(pulse.engines.length, 3);
  running.service.stop(10_000);
  t.match(await running.events.wait('stopped'), { drained: 9, aborted: 0 });
  t.equal(running.events.seen.filter(({ type }) => type === 'stopped').length, 1);
});

for (const ring of rings) {
  t.test(`an idle engine is not woken to be looked after, and ends once (${ring})`, async (t) => {
    const { service, events } = await startService(t, files, { engines: 4, ring });
    const failover = new Failover({ service, tlsOffload: 'auto', hangMs: 5_000, log: quiet });
    const turns = () => service.pulse().engines.map(({ heartbeat }) => heartbeat);
    // Whatever they still had to do at their start.
    let before: number[] = [];
    while (turns().join() !== before.join()) {
      before = turns();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    for (let i = 0; i < 20; i += 1) {
      failover.look();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    t.same(turns(), before);
    t.ok(service.pulse().engines.every(({ hasEnded }) => !hasEnded));
    service.stop(10_000);
    await events.wait('stopped');
    t.ok(service.pulse().engines.every(({ hasEnded }) => hasEnded));
  });
}

t.test('an engine that is replaced ends, the others serve, and no figure is lost', async (t) => {
  const running = await startService(t, files, { engines: 2 });
  await keepAlive(t, running, 4);
  const [before] = running.service.pulse().engines;
  running.service.replaceEngine(0);
  const released = await running.events.wait('released');
  t.match(released, { engine: before?.id, drained: before?.connections, aborted: 0 });
  running.service.freeEngine(released.engine);
  t.match(figuresOf(running), { engines: { count: 2 }, requests: { total: 4 } });
  t.equal(running.service.pulse().enginesHanging, 0);
  await keepAlive(t, running, 8);
  const each = figuresOf(running).engines.each.map(({ connections }) => connections);
  t.ok(Math.abs((each[0] ?? 0) - (each[1] ?? 0)) <= 2, each.join(' '));
  t.equal(figuresOf(running).requests.total, 12);
  running.service.stop(10_000);
  t.match(await running.events.wait('stopped'), { aborted: 0 });
});

t.test('what is set is set for every engine, also for one that comes later', async (t) => {
  const running = await startService(t, files, { engines: 2 });
  running.service.setOffload('off', 'a reason');
  running.service.replaceEngine(1);
  running.service.freeEngine((await running.events.wait('released')).engine);
  const statuses = await Promise.all(
    Array.from({ length: 8 }, () => get(running, { path: '/a.txt' })),
  );
  t.ok(statuses.every(({ status }) => status === 200));
  t.match(JSON.parse(running.service.stats()).offload, { suspended: 'a reason' });
});
