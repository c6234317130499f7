// SPDX-License-Identifier: Apache-2.0
// The same raw requests to spliced and to nginx, a second implementation of RFC 9110 and 9112 over the
// same directory: number and status of the answers, framing and body agree, or nginx-differences.ts
// lists the difference with its reason. A difference that is not listed fails, and so does a listed
// one that is no more. Run alone with SPLICED_PRINT_DIFFERENCES=1 it prints them. test/guest/http.test.ts
// runs it where all of ours goes over kernel TLS.

import { createHash } from 'node:crypto';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../free-port.js';
import { startNginx } from '../nginx.js';
import { differences } from './nginx-differences.js';
import { rawRequests } from './nginx-requests.js';
import { connectRaw, type Running, startService } from './service.js';

const files = {
  'index.html': '<p>hello</p>',
  'a.txt': '0123456789',
  b: 'b',
  empty: '',
  'a b.txt': 'ab',
  'large.bin': Buffer.alloc(300_000, 'x'),
};
const modified = new Date('1994-11-06T08:49:37Z');

async function startPeer(t: Test, root: string): Promise<number> {
  const port = await freePort();
  const http = `server_tokens off; absolute_redirect off;
    large_client_header_buffers 4 8k; client_max_body_size 64k;
    server { listen 127.0.0.1:${port}; root ${root}; index index.html; }`;
  await startNginx(t, t.testdirName, http, port);
  return port;
}

interface Offload {
  promoted: Record<string, number>;
  fallbacks: Record<string, number>;
}

const sum = (counts: Record<string, number>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

/** How many connections the kernel encrypts, once it is decided for so many: a client that closes before is never among them. */
async function promotedOf({ service }: Running, connections: number): Promise<number> {
  for (;;) {
    const { promoted, fallbacks } = (JSON.parse(service.stats()) as { offload: Offload }).offload;
    if (sum(promoted) + sum(fallbacks) >= connections) return sum(promoted);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** All that comes, until the server has nothing more to say to a client that has said everything. */
function exchange(socket: Socket, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    socket.end(Buffer.from(bytes, 'latin1'));
  });
}

/** One word an answer: the status, and for a success its framing and its body. */
function describe(text: string, methods: string[]): string {
  const words: string[] = [];
  let rest = text;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    const head = rest.slice(0, end + 2);
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1];
    if (end < 0 || status === undefined) return [...words, 'no-head'].join(' ');
    const length = /^content-length: (\d+)\r$/im.exec(head)?.[1];
    const isChunked = /^transfer-encoding: chunked\r$/im.test(head);
    const hasBody = methods[words.length] !== 'HEAD' && status !== '304';
    const bytes = hasBody ? Number(length ?? rest.length) : 0;
    const body = rest.slice(end + 4, end + 4 + bytes);
    rest = rest.slice(end + 4 + bytes);
    const isSuccess = status.startsWith('2') && !/multipart/.test(head);
    const digest = createHash('sha256').update(body, 'latin1').digest('hex').slice(0, 8);
    const framing = isChunked ? 'chunked' : (length ?? 'none');
    words.push(isSuccess ? `${status}:${framing}:${hasBody ? digest : 'head'}` : status);
  }
  return words.join(' ') || 'nothing';
}

t.test('spliced and nginx', { timeout: 110_000 }, async (t) => {
  const running = await startService(t, files);
  mkdirSync(join(running.root, 'directory'));
  writeFileSync(join(running.root, 'directory', 'b.txt'), 'bb');
  for (const name of [...Object.keys(files), 'directory/b.txt']) {
    utimesSync(join(running.root, name), modified, modified);
  }
  const port = await startPeer(t, running.root);
  t.ok(rawRequests.length >= 200, `${rawRequests.length} requests`);
  t.equal(
    new Set(rawRequests.map(({ name }) => name)).size,
    rawRequests.length,
    'names are unique',
  );
  const listed = new Map(differences.flatMap(({ reason, names }) => names.map((n) => [n, reason])));
  const seen = new Set<string>();
  let promoted = 0;
  for (const [index, { name, bytes }] of rawRequests.entries()) {
    const methods = [...bytes.matchAll(/(?:^|\n)([A-Z]+) [^\r\n]* HTTP/g)].map(([, m]) => m ?? '');
    const client = await connectRaw(running);
    promoted = await promotedOf(running, index + 1);
    const ours = describe(await exchange(client, bytes), methods);
    const theirs = describe(await exchange(connectTcp(port, '127.0.0.1'), bytes), methods);
    if (ours === theirs) continue;
    seen.add(name);
    if (process.env.SPLICED_PRINT_DIFFERENCES) console.log(JSON.stringify([ours, theirs, name]));
    else if (!listed.has(name)) t.fail(`${name}: spliced ${ours}, nginx ${theirs}`);
  }
  for (const name of listed.keys()) t.ok(seen.has(name), `${name}: differs as listed`);
  t.ok([0, rawRequests.length].includes(promoted), `${promoted} over kernel TLS: all or none`);
  t.comment(`${rawRequests.length - seen.size} agree, ${seen.size} differ for a reason`);
});
