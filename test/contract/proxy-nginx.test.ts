// SPDX-License-Identifier: Apache-2.0
// nginx behind a proxy route: what Debian ships as a web server, over a Unix socket, with files that it
// sends by sendfile, ranges, validators, chunks that it makes of a compressed body, and its errors.

import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { startNginx } from '../nginx.js';
import { ask, proxyRoute, siteWith, upstreamsOf } from './proxy.js';
import { type Running, startService } from './service.js';

const large = randomBytes(2_500_000);
const text = 'words that compress well. '.repeat(20_000);

async function behindNginx(t: Test): Promise<Running> {
  const directory = mkdtempSync(join(tmpdir(), 'spliced-nginx-'));
  writeFileSync(join(directory, 'large.bin'), large);
  writeFileSync(join(directory, 'words.txt'), text);
  const http = `sendfile on; gzip on; gzip_types text/plain;
    gzip_http_version 1.1; gzip_proxied any; keepalive_requests 10; client_max_body_size 10k;
    types { text/plain txt; }
    server { listen unix:${directory}/nginx.sock; root ${directory};
      location = /echo { return 200 "$http_x_forwarded_for $http_x_forwarded_proto $host"; } }`;
  t.teardown(() => rmSync(directory, { recursive: true }));
  await startNginx(t, directory, http, join(directory, 'nginx.sock'));
  const site = siteWith([proxyRoute(`unix:${directory}/nginx.sock`)]);
  return startService(t, {}, { site });
}

const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

t.test('nginx behind a route', async (t) => {
  const running = await behindNginx(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const get = (path: string, headers: Record<string, string> = {}) =>
    ask(running, { agent, path, headers, servername: 'localhost' });

  const whole = await get('/large.bin');
  t.equal(whole.status, 200);
  t.equal(digest(whole.body), digest(large));
  const range = await get('/large.bin', { Range: 'bytes=1000-999999' });
  t.equal(range.status, 206);
  t.equal(digest(range.body), digest(large.subarray(1000, 1_000_000)));
  const again = await get('/large.bin', { 'If-None-Match': String(whole.headers.etag) });
  t.match(again, { status: 304, body: Buffer.alloc(0) });
  const compressed = await get('/words.txt', { 'Accept-Encoding': 'gzip' });
  t.equal(compressed.headers['transfer-encoding'], 'chunked');
  t.equal(String(gunzipSync(compressed.body)), text);
  t.equal(String((await get('/echo', { Host: 'localhost:1' })).body), '127.0.0.1 https localhost');
  t.equal((await get('/missing')).status, 404);
  const tooLarge = await ask(running, { agent, method: 'POST', path: '/echo', send: large });
  t.equal(tooLarge.status, 413, 'an answer before the body has gone');
  for (let i = 0; i < 40; i += 1) {
    // After ten of them nginx ends the connection, and says so.
    const { status } = await get('/echo');
    if (status !== 200) t.fail(`request ${i}: ${status}`);
  }
  const { reused, failures } = upstreamsOf(running);
  t.ok(reused > 30, `${reused} requests over a connection that was there`);
  t.strictSame(Object.values(failures).filter(Boolean), []);
});
