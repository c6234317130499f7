// SPDX-License-Identifier: Apache-2.0
// Proxy routes over the real addon, with Node as the client and as the application: what the
// application is told, bodies both ways, connections that are kept.

import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Agent } from 'node:https';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import {
  ask,
  listen,
  listenTcp,
  nodeApplication,
  proxyRoute,
  siteWith,
  upstreamsOf,
} from './proxy.js';
import { connectRaw, type Running, readToEnd, startService } from './service.js';

const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

async function behind(
  t: Test,
  listener: Parameters<typeof nodeApplication>[0],
  over: typeof listen = listen,
): Promise<Running> {
  const upstream = await over(t, nodeApplication(listener));
  return startService(t, {}, { site: siteWith([proxyRoute(upstream)]) });
}

const told = (request: IncomingMessage): string =>
  JSON.stringify({ method: request.method, url: request.url, fields: request.rawHeaders });

interface Told {
  method: string;
  url: string;
  fields: string[];
}

/** The values of a field, in order. */
function values({ fields }: Told, name: string): string[] {
  const found: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]?.toLowerCase() === name) found.push(fields[i + 1] ?? '');
  }
  return found;
}

t.test('the application is told who asks, and nothing that the client made up', async (t) => {
  const running = await behind(t, (request, response) => response.end(told(request)));
  const answer = await ask(running, {
    path: '/a%20b/c?d=%2e%2e&e',
    servername: 'localhost',
    headers: {
      Host: 'device.example:8443',
      'X-Forwarded-For': '203.0.113.1',
      'X-Forwarded-Proto': 'http',
      'X-Forwarded-Host': 'elsewhere',
      Forwarded: 'for=203.0.113.1',
      'X-Request-Id': 'mine',
      'X-Client-Certificate-Subject': 'CN=root',
      x_client_certificate_fingerprint: 'ab',
      'X-Real-IP': '203.0.113.1',
      'Spliced-Role': 'administer',
      'Spliced-Authorized': '1',
      Proxy: 'http://elsewhere',
      Connection: 'close, X-Hop, Authorization',
      'X-Hop': '1',
      'Keep-Alive': 'timeout=5',
      TE: 'trailers',
      Upgrade: 'h2c',
      Cookie: 'a=b; __Host-spliced=key',
      'X-Own': '1',
    },
  });
  t.equal(answer.status, 200);
  const seen: Told = JSON.parse(String(answer.body));
  t.equal(seen.method, 'GET');
  t.equal(seen.url, '/a%20b/c?d=%2e%2e&e');
  t.strictSame(values(seen, 'host'), ['device.example:8443']);
  t.strictSame(values(seen, 'x-forwarded-for'), ['127.0.0.1']);
  t.strictSame(values(seen, 'x-forwarded-proto'), ['https']);
  t.strictSame(values(seen, 'x-forwarded-host'), ['device.example:8443']);
  t.strictSame(values(seen, 'forwarded'), ['for=127.0.0.1;host="device.example:8443";proto=https']);
  t.match(values(seen, 'x-request-id'), [/^[0-9a-f]{16}-\d+$/]);
  for (const name of [
    'x-client-certificate-subject',
    'x_client_certificate_fingerprint',
    'x-real-ip',
    'spliced-role',
    'spliced-authorized',
    'proxy',
    'connection',
    'x-hop',
    'keep-alive',
    'te',
    'upgrade',
  ]) {
    t.strictSame(values(seen, name), name === 'connection' ? values(seen, name) : [], name);
  }
  t.notMatch(values(seen, 'connection').join(), /X-Hop/i);
  t.strictSame(values(seen, 'cookie'), ['a=b']);
  t.strictSame(values(seen, 'x-own'), ['1']);
});

t.test('a path that two readers see differently goes nowhere', async (t) => {
  let asked = 0;
  const running = await behind(t, (_request, response) => {
    asked += 1;
    response.end();
  });
  const dots = ['/a/../b', '/a/%2e%2E/b', '/./a', '/a/.%2e', '/.', '/a/..;/b', '/a/..;x/b', '/;/a'];
  for (const path of [...dots, '/a%5c..%5Cb', '/a\\b', '/a/..\\b', '/.spliced;x/status']) {
    const socket = await connectRaw(running);
    const all = readToEnd(socket);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    t.match(String(await all), /^HTTP\/1.1 400 /, path);
  }
  t.equal(asked, 0);
});

for (const [name, over] of [
  ['a Unix socket', listen],
  ['TCP', listenTcp],
] as const) {
  t.test(`bodies come back as they went, over ${name}`, async (t) => {
    const running = await behind(
      t,
      async (request, response) => {
        const body = await buffer(request);
        const isChunked = request.headers['transfer-encoding'] === 'chunked';
        if (isChunked) response.write(body);
        else response.setHeader('Content-Length', body.length);
        response.end(isChunked ? undefined : body);
      },
      over,
    );
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.teardown(() => agent.destroy());
    for (const bytes of [0, 1, 1000, 16_384, 70_000, 3_000_000]) {
      const body = randomBytes(bytes);
      const plain = await ask(running, {
        agent,
        method: 'POST',
        send: body,
        headers: { 'Content-Length': bytes },
      });
      t.equal(plain.status, 200);
      t.equal(digest(plain.body), digest(body), `${bytes} bytes with a length`);
      t.equal(Number(plain.headers['content-length']), bytes);
      const parts = Readable.from(
        (function* () {
          for (let at = 0; at < bytes; at += 10_001) yield body.subarray(at, at + 10_001);
        })(),
      );
      const chunked = await ask(running, { agent, method: 'PUT', send: parts });
      t.equal(digest(chunked.body), digest(body), `${bytes} bytes in chunks`);
    }
    const { opened, reused, failures } = upstreamsOf(running);
    t.equal(opened, 1, 'one connection to the application did it all');
    t.equal(reused, 11);
    t.strictSame(Object.values(failures).filter(Boolean), []);
    const { bytes, offload } = JSON.parse(running.service.stats());
    // The two large ones that have a length, up and down; the last record of each goes from memory.
    const spliced = Object.keys(offload.promoted).length > 0 ? 5_500_000 : 0;
    t.ok(spliced === 0 ? bytes.spliced === 0 : bytes.spliced > spliced, `${bytes.spliced} spliced`);
  });
}

t.test('both directions at once: the answer begins before the request has ended', async (t) => {
  const running = await behind(t, (request, response) => void request.pipe(response));
  const body = randomBytes(5_000_000);
  const answer = await ask(running, {
    method: 'POST',
    send: body,
    headers: { 'Content-Length': body.length },
  });
  t.equal(answer.status, 200);
  t.ok(answer.isWhole);
  t.equal(digest(answer.body), digest(body));
});

t.test('what has no body has none, and the connection goes on', async (t) => {
  const running = await behind(t, (request, response) => {
    const status = Number(request.url?.slice(1));
    response.writeHead(status, status === 200 ? { 'Content-Length': 1234 } : {});
    response.end();
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  for (const status of [204, 304, 200, 204]) {
    const head = status === 200;
    const answer = await ask(running, { agent, path: `/${status}`, method: head ? 'HEAD' : 'GET' });
    t.equal(answer.status, status);
    t.equal(answer.body.length, 0);
    t.equal(answer.headers['content-length'], head ? '1234' : undefined);
  }
  t.equal(upstreamsOf(running).opened, 4, 'a body that may come all the same is nobody else’s');
});

t.test('100 Continue and 103 Early Hints pass', async (t) => {
  const running = await behind(t, async (request, response) => {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' });
    response.end(`got ${(await buffer(request)).length}`);
  });
  const socket = await connectRaw(running);
  const all = readToEnd(socket);
  socket.write(
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n',
  );
  socket.once('data', () => socket.write('hello'));
  const seen = String(await all);
  t.match(seen, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 103 Early Hints\r\n/);
  t.match(seen, /HTTP\/1.1 200 OK\r\n/);
  t.match(seen, /got 5/);
});

t.test('HTTP/1.0 gets a body without chunks, until the end', async (t) => {
  const running = await behind(t, (_request, response) => {
    response.write('one');
    response.end('two');
  });
  const socket = await connectRaw(running);
  const all = readToEnd(socket);
  socket.write('GET / HTTP/1.0\r\n\r\n');
  const seen = String(await all);
  t.match(seen, /\r\n\r\nonetwo$/);
  t.notMatch(seen, /chunked/i);
  t.match(seen, /Connection: close/);
});

t.test('the route adds its fields, each once', async (t) => {
  const upstream = await listen(
    t,
    nodeApplication((_request, response) => {
      response.setHeader('X-Frame-Options', 'ALLOWALL');
      response.setHeader('Set-Cookie', ['a=1', 'b=2']);
      response.end('ok');
    }),
  );
  const route = proxyRoute(upstream, { fields: ['X-Frame-Options: DENY', 'X-Own: 1'] });
  const running = await startService(t, {}, { site: siteWith([route]) });
  const { headers } = await ask(running);
  t.equal(headers['x-frame-options'], 'DENY');
  t.equal(headers['x-own'], '1');
  t.strictSame(headers['set-cookie'], ['a=1', 'b=2']);
  t.ok(headers.date);
});
