// SPDX-License-Identifier: Apache-2.0
// Heads that do not fit in one buffer, in both directions, against Node's own server; uploads without a
// length, and answers that come before their request is over; and how fast an answer may go.

import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import t from 'tap';
import { ask, listen, nodeApplication, proxyRoute, siteWith, upstreamsOf } from './proxy.js';
import { startService } from './service.js';

const largest = 73_728;

const bytesOf = async (request: IncomingMessage): Promise<number> => {
  let bytes = 0;
  for await (const chunk of request) bytes += (chunk as Buffer).length;
  return bytes;
};

t.test('cookies of 4 KiB and a Kerberos ticket', async (t) => {
  const upstream = await listen(
    t,
    nodeApplication((request, response) => {
      const cookies = Number(request.headers['x-cookies'] ?? 0);
      const list = Array.from({ length: cookies }, (_, i) => `c${i}=${'x'.repeat(4096)}`);
      if (cookies > 0) response.setHeader('Set-Cookie', list);
      response.end(`${request.headers.authorization?.length ?? 0}`);
    }),
  );
  const site = siteWith([proxyRoute(upstream)]);
  const running = await startService(t, {}, { site });
  for (const cookies of [1, 3, 4, 7]) {
    const headers = { 'X-Cookies': String(cookies) };
    const answer = await ask(running, { headers, maxHeaderSize: largest });
    t.equal(answer.status, 200, `${cookies} cookies`);
    t.equal(answer.headers['set-cookie']?.length, cookies);
  }
  t.equal((await ask(running, { headers: { 'X-Cookies': '8' } })).status, 502, 'beyond the bound');
  t.equal(upstreamsOf(running).failures.bad_head, 1);
});

t.test('a ticket of 12 KiB passes where it may', async (t) => {
  const upstream = await listen(
    t,
    nodeApplication((request, response) =>
      response.end(`${request.headers.authorization?.length ?? 0}`),
    ),
  );
  const site = siteWith([proxyRoute(upstream)]);
  // Node's own server takes 16 KiB of a head.
  const headers = { Authorization: `Negotiate ${'t'.repeat(12_000)}` };
  const tight = await startService(t, {}, { site });
  t.equal((await ask(tight, { headers })).status, 431);
  const wide = await startService(t, {}, { site, headBytesMax: largest });
  t.equal(String((await ask(wide, { headers })).body), '12010');
});

t.test('an upload without a length, and an answer before its end', async (t) => {
  const upstream = await listen(
    t,
    nodeApplication(async (request, response) => {
      if (request.url === '/early') {
        response.writeHead(413, { Connection: 'close' });
        response.end('too much');
        return;
      }
      if (request.url === '/echo') {
        response.writeHead(200);
        for await (const chunk of request) response.write(chunk);
        response.end();
        return;
      }
      const length = request.headers['content-length'] ?? 'none';
      response.end(`${length} ${await bytesOf(request)}`);
    }),
  );
  const running = await startService(t, {}, { site: siteWith([proxyRoute(upstream)]) });
  const body = (): Readable => Readable.from(Array(50).fill(Buffer.alloc(20_000, 'x')));
  const post = (path: string, send: Readable | Buffer) =>
    ask(running, { method: 'POST', path, send });
  t.equal(String((await post('/count', body())).body), 'none 1000000');
  t.equal((await post('/echo', body())).body.length, 1_000_000, 'both at once');
  const early = await post('/early', Buffer.alloc(8_000_000));
  t.match({ ...early, body: String(early.body) }, { status: 413, body: 'too much' });
});

t.test('a client that gets no more than a rate is not cut off for it', async (t) => {
  const large = Buffer.alloc(1_200_000, 'x');
  const files = { ...proxyRoute(''), action: 'static' as const, rateMaxBytesPerS: 200_000 };
  // Six seconds' worth, in segments of up to 64 KiB, as the loopback device has them.
  const strict = { sendRateMinBytesPerS: 1_048_576, stallTimeoutMs: 1_000 };
  const running = await startService(t, { 'a.bin': large }, { site: siteWith([files]), ...strict });
  const slow = await ask(running, { path: '/a.bin' });
  t.ok(slow.isWhole);
  t.equal(slow.body.length, large.length);
});
