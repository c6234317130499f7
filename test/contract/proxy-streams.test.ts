// SPDX-License-Identifier: Apache-2.0
// WebSockets (the ws library at both ends) and event streams through a proxy route, over both rings:
// large and fragmented messages, close codes, thousands of events, and a stop that they do not hold up.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request as askHttps } from 'node:https';
import t, { type Test } from 'tap';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import {
  ask,
  listen,
  listenTcp,
  nodeApplication,
  proxyRoute,
  siteWith,
  upstreamsOf,
} from './proxy.js';
import { type Running, startService } from './service.js';

const rings = ['auto', 'epoll'] as const;
const largeBytes = 64 << 20;

async function startSite(
  t: Test,
  upstream: string,
  ring: (typeof rings)[number],
): Promise<Running> {
  const site = siteWith([proxyRoute(upstream)]);
  return startService(t, {}, ring === 'auto' ? { site } : { site, ring });
}

/** Sends every message back; `/close/N` closes with N. */
async function echo(t: Test, ring: (typeof rings)[number]): Promise<Running> {
  const server = nodeApplication((_request, response) => response.end('plain'));
  const sockets = new WebSocketServer({ server, maxPayload: 2 * largeBytes });
  sockets.on('connection', (socket, request) => {
    const code = /^\/close\/(\d+)/.exec(request.url ?? '')?.[1];
    if (code !== undefined) return socket.close(Number(code), 'because');
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
  });
  return startSite(t, await (ring === 'auto' ? listen : listenTcp)(t, server), ring);
}

function open(t: Test, { port, pair }: Running, path = '/'): WebSocket {
  const url = `wss://127.0.0.1:${port}${path}`;
  const socket = new WebSocket(url, { ca: pair.chain, maxPayload: 2 * largeBytes });
  t.teardown(() => socket.terminate());
  return socket;
}

const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

async function answered(socket: WebSocket): Promise<Buffer> {
  const [data] = (await once(socket, 'message')) as [RawData];
  return Buffer.isBuffer(data) ? data : Buffer.concat(data as Buffer[]);
}

for (const ring of rings) {
  t.test(`messages come back, whole and fragmented, ring ${ring}`, async (t) => {
    const running = await echo(t, ring);
    const socket = open(t, running);
    await once(socket, 'open');
    t.equal(upstreamsOf(running).webSockets, 1);
    for (const bytes of [0, 1, 125, 126, 65_535, 65_536, 1_000_000]) {
      const message = randomBytes(bytes);
      socket.send(message);
      t.equal(digest(await answered(socket)), digest(message), `${bytes} bytes`);
    }
    const parts = [randomBytes(10), randomBytes(70_000), randomBytes(3)];
    for (const [index, part] of parts.entries()) {
      socket.send(part, { fin: index === parts.length - 1 });
      socket.ping();
    }
    t.equal(digest(await answered(socket)), digest(Buffer.concat(parts)), 'fragments and pings');
    socket.close(4321, 'done');
    const [code] = await once(socket, 'close');
    t.equal(code, 4321);
    while (upstreamsOf(running).open > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    t.match(upstreamsOf(running), { webSockets: 0, webSocketsEver: 1 });
  });

  t.test(`a message of 64 MiB, ring ${ring}`, async (t) => {
    const running = await echo(t, ring);
    const socket = open(t, running);
    await once(socket, 'open');
    const message = randomBytes(largeBytes);
    socket.send(message);
    t.equal(digest(await answered(socket)), digest(message));
  });

  t.test(`close codes and refusals pass, ring ${ring}`, async (t) => {
    const running = await echo(t, ring);
    for (const code of [1000, 1011, 3000, 4999]) {
      const [seen, reason] = await once(open(t, running, `/close/${code}`), 'close');
      t.equal(seen, code);
      t.equal(String(reason), 'because');
    }
    const plain = await ask(running, { headers: { Connection: 'Upgrade', Upgrade: 'h2c' } });
    t.equal(String(plain.body), 'plain', 'another upgrade is not passed on');
  });

  t.test(`a stop: 1001 for a WebSocket, the end for an event stream, ring ${ring}`, async (t) => {
    const running = await echo(t, ring);
    const idle = open(t, running);
    await once(idle, 'open');
    const closed = once(idle, 'close');
    running.service.stop(20_000);
    const [code] = await closed;
    t.equal(code, 1001);
    const stopped = await running.events.wait('stopped');
    t.match(stopped, { aborted: 0 });
  });

  t.test(
    `thousands of events, each as it comes, and the end at a stop, ring ${ring}`,
    async (t) => {
      const count = 5000;
      let sent = 0;
      let next = (): void => {};
      const server = nodeApplication((_request, response) => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        response.flushHeaders();
        next = () => {
          if (sent < count) response.write(`id: ${sent++}\ndata: ${'x'.repeat(sent % 500)}\n\n`);
        };
        next();
      });
      const upstream = await (ring === 'auto' ? listen : listenTcp)(t, server);
      const running = await startSite(t, upstream, ring);
      const { port, pair } = running;
      const outgoing = askHttps({ host: '127.0.0.1', port, ca: pair.chain, agent: false });
      outgoing.end();
      const [response] = await once(outgoing, 'response');
      let text = '';
      let seen = 0;
      // The next event is written when the one before has come: none waits for another.
      for await (const chunk of response) {
        text += chunk;
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          if (!text.startsWith(`id: ${seen}\n`)) t.fail(`event ${seen} is ${text.slice(0, 20)}`);
          seen += 1;
          text = text.slice(end + 2);
          if (seen === count) running.service.stop(20_000);
          else next();
        }
      }
      t.equal(seen, count);
      t.ok(response.complete, 'the stream has its end');
      t.match(await running.events.wait('stopped'), { aborted: 0 });
    },
  );
}
