#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// How long from exec to READY, without a service manager and with one, and how much memory when idle,
// each beside Node doing nothing on the same machine: `node bench/start-up.mjs [--rounds N]
// [--bundle FILE]`, after scripts/setup.mjs. The rounds are interleaved, so that whatever else the
// machine does meets all alike. The CPU time of the main thread until then tells what wall time hides
// on a machine that does other work.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const goals = { startRatio: 2, idleMiB: 20 };
const idleAfterMs = 3_000;
const giveUpAfterMs = 20_000;
const projectDir = dirname(dirname(fileURLToPath(import.meta.url)));

const env = { ...process.env, UV_USE_IO_URING: '0' };
delete env.NOTIFY_SOCKET;

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** What the main thread has run so far, proc_pid_schedstat: nanoseconds come first. */
const cpuMsOf = (pid) => Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;

const reportCpu =
  "process.stdout.write(require('fs').readFileSync('/proc/self/schedstat','utf8').split(' ')[0])";

/** From exec to the end of a Node that does nothing, in milliseconds. */
async function timeEmpty() {
  const startedMs = performance.now();
  const child = spawn(process.execPath, ['-e', '0'], { env, stdio: 'ignore' });
  await once(child, 'exit');
  return performance.now() - startedMs;
}

/** What the main thread of such a one has run at its end, in milliseconds. */
async function cpuEmpty() {
  const child = spawn(process.execPath, ['-e', reportCpu], { env, stdio: ['ignore', 'pipe', 2] });
  const [data] = await once(child.stdout, 'data');
  await once(child, 'exit');
  return Number(data) / 1e6;
}

const optionsOf = (directory) =>
  `--root ${directory} --listen 127.0.0.1:0 --state-dir ${directory}/state`.split(' ');

function spawnServer(bundle, directory) {
  const child = spawn(process.execPath, [bundle, 'serve', ...optionsOf(directory)], {
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
  const wallMs = (await ready) - startedMs;
  const cpuMs = cpuMsOf(child.pid);
  await stop(child);
  return { wallMs, cpuMs };
}

/** Likewise under the tests' small service manager, to its READY=1. */
async function timeManaged(bundle, directory) {
  const program = [process.execPath, bundle, 'serve', ...optionsOf(directory)];
  const address = `@spliced-bench-${process.pid}`;
  const args = [join(projectDir, 'test/cli/manager.py'), address, '[]', ...program];
  const manager = spawn('python3', args, { env, stdio: ['pipe', 'pipe', 'ignore'] });
  const says = createInterface({ input: manager.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await says.next()).value);
  await next(); // It is there.
  const startedMs = performance.now();
  manager.stdin.write('start\n');
  let said = await next();
  const pid = said.started;
  while (said.told?.READY === undefined) said = await next();
  const wallMs = performance.now() - startedMs;
  const cpuMs = cpuMsOf(pid);
  manager.stdin.write('signal SIGTERM\n');
  while (said.ended === undefined) said = await next();
  manager.stdin.write('end\n');
  await once(manager, 'exit');
  return { wallMs, cpuMs };
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
const verdict = (isGood) => (isGood ? 'met' : 'MISSED');

function printStart(name, times, empty) {
  const [wallMs, cpuMs] = ['wallMs', 'cpuMs'].map((key) => median(times.map((time) => time[key])));
  const ratio = wallMs / median(empty.wall);
  console.log(
    `${name}: ${wallMs.toFixed(0)} ms, ratio ${ratio.toFixed(2)} (goal: at most ` +
      `${goals.startRatio}: ${verdict(ratio <= goals.startRatio)}); CPU ${cpuMs.toFixed(0)} ms, ` +
      `ratio ${(cpuMs / median(empty.cpu)).toFixed(2)}`,
  );
}

try {
  const first = await timeServer(bundle, directory); // Makes the authority and the certificate.
  const empty = { wall: [], cpu: [] };
  const times = { plain: [], managed: [] };
  for (let round = 0; round < Number(values.rounds); round += 1) {
    empty.wall.push(await timeEmpty());
    times.plain.push(await timeServer(bundle, directory));
    empty.cpu.push(await cpuEmpty());
    times.managed.push(await timeManaged(bundle, directory));
  }
  console.log(`node ${process.version}, ${values.rounds} rounds, medians`);
  console.log(
    `node -e 0: ${median(empty.wall).toFixed(0)} ms, CPU ${median(empty.cpu).toFixed(0)} ms`,
  );
  console.log(`first start to READY: ${first.wallMs.toFixed(0)} ms (makes keys; one measurement)`);
  printStart('start to READY', times.plain, empty);
  printStart('the same with a service manager', times.managed, empty);
  const { server, empty: idle } = await measureIdle(bundle, directory);
  console.log(`idle, node: ${idle.toFixed(1)} MiB resident`);
  console.log(
    `idle, spliced: ${server.toFixed(1)} MiB, ${(server - idle).toFixed(1)} more (goal: at most ` +
      `${goals.idleMiB}: ${verdict(server - idle <= goals.idleMiB)})`,
  );
} finally {
  rmSync(directory, { recursive: true, force: true });
}
