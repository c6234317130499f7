// SPDX-License-Identifier: Apache-2.0
// What the product does over an engine that is slow, full, failing, wrong or hanging. Each case
// starts servers of its own and returns what happened; standin.test.ts judges it. Run by standin.mjs.
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connection, download } from './client.mjs';
import * as engine from './engine.mjs';
import * as guest from './guest.mjs';
import { Server } from './server.mjs';

const versions = ['1.2', '1.3'];
const sizes = [1, 16384, 32700, 80000, guest.mebibyte];
const mebibytePath = guest.pathOf(guest.mebibyte);
const waitMsMax = 100_000;

const start = (environment = {}) =>
  Server.product({ root: guest.root, stateDir: guest.newStateDir(), environment });

/** As under a systemd that waits no longer than this: a canary each quarter of it. */
const watched = { WATCHDOG_USEC: '6000000' };

const get = (server, connections) =>
  download({ port: server.port, root: guest.root, connections, deadlineS: 60 });

async function until(what, isSo) {
  const endMs = performance.now() + waitMsMax;
  for (;;) {
    const found = await isSo();
    if (found) return found;
    if (performance.now() > endMs) throw new Error(`waited in vain for ${what}`);
    await sleep(100);
  }
}

const statusWhere = (server, what, isSo) =>
  until(what, async () => {
    const status = await server.status();
    return isSo(status) ? status : undefined;
  });

const logged = (server, event) => until(event, () => server.events.find((e) => e.event === event));

async function finish(server, result) {
  result.exitCode = await server.stop();
  return { ...result, stopped: server.stoppedLine, log: server.log };
}

const both = (profile, mode, paths, count) =>
  versions.flatMap((tls) =>
    Array.from({ length: count }, () => connection({ tls, profile, mode, paths })),
  );

const everySize = (mode, profile) =>
  versions.flatMap((tls) =>
    mode === 'close'
      ? sizes.map((size) => connection({ tls, profile, mode, paths: [guest.pathOf(size)] }))
      : [connection({ tls, profile, mode, paths: sizes.map(guest.pathOf) })],
  );

// Small send buffers and slow readers beside fast ones: where a hasty close loses.
const plan = () => [
  ...everySize('close', 'slow:2000000'),
  ...everySize('keep', 'slow:4000000'),
  ...everySize('close', 'fast'),
  ...everySize('pipeline', 'fast'),
];

const engines = {
  '0.1 ms': { latency_us: 100 },
  '1 ms, jitter of 2': { latency_us: 1000, jitter_us: 2000 },
  '10 ms, all at once': { latency_us: 10_000, serial: 'N' },
  'out of order': { latency_us: 500, jitter_us: 5000, serial: 'N', reorder: 'Y', ring_depth: 512 },
  'ring of 1': { latency_us: 200, ring_depth: 1 },
  'ring of 2, out of order': {
    latency_us: 500,
    jitter_us: 3000,
    serial: 'N',
    reorder: 'Y',
    ring_depth: 2,
  },
  'memory touched at once': { latency_us: 1000, late: 'N' },
};

/** Every engine, under one server for each size of buffer. */
async function nothingLost() {
  const result = { runs: {} };
  for (const buffers of [4096, 16384]) {
    guest.setBuffers(buffers);
    const server = await start();
    for (const [name, parameters] of Object.entries(engines)) {
      engine.set(parameters);
      result.runs[`${name}, ${buffers}`] = await engine.counted(() => get(server, plan()));
    }
    engine.set({});
    const { status, exitCode } = await finish(server, { status: await server.status() });
    result[buffers] = { status, exitCode };
  }
  return result;
}

/** One job in so many fails, or is refused: connections end, and nothing else happens. */
async function failures() {
  guest.setBuffers(16384);
  const server = await start();
  const result = { runs: {} };
  const faults = {
    'one byte, failed': [{ fail_ppm: 150_000 }, 1],
    'one byte, refused': [{ refuse_ppm: 150_000 }, 1],
    'records, failed': [{ fail_ppm: 60_000 }, 80_000],
    'records, refused': [{ refuse_ppm: 60_000 }, 80_000],
    'a mebibyte, failed': [{ fail_ppm: 15_000 }, guest.mebibyte],
  };
  for (const [name, [parameters, size]] of Object.entries(faults)) {
    const paths = [guest.pathOf(size)];
    const connections = [
      ...both('fast', 'close', paths, 4),
      ...both('slow:2000000', 'keep', paths, 4),
    ];
    engine.set(parameters);
    result.runs[name] = await engine.counted(() => get(server, connections));
    engine.set({});
    result.runs[name].cipherFailures = (await server.status()).offload.cipherFailures;
  }
  result.after = await get(server, everySize('close', 'fast'));
  return finish(server, { ...result, status: await server.status() });
}

/** Every record has a wrong bit; then no longer. */
async function wrongBytes() {
  guest.setBuffers(16384);
  const server = await start(watched);
  engine.set({ corrupt_ppm: 1_000_000 });
  await logged(server, 'accelerator_suspended');
  const result = { suspended: await server.status() };
  result.meanwhile = await engine.counted(() => get(server, everySize('close', 'slow:4000000')));
  engine.set({});
  await statusWhere(server, 'the engine', ({ accelerator }) => !accelerator.suspended);
  result.after = await engine.counted(() => get(server, everySize('close', 'fast')));
  return finish(server, { ...result, status: await server.status(), events: server.events });
}

const slowOnes = () => both('slow:400000', 'keep', [mebibytePath], 3);

/** Returns when the engine has stopped to complete with downloads in their middle; and those. */
async function stall(server) {
  const connections = slowOnes();
  const downloads = get(server, connections);
  await statusWhere(server, 'the downloads', (s) => s.requests.total >= connections.length);
  await sleep(500);
  engine.set({ stall: 'Y' });
  return { downloads };
}

/** Three seconds: nobody takes that for more than it is. */
async function shortStall() {
  guest.setBuffers(16384);
  const server = await start();
  const result = await engine.counted(async () => {
    const { downloads } = await stall(server);
    await sleep(3_000);
    engine.set({});
    return downloads;
  });
  return finish(server, { ...result, status: await server.status(), events: server.events });
}

/** Until the daemon has another engine in the place of the one that hangs, and longer. */
async function longStall() {
  guest.setBuffers(16384);
  const server = await start(watched);
  const { downloads } = await stall(server);
  await logged(server, 'engine_replaced');
  const result = { hanging: await server.status() };
  result.meanwhile = await get(server, everySize('close', 'slow:4000000'));
  result.hangingLater = await server.status();
  engine.set({});
  result.held = await downloads;
  await logged(server, 'engine_released');
  await statusWhere(server, 'the engine', ({ accelerator }) => !accelerator.suspended);
  result.after = await engine.counted(() => get(server, everySize('close', 'fast')));
  return finish(server, { ...result, status: await server.status(), events: server.events });
}

const stateOf = (task) => {
  const text = readFileSync(`/proc/${task}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2)[0];
};

function canListen(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', ({ code }) => resolve(code));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** SIGTERM while the engine hangs, before anybody has noticed. */
async function stopWhileStalled() {
  guest.setBuffers(16384);
  const server = await start({ SPLICED_STOP_TIMEOUT_MS: '2000' });
  const { downloads } = await stall(server);
  await until('a thread in the kernel', () => {
    const tasks = readdirSync(`/proc/${server.pid}/task`);
    return tasks.some((task) => stateOf(`${server.pid}/task/${task}`) === 'D');
  });
  const began = performance.now();
  server.signal();
  await logged(server, 'stopped');
  const stoppedMs = performance.now() - began;
  await until('the end of the first thread', () => stateOf(server.pid) === 'Z');
  const result = { stoppedMs, endedMs: performance.now() - began };
  result.isPortFree = await canListen(server.port);
  engine.set({});
  result.outcomes = (await downloads).outcomes;
  return finish(server, result);
}

export const cases = {
  'nothing lost': nothingLost,
  failures,
  'short stall': shortStall,
  stop: stopWhileStalled,
  'wrong bytes': wrongBytes,
  'long stall': longStall,
};
