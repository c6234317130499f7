// SPDX-License-Identifier: Apache-2.0
// The package test: does what is installed on this board work on this board? Starts a server of its
// own on a free loopback port, with its state in a temporary directory, and leaves the service
// alone. Needs Node alone; run-ptest turns its TAP into what ptest-runner reads.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

// Beside the test, or where packages are when the test is in another library directory.
const cli = [process.env.SPLICED_CLI, fileURLToPath(new URL('../dist/cli.js', import.meta.url))]
  .concat('/usr/lib/spliced/dist/cli.js')
  .find((path) => path && existsSync(path));

// The first start on a board may wait for entropy, and an armv7 needs seconds to load Node.
const startTimeoutMs = 120_000;
const timeout = 180_000;
const clients = 4;
// Uneven, and more than the window (256 KiB) and the socket buffers of loopback hold together.
const largeBytes = 8 * 1024 * 1024 + 4321;
const large = randomBytes(largeBytes);
const largeDigest = createHash('sha256').update(large).digest('hex');

const work = mkdtempSync(join(tmpdir(), 'spliced-ptest-'));
const root = join(work, 'root');
const state = ['--state-dir', join(work, 'state')];
let server;
let authority;

/** Runs the command line to its end. */
function run(...args) {
  // Where the unit runs it too: relative paths of the configuration begin there.
  const cwd = dirname(dirname(cli));
  const options = { cwd, encoding: 'utf8', timeout: startTimeoutMs };
  return spawnSync(process.execPath, [cli, ...args], options);
}

/** A server process: `ready` is its log line, `ended` resolves with the exit code and the log. */
function startServer() {
  const own = ['serve', '--listen', '127.0.0.1:0', '--root', root, ...state];
  const child = spawn(process.execPath, [cli, ...own], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = [];
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('not ready in time')), startTimeoutMs);
    const ended = new Promise((end) => {
      child.on('close', (code) => {
        clearTimeout(timer);
        reject(new Error(`ended with ${code} before it was ready`));
        end({ code, lines });
      });
    });
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = JSON.parse(text);
      lines.push(line);
      if (line.event !== 'ready') return;
      clearTimeout(timer);
      resolve({ child, ended, port: line.listeners[0].port });
    });
  });
}

/** Sends a GET over a connection of its own; resolves at the response head. The server is verified. */
function begin(path, headers = {}) {
  const agent = new Agent({ keepAlive: false });
  const options = { host: '127.0.0.1', port: server.port, path, headers, ca: authority, agent };
  return new Promise((resolve, reject) => {
    const outgoing = request(options, (response) => {
      response.pause();
      resolve(response);
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

async function bodyOf(response) {
  const chunks = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const fetchStatus = async () => JSON.parse(await bodyOf(await begin('/.spliced/status')));
const digestOf = (body) => createHash('sha256').update(body).digest('hex');

before(async () => {
  assert.ok(cli, 'spliced is not installed');
  mkdirSync(root);
  writeFileSync(join(root, 'index.html'), 'here\n');
  writeFileSync(join(root, 'large.bin'), large);
  server = await startServer();
  authority = run('certificate', 'ca', ...state).stdout;
});

after(() => {
  server?.child.kill('SIGKILL');
  rmSync(work, { recursive: true, force: true });
});

test('the installed configuration is valid', { timeout }, () => {
  const { status, stdout, stderr } = run('config', 'check');
  assert.equal(status, 0, `${stdout}${stderr}`);
});

test('doctor looks at the board and finds the addon', { timeout }, () => {
  const { stdout, stderr } = run('doctor', '--json', ...state);
  assert.equal(stderr, '');
  const ids = JSON.parse(stdout).findings.map(({ id }) => id);
  assert.ok(ids.includes('ring.io-uring'), 'it asked the addon');
  assert.ok(!ids.includes('runtime.addon'), stdout);
});

test('a page, its validator and a range, by a verified certificate', { timeout }, async () => {
  const page = await begin('/');
  assert.equal(page.statusCode, 200);
  assert.equal(String(await bodyOf(page)), 'here\n');
  const again = await begin('/', { 'If-None-Match': page.headers.etag });
  assert.equal(again.statusCode, 304);
  again.resume();
  const part = await begin('/large.bin', { Range: 'bytes=65535-65540' });
  assert.equal(part.statusCode, 206);
  assert.deepEqual(await bodyOf(part), large.subarray(65535, 65541));
});

test('every byte of a large file, several at a time', { timeout }, async () => {
  const bodies = await Promise.all(
    Array.from({ length: clients }, async () => bodyOf(await begin('/large.bin'))),
  );
  for (const body of bodies) assert.equal(digestOf(body), largeDigest, `${body.length} bytes`);
});

test('kernel TLS encrypts', { timeout }, async (t) => {
  const { offload } = await fetchStatus();
  t.diagnostic(`offload: ${JSON.stringify(offload)}`);
  if (Object.keys(offload.promoted).length === 0) t.skip(`it does not here: ${offload.kernel}`);
  else assert.ok(offload.driver?.name);
});

test('the accounts of the kernel and of the engine agree', { timeout }, async () => {
  const { pending, drains } = await fetchStatus();
  assert.equal(pending.contradictions, 0);
  assert.equal(drains.aborted, 0);
});

test('a stop finishes what is active, and loses nothing', { timeout }, async () => {
  const download = await begin('/large.bin');
  server.child.kill('SIGTERM');
  const body = await bodyOf(download);
  assert.equal(digestOf(body), largeDigest, `${body.length} bytes`);
  const { code, lines } = await server.ended;
  assert.equal(code, 0);
  const last = lines.at(-1);
  assert.equal(last.event, 'stopped');
  assert.equal(last.aborted, 0);
});
