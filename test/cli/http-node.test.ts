// SPDX-License-Identifier: Apache-2.0
// Node's two HTTP clients over the rules of docs/HTTP.md, https with a keep-alive agent and fetch
// (undici), and pipelining, which neither does, over a plain TLS socket. How many connections it took
// is what the server counted.

import { execFile } from 'node:child_process';
import { Agent, type RequestOptions, request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { checkEnd, digest, large, modes, type Site, script, startSite } from './http-site.js';

interface Answer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  body: Buffer;
  isReused: boolean;
}

type Send = (outgoing: ReturnType<typeof request>) => void;

/** One request by the agent. `send` writes a body and ends. */
function ask(
  { port, ca }: Site,
  agent: Agent,
  options: RequestOptions,
  send: Send = (outgoing) => outgoing.end(),
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, ca, agent, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response;
        const { reusedSocket: isReused } = outgoing;
        resolve({ status, headers, body: Buffer.concat(chunks), isReused });
      });
    });
    outgoing.on('error', reject);
    outgoing.on('continue', () => reject(new Error('100 came')));
    send(outgoing);
  });
}

async function agentKeeps(t: Test, site: Site): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const path = '/large.bin';
  const { headers } = await ask(site, agent, { path, method: 'HEAD' });
  const tag = String(headers.etag);
  const rows: [options: RequestOptions, status: number, body: string | undefined][] = [
    [{ path }, 200, digest(large)],
    [{ path, method: 'HEAD' }, 200, digest('')],
    [{ path, method: 'OPTIONS' }, 204, digest('')],
    [{ path: '/absent' }, 404, digest('<p>none</p>')],
    [{ path, headers: { Range: 'bytes=7-80006' } }, 206, digest(large.subarray(7, 80_007))],
    [{ path, headers: { Range: 'bytes=0-9,90-99' } }, 206, undefined],
    [{ path, headers: { Range: `bytes=${large.length}-` } }, 416, undefined],
    [{ path, headers: { 'If-None-Match': tag } }, 304, digest('')],
    [{ path, headers: { 'If-Match': '"x"' } }, 412, undefined],
    [{ path, headers: { 'If-Range': '"x"', Range: 'bytes=0-9' } }, 200, digest(large)],
    [{ path: '/', method: 'DELETE' }, 405, undefined],
    [{ path: '/app.js' }, 200, digest(script)],
  ];
  const [answers, accepted] = await site.counting(async () => {
    const all = [...rows, ...rows, ...rows].map(([options]) => ask(site, agent, options));
    return Promise.all(all);
  });
  for (const [index, { status, body }] of answers.entries()) {
    const [options, wanted, sum] = rows[index % rows.length] ?? [];
    t.equal(status, wanted, JSON.stringify(options));
    if (sum !== undefined) t.equal(digest(body), sum, 'its body');
  }
  t.equal(accepted, 0, 'all over the connection of the first request');
}

async function agentSends(t: Test, site: Site): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const post = { path: '/form', method: 'POST' };
  const chunks: Send = (outgoing) => {
    outgoing.setHeader('Trailer', 'X-Sum');
    for (let i = 0; i < 5; i += 1) outgoing.write(large.subarray(i * 10_000, (i + 1) * 10_000));
    outgoing.addTrailers({ 'X-Sum': 'abc' });
    outgoing.end();
  };
  const [answers, accepted] = await site.counting(async () => [
    await ask(site, agent, post, chunks),
    await ask(site, agent, { path: '/', method: 'PUT' }, chunks),
    await ask(site, agent, post, (outgoing) => outgoing.end(large.subarray(0, 65_536))),
    await ask(site, agent, { path: '/digits.txt' }),
  ]);
  t.same(
    answers.map(({ status, body }) => [status, body.toString()]),
    [
      [200, 'taken'],
      [405, answers[1]?.body.toString()],
      [200, 'taken'],
      [200, '0123456789'],
    ],
  );
  t.equal(accepted, 1, 'bodies with chunks, trailers or a length are read to their end');

  const waiting = { ...post, headers: { Expect: '100-continue', 'Content-Length': 10 } };
  const flush: Send = (outgoing) => outgoing.flushHeaders();
  const [refused, more] = await site.counting(async () => [
    await ask(site, agent, waiting, flush),
    await ask(site, agent, { path: '/digits.txt' }),
  ]);
  t.match(refused[0], { status: 200, headers: { connection: 'close' } }, 'Expect: 100-continue');
  t.equal(refused[1]?.isReused, false);
  t.equal(more, 1, 'the next request is by another connection, for no body came');
}

async function agentParallel(t: Test, site: Site): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 6 });
  t.teardown(() => agent.destroy());
  const [digests, accepted] = await site.counting(() =>
    Promise.all(
      Array.from({ length: 36 }, async () =>
        digest((await ask(site, agent, { path: '/large.bin' })).body),
      ),
    ),
  );
  t.same([...new Set(digests)], [digest(large)], 'six connections as a browser has, 36 downloads');
  t.ok(accepted <= 6, `${accepted} connections`);
}

// In a process of its own: fetch takes authorities from the environment alone, at the start.
const fetching = `
  import { createHash } from 'node:crypto';
  const [origin, requests] = process.argv.slice(1);
  const answers = [];
  for (const [path, { isStreamed, ...options }] of JSON.parse(requests)) {
    if (isStreamed) options.body = new Blob(['a'.repeat(20_000), 'b'.repeat(20_000)]).stream();
    const response = await fetch(origin + path, { duplex: 'half', ...options });
    const body = Buffer.from(await response.arrayBuffer());
    const coding = response.headers.get('content-encoding');
    answers.push([response.status, coding, createHash('sha256').update(body).digest('hex')]);
    // Else undici has not taken the connection back yet when the next request comes.
    await new Promise(setImmediate);
  }
  console.log(JSON.stringify(answers));
`;

type Fetched = [path: string, options: Record<string, unknown>, answer: unknown[]];

async function fetchAll(t: Test, site: Site, rows: Fetched[]): Promise<void> {
  const requests = JSON.stringify(rows.map(([path, options]) => [path, options]));
  const args = ['--input-type=module', '-e', fetching, site.origin, requests];
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: site.caFile };
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });
  t.same(
    JSON.parse(stdout),
    rows.map(([, , answer]) => answer),
  );
}

async function fetches(t: Test, site: Site): Promise<void> {
  const head = await ask(site, new Agent(), { path: '/large.bin', method: 'HEAD' });
  const path = '/large.bin';
  const range = { range: 'bytes=1-100000' };
  const [, accepted] = await site.counting(() =>
    fetchAll(t, site, [
      [path, {}, [200, null, digest(large)]],
      ['/app.js', {}, [200, 'br', digest(script)]],
      [path, { headers: range }, [206, null, digest(large.subarray(1, 100_001))]],
      [path, { headers: { 'if-none-match': head.headers.etag } }, [304, null, digest('')]],
      ['/digits.txt', {}, [200, null, digest('0123456789')]],
    ]),
  );
  t.equal(accepted, 1, 'over one connection');
  // undici by itself takes another connection behind a HEAD, and for a body that is a stream.
  await fetchAll(t, site, [
    [path, { method: 'HEAD' }, [200, null, digest('')]],
    ['/form', { method: 'POST', isStreamed: true }, [200, null, digest('taken')]],
    ['/form', { method: 'POST', body: 'x' }, [200, null, digest('taken')]],
    ['/digits.txt', {}, [200, null, digest('0123456789')]],
  ]);
}

const readToEnd = async (socket: TLSSocket): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('latin1');
};

async function pipelined(t: Test, site: Site): Promise<void> {
  const plain = (line: string, fields = ''): string =>
    `${line} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
  const round: [request: string, status: number, body: string][] = [
    [plain('GET /digits.txt'), 200, '0123456789'],
    [plain('HEAD /large.bin'), 200, ''],
    [plain('GET /large.bin', 'Range: bytes=5-70004\r\n'), 206, large.toString('latin1', 5, 70_005)],
    [`${plain('POST /form', 'Content-Length: 3\r\n')}abc`, 200, 'taken'],
    [plain('GET /digits.txt', 'If-None-Match: *\r\n'), 304, ''],
    [plain('OPTIONS /'), 204, ''],
    [`${plain('POST /form', 'Transfer-Encoding: chunked\r\n')}3\r\nabc\r\n0\r\n\r\n`, 200, 'taken'],
    [plain('GET /absent'), 404, '<p>none</p>'],
    [plain('GET /large.bin'), 200, large.toString('latin1')],
  ];
  const rows = [...round, ...round, ...round];
  const { port, ca } = site;
  const [text, accepted] = await site.counting(async () => {
    const socket = connect({ host: '127.0.0.1', port, ca });
    const received = readToEnd(socket);
    socket.write(rows.map(([bytes]) => bytes).join('') + plain('GET /', 'Connection: close\r\n'));
    return received;
  });
  t.equal(accepted, 1);
  let rest = text;
  for (const [bytes, status, body] of rows) {
    const end = rest.indexOf('\r\n\r\n') + 4;
    const label = bytes.slice(0, bytes.indexOf('\r\n'));
    t.equal(rest.slice(0, 12), `HTTP/1.1 ${status}`, label);
    t.equal(digest(rest.slice(end, end + body.length)), digest(body), 'its body');
    rest = rest.slice(end + body.length);
  }
  t.match(rest, /^HTTP\/1.1 200 .*\r\nConnection: close\r\n.*<p>hello<\/p>$/s, 'the last');
}

for (const offload of modes) {
  t.test(`Node's clients, kernel TLS ${offload}`, { timeout: 110_000 }, async (t) => {
    const site = await startSite(t, offload);
    const steps = { agentKeeps, agentSends, agentParallel, fetches, pipelined };
    for (const [name, step] of Object.entries(steps)) await t.test(name, (t) => step(t, site));
    await checkEnd(t, site, offload);
  });
}
