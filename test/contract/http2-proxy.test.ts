// SPDX-License-Identifier: Apache-2.0
// Proxy routes over HTTP/2, with Node as the client and as the application behind: bodies both ways,
// interim responses, event streams, and applications that fail.

import { createHash, randomBytes } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import type { IncomingHttpHeaders } from 'node:http2';
import { buffer } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import type { ServiceOptions } from '../../src/engine/native.js';
import {
  answerOf,
  ask,
  codes,
  http2Figures,
  offloads,
  openSession,
  RawSession,
  startHttp2,
  type,
} from './http2.js';
import { listen, proxyRoute, rawApplication, siteWith, upstreamsOf } from './proxy.js';
import type { Running } from './service.js';

const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
const large = randomBytes(3_000_017);

async function behind(
  t: Test,
  listener: RequestListener,
  change: Partial<ServiceOptions> = {},
): Promise<Running> {
  const upstream = await listen(t, createServer(listener));
  return startHttp2(t, {}, { site: siteWith([proxyRoute(upstream)]), ...change });
}

// What it was asked, and the digest of what it was sent.
async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await buffer(request);
  const fields = Object.fromEntries(Object.entries(request.headers));
  response.end(
    JSON.stringify({ url: request.url, method: request.method, fields, sent: digest(body) }),
  );
}

const serve: RequestListener = (request, response) => {
  if (request.url === '/length') {
    response.writeHead(200, { 'content-length': large.length }).end(large);
  } else if (request.url === '/chunks') {
    for (let at = 0; at < large.length; at += 100_000)
      response.write(large.subarray(at, at + 100_000));
    response.end();
  } else if (request.url === '/none') {
    response.writeHead(204).end();
  } else if (request.url === '/early') {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' });
    response.end('late');
  } else if (request.url === '/reject') {
    response.writeHead(403).end('no');
  } else {
    void echo(request, response);
  }
};

for (const [offload, change] of offloads) {
  t.test(`bodies both ways, ${offload}`, async (t) => {
    const running = await behind(t, serve, change);
    const session = await openSession(t, running);
    const told = async (...asked: [Record<string, string>, (string | Buffer)?]) =>
      JSON.parse((await ask(session, ...asked)).body.toString());
    const get = await told({ ':path': '/x?y=1', cookie: '__Host-spliced=key; a=1', 'x-own': 'z' });
    t.match(get, { url: '/x?y=1', method: 'GET', fields: { cookie: /^a=1$/, 'x-own': 'z' } });
    t.equal(get.fields.host, `127.0.0.1:${running.port}`);
    t.equal(get.fields['x-forwarded-for'], '127.0.0.1');
    t.equal(get.fields['transfer-encoding'], undefined);
    const body = randomBytes(2_000_003);
    const unknown = await told({ ':method': 'POST' }, body);
    t.equal(unknown.sent, digest(body), 'a body without a length');
    t.equal(unknown.fields['transfer-encoding'], 'chunked');
    const known = await told({ ':method': 'PUT', 'content-length': String(body.length) }, body);
    t.equal(known.sent, digest(body), 'one with a length');
    t.equal(known.fields['content-length'], String(body.length));
    t.equal((await told({ ':method': 'POST' }, '')).sent, digest(Buffer.alloc(0)));
    for (const path of ['/length', '/chunks']) {
      const answer = await ask(session, { ':path': path });
      t.ok(answer.isWhole, path);
      t.equal(digest(answer.body), digest(large));
      t.equal(answer.headers['transfer-encoding'], undefined);
    }
    const head = await ask(session, { ':method': 'HEAD', ':path': '/length' });
    t.match(head, { status: 200, headers: { 'content-length': String(large.length) } });
    t.equal(head.body.length, 0);
    t.match(await ask(session, { ':path': '/none' }), { status: 204, isWhole: true });
    const many = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        ask(session, { ':path': i % 2 ? '/length' : '/chunks' }),
      ),
    );
    t.ok(many.every(({ body, isWhole }) => isWhole && digest(body) === digest(large)));
    const refused = await ask(
      session,
      { ':method': 'POST', ':path': '/reject' },
      Buffer.alloc(500_000),
    );
    t.match(refused, { status: 403, body: Buffer.from('no') });
    t.equal((await ask(session, { ':path': '/none' })).status, 204, 'and the connection goes on');
    t.equal(http2Figures(running).streams.open, 0);
    t.ok(upstreamsOf(running).reused > 0, "the application's connections are kept");
  });
}

t.test('interim responses', async (t) => {
  const running = await behind(t, serve);
  const session = await openSession(t, running);
  const stream = session.request({ ':path': '/early' });
  const interim: IncomingHttpHeaders[] = [];
  stream.on('headers', (headers) => interim.push(headers));
  t.equal((await answerOf(stream)).body.toString(), 'late');
  t.match(interim, [{ ':status': 103, link: '</a.css>; rel=preload' }]);
  const waiting = session.request({ ':method': 'POST', expect: '100-continue' });
  waiting.once('continue', () => waiting.end('now'));
  t.match(JSON.parse((await answerOf(waiting)).body.toString()), {
    sent: digest(Buffer.from('now')),
  });
});

t.test('twenty event streams on one connection, and the rest is served', async (t) => {
  const open: ServerResponse[] = [];
  const running = await behind(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: 0\n\n');
    open.push(response);
  });
  const session = await openSession(t, running);
  const heard = Array.from({ length: 20 }, () => {
    const stream = session.request({ ':path': '/events' });
    let text = '';
    let wake = (): void => {};
    stream.on('data', (chunk) => {
      text += chunk;
      wake();
    });
    const until = async (wanted: string): Promise<void> => {
      while (!text.includes(wanted)) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    return { until, ended: answerOf(stream) };
  });
  for (const { until } of heard) await until('data: 0');
  t.equal(http2Figures(running).streams.open, 20);
  for (const response of open) response.write('data: 1\n\n');
  for (const { until } of heard) await until('data: 1');
  t.equal((await ask(session, { ':path': '/.spliced/nothing' })).status, 404);
  running.service.stop(20_000);
  for (const { ended } of heard) t.ok((await ended).isWhole, 'a stop ends them in order');
  t.match(await running.events.wait('stopped'), { aborted: 0 });
});

t.test('applications that fail', async (t) => {
  const nobody = await startHttp2(t, {}, { site: siteWith([proxyRoute('unix:/nonexistent/x')]) });
  const alone = await openSession(t, nobody);
  t.equal((await ask(alone)).status, 503);
  const upstream = await listen(
    t,
    rawApplication(t, (socket) => {
      socket.once('data', () => {
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this');
      });
    }),
  );
  const running = await startHttp2(t, {}, { site: siteWith([proxyRoute(upstream)]) });
  const session = await openSession(t, running);
  const cut = await ask(session);
  t.match(cut, { code: codes.internalError, isWhole: false });
  const silent = await listen(
    t,
    rawApplication(t, () => {}),
  );
  const slow = await startHttp2(
    t,
    {},
    { site: siteWith([proxyRoute(silent, { responseTimeoutMs: 200 })]) },
  );
  t.equal((await ask(await openSession(t, slow))).status, 504);
});

t.test('a client that leaves takes its request along', async (t) => {
  let closed = (): void => {};
  const left = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const running = await behind(t, (request, response) => {
    if (request.url === '/wait') response.on('close', closed);
    else response.end('x');
  });
  const session = await openSession(t, running);
  const stream = session.request({ ':path': '/wait' });
  stream.on('error', () => {});
  t.equal((await ask(session)).body.toString(), 'x');
  stream.close(codes.cancel);
  await left;
  t.equal((await ask(session)).body.toString(), 'x');
});

t.test('a window that stays shut, with an application behind', async (t) => {
  const running = await behind(t, serve, { stallTimeoutMs: 300 });
  const raw = await RawSession.open(t, running);
  raw.get(1, '/length');
  await raw.wait((frame) => frame.type === type.data);
  t.equal(await raw.reset(1), codes.cancel);
  t.equal(raw.dataOf(1).length, 65_535);
});
