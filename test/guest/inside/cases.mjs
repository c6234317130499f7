// SPDX-License-Identifier: Apache-2.0
// The cases that run in every guest. Each starts a server of its own under given buffers, downloads
// by a plan, and returns what happened; matrix.test.ts on the host judges it. Run by main.mjs.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connection, download } from './client.mjs';
import * as guest from './guest.mjs';
import { Server } from './server.mjs';

export const versions = ['1.2', '1.3'];
const slow = 'slow:2000000';
const resume = 'resume:600';
const stall = 'stall:12000';
const allPaths = guest.sizes.map(guest.pathOf);
const mebibytePath = guest.pathOf(guest.mebibyte);
const largestPath = guest.pathOf(16 * guest.mebibyte);

/** Every size once, a connection each that is closed after it. */
const oneEach = (tls, profile, cipher) =>
  allPaths.map((path) => connection({ tls, profile, cipher, mode: 'close', paths: [path] }));

function matrixPlan(buffers) {
  const plan = [];
  for (const tls of versions) {
    for (const profile of ['fast', slow, resume]) {
      plan.push(...oneEach(tls, profile));
      plan.push(connection({ tls, profile, mode: 'keep', paths: allPaths }));
    }
    for (const profile of ['fast', slow]) {
      plan.push(connection({ tls, profile, mode: 'pipeline', paths: allPaths }));
    }
    // A stalled reader's body must not fit into the buffers.
    const stalled = buffers === 'default' ? [largestPath] : [mebibytePath, largestPath];
    for (const path of stalled) {
      for (const mode of ['close', 'keep']) {
        plan.push(connection({ tls, profile: stall, mode, paths: [path] }));
      }
    }
    for (const path of [guest.pathOf(65537), mebibytePath, largestPath]) {
      plan.push(connection({ tls, profile: 'early', mode: 'close', paths: [path] }));
    }
  }
  return plan;
}

/** Serves with the product while `use` runs; adds status, exit code and stopped line. */
export async function withProduct(options, use) {
  guest.setBuffers(options.buffers);
  const server = await Server.product({
    root: guest.root,
    stateDir: guest.newStateDir(),
    ...options,
  });
  let result = {};
  try {
    result = await use(server);
    result.status ??= await server.status();
  } catch (error) {
    result.error = String(error?.stack ?? error);
  }
  const exitCode = await server.stop();
  return { ...result, exitCode, stopped: server.stoppedLine, log: server.log };
}

const downloads = (options, connections) =>
  withProduct(options, ({ port }) => download({ port, root: guest.root, connections }));

const matrix = (buffers, root = guest.root) => downloads({ buffers, root }, matrixPlan(buffers));

const short = (cipher) => versions.flatMap((tls) => oneEach(tls, 'slow:5000000', cipher));

/** SIGTERM while every download is in its middle: all stand at their gates. */
export async function stopDuring(server, connections, options = {}) {
  let status;
  const onGate = async () => {
    status = await server.status();
    server.signal();
  };
  const { port } = server;
  const done = await download({ port, root: guest.root, connections, onGate, ...options });
  return { ...done, status, active: connections.length };
}

function stopInTheMiddle() {
  const plan = versions.flatMap((tls) =>
    ['close', 'keep'].flatMap((mode) => [
      ...Array.from({ length: 4 }, () =>
        connection({ tls, mode, profile: 'gate:400000', paths: [mebibytePath] }),
      ),
      connection({ tls, mode, profile: 'gate:6000000', paths: [largestPath] }),
    ]),
  );
  return withProduct({ buffers: 16384 }, (server) => stopDuring(server, plan));
}

/**
 * A local queue that drops: TCP counts what it sends again as sent twice, and a ledger that believed
 * it would close too early (docs/KERNEL.md).
 */
function droppingQueue() {
  const plan = versions.flatMap((tls) =>
    [...Array(6).fill(mebibytePath), largestPath].map((path) =>
      connection({ tls, profile: 'fast', mode: 'close', paths: [path] }),
    ),
  );
  return withProduct({ buffers: 65536 }, async ({ port }) => {
    const shape = 'tbf rate 60mbit burst 70k limit 70k'.split(' ');
    guest.run('tc', ['qdisc', 'add', 'dev', 'lo', 'root', ...shape]);
    try {
      const result = await download({ port, root: guest.root, connections: plan });
      const [queue] = JSON.parse(guest.run('tc', ['-s', '-j', 'qdisc', 'show', 'dev', 'lo']));
      return { ...result, dropped: queue.drops };
    } finally {
      guest.run('tc', ['qdisc', 'del', 'dev', 'lo', 'root']);
    }
  });
}

/** Every other one over HTTP/2, where the client ends the connection. */
function curl(port, version, index, more) {
  const protocol = index % 2 === 0 ? '--http1.1' : '--http2';
  const url = `https://127.0.0.1:${port}${mebibytePath}?n=${index}`;
  const args = ['-sk', protocol, `--tlsv${version}`, '--tls-max', version, '--limit-rate', '2M'];
  const child = spawn('curl', [...args, ...more, '-H', 'Connection: close', url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const hash = createHash('sha256');
  child.stdout.on('data', (data) => hash.update(data));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, digest: hash.digest('hex') }));
  });
}

function realCurl(options = {}, more = []) {
  const digest = createHash('sha256')
    .update(readFileSync(guest.root + mebibytePath))
    .digest('hex');
  return withProduct({ buffers: 16384, ...options }, async ({ port }) => {
    const results = [];
    for (const version of versions) {
      const eight = Array.from({ length: 8 }, (_, index) => curl(port, version, index, more));
      results.push(...(await Promise.all(eight)));
    }
    const offending = results.filter((result) => result.code !== 0 || result.digest !== digest);
    const outcomes = { complete: results.length - offending.length };
    return { expected: { complete: 16 }, outcomes, offending, clientErrors: '' };
  });
}

/**
 * The same by clients that must show a certificate, which makes the ticket longer and comes before
 * the promotion. A self-signed certificate is its own CA.
 */
function realClients() {
  const environment = {
    SPLICED_CLIENT_CERTIFICATES_CA: guest.certificate,
    SPLICED_CLIENT_CERTIFICATES_REQUIRE: '/',
  };
  return realCurl({ environment }, ['--cert', guest.certificate, '--key', guest.key]);
}

/** The control experiment: the same conditions, a server that closes at once. */
async function naive() {
  guest.setBuffers(16384);
  const server = await Server.naive(guest);
  const paths = [guest.pathOf(32700), guest.pathOf(80000), mebibytePath];
  // It sends no close_notify, so a download is judged by its bytes alone.
  const connections = versions.flatMap((tls) =>
    Array.from({ length: 12 }, (_, index) =>
      connection({ tls, profile: slow, mode: 'keep', paths: [paths[index % 3]] }),
    ),
  );
  const result = await download({ port: server.port, root: guest.root, connections });
  await server.stop();
  return { ...result, log: server.log };
}

export const cases = {
  naive,
  'matrix 4096': () => matrix(4096),
  'matrix 16384': () => matrix(16384),
  'matrix default': () => matrix('default'),
  'matrix cold': () => matrix(16384, guest.coldRoot),
  stop: stopInTheMiddle,
  epoll: () => downloads({ buffers: 16384, environment: { SPLICED_RING: 'epoll' } }, short()),
  'epoll cold': () =>
    downloads(
      { buffers: 16384, root: guest.coldRoot, environment: { SPLICED_RING: 'epoll' } },
      short(),
    ),
  aes256: () => downloads({ buffers: 16384 }, short('aes256')),
  chacha20: () => downloads({ buffers: 16384 }, short('chacha20')),
  off: () => downloads({ buffers: 16384, args: ['--tls-offload', 'off'] }, short()),
  queue: droppingQueue,
  curl: () => realCurl(),
  clients: realClients,
};
