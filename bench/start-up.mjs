#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// How long from exec to READY, and how much memory when idle, each beside Node doing nothing on the
// same machine: `node bench/start-up.mjs [--rounds N] [--bundle FILE]`, after scripts/setup.mjs. The
// rounds are interleaved, so that whatever else the machine does meets both alike.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const goals = { startRatio: 2, idleMiB: 20 };
const idleAfterMs = 3_000;
const giveUpAfterMs = 20_000;

const env = { ...process.env, UV_USE_IO_URING: '0' };
delete env.NOTIFY_SOCKET;

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** From exec to the end of a Node that does nothing, in milliseconds. */
async function timeEmpty() {
  const startedMs = performance.now();
  const child = spawn(process.execPath, ['-e', '0'], { env, stdio: 'ignore' });
  await once(child, 'exit');
  return performance.now() - startedMs;
}

function spawnServer(bundle, directory) {
  const own = ['--root', directory, '--listen', '127.0.0.1:0', '--state-dir', `${directory}/state`];
  const child = spawn(process.execPath, [bundle, 'serve', ...own], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: giveUpAfterMs,
    killSignal: 'SIGKILL',
  });
  const ready = new Promise((done, fail) => {
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
      if (text.includes('"event":"ready"')) done(performance.now());
    });
    child.on('exit', (code) => fail(new Error(`the server ended with ${code}: ${text}`)));
  });
  ready.catch(() => {}); // When nobody waits any more.
  return { child, ready };
}

async function stop(child) {
  child.kill('SIGTERM');
  await once(child, 'exit');
}

async function timeServer(bundle, directory) {
  const startedMs = performance.now();
  const { child, ready } = spawnServer(bundle, directory);
  const readyMs = (await ready) - startedMs;
  await stop(child);
  return readyMs;
}

function residentMiB({ pid }) {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(kib) / 1024;
}

/** Both at the same age: what the start left behind has had its time to be collected. */
async function measureIdle(bundle, directory) {
  const { child: server, ready } = spawnServer(bundle, directory);
  const empty = spawn(process.execPath, ['-e', 'setTimeout(()=>{},1e6)'], { env, stdio: 'ignore' });
  await ready;
  await sleep(idleAfterMs);
  const resident = { server: residentMiB(server), empty: residentMiB(empty) };
  empty.kill('SIGKILL');
  await stop(server);
  return resident;
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    bundle: { type: 'string', default: 'dist/cli.js' },
  },
});
const bundle = resolve(values.bundle);
const directory = mkdtempSync(join(tmpdir(), 'spliced-start-'));
try {
  const firstMs = await timeServer(bundle, directory); // Makes the authority and the certificate.
  const times = { empty: [], server: [] };
  for (let round = 0; round < Number(values.rounds); round += 1) {
    times.empty.push(await timeEmpty());
    times.server.push(await timeServer(bundle, directory));
  }
  const [emptyMs, serverMs] = [median(times.empty), median(times.server)];
  const { server, empty } = await measureIdle(bundle, directory);
  const verdict = (isGood) => (isGood ? 'met' : 'MISSED');
  const ratio = serverMs / emptyMs;
  console.log(`node ${process.version}, ${values.rounds} rounds, medians`);
  console.log(`node -e 0                ${emptyMs.toFixed(0)} ms`);
  console.log(`first start to READY     ${firstMs.toFixed(0)} ms (makes keys; one measurement)`);
  console.log(`start to READY           ${serverMs.toFixed(0)} ms`);
  console.log(
    `ratio                    ${ratio.toFixed(2)} (goal: at most ${goals.startRatio}: ` +
      `${verdict(ratio <= goals.startRatio)})`,
  );
  console.log(`idle, node               ${empty.toFixed(1)} MiB resident`);
  console.log(
    `idle, spliced            ${server.toFixed(1)} MiB, ${(server - empty).toFixed(1)} more (goal: ` +
      `at most ${goals.idleMiB}: ${verdict(server - empty <= goals.idleMiB)})`,
  );
} finally {
  rmSync(directory, { recursive: true, force: true });
}
