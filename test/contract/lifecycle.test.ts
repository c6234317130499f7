// SPDX-License-Identifier: Apache-2.0
// The life of an engine inside Node: close twice, stop, garbage, workers, and a process that ends
// in the middle of everything. What must not hang runs in a process of its own.

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { loadNative } from '../../src/engine/native.js';
import { get, newPair, serviceOptions, startService } from './service.js';

const countFds = (): number => readdirSync('/proc/self/fd').length;
const countThreads = (): number => readdirSync('/proc/self/task').length;

/** Runs a script that has `Service`, `options` and `require`; it must end by itself. */
async function runScript(t: Test, script: string, nodeArgs: string[] = []) {
  const pair = await newPair();
  const addon = join(process.cwd(), 'build/Release/spliced.node');
  const prelude = `
    const { Service } = require(${JSON.stringify(addon)});
    const options = ${JSON.stringify(serviceOptions(t.testdir({ 'a.txt': 'hello' }), pair))};`;
  const child = spawn(process.execPath, [...nodeArgs, '-e', prelude + script], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 15_000,
    killSignal: 'SIGKILL',
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      output += data;
    });
  }
  return new Promise<{ code: number | null; signal: string | null; output: string }>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, output: output.trim() }));
  });
}

t.test('listeners() tells the real port, and close() twice is fine', async (t) => {
  const { Service } = loadNative();
  const service = new Service(serviceOptions(t.testdir(), await newPair()));
  const [listener] = service.listeners();
  t.equal(listener?.address, '127.0.0.1');
  t.ok((listener?.port ?? 0) > 0);
  t.equal(service.close(), true);
  t.equal(service.close(), true);
});

t.test('several listeners, IPv6 among them', async (t) => {
  const listeners = [
    { address: '127.0.0.1', port: 0 },
    { address: '::1', port: 0 },
  ];
  const running = await startService(t, { 'index.html': 'x' }, { listeners });
  const [four, six] = running.service.listeners();
  t.equal((await get(running, { port: four?.port })).status, 200);
  // By name: Debian's Node 20.19 does not know ::1 in a certificate (tls.checkServerIdentity).
  const toSix = { host: '::1', port: six?.port, servername: 'localhost' };
  t.equal((await get(running, toSix)).status, 200);
});

t.test('the event started says which ring and why', async (t) => {
  for (const ring of ['auto', 'epoll'] as const) {
    const { events, service } = await startService(t, {}, { ring });
    const started = await events.wait('started');
    if (ring === 'epoll') t.equal(started.ring, 'epoll');
    else t.match(started.ring, /^(io_uring|epoll)$/);
    t.not(started.reason, '');
    t.equal(JSON.parse(service.stats()).ring.backend, started.ring);
  }
});

t.test('nothing is left: descriptors and threads', async (t) => {
  const { Service } = loadNative();
  const root = t.testdir({ 'a.txt': 'hello' });
  const pair = await newPair();
  const round = async (): Promise<void> => {
    const service = new Service(serviceOptions(root, pair));
    const port = service.listeners()[0]?.port ?? 0;
    const started = new Promise((resolve) => service.start(resolve));
    await started;
    const answer = await get({ port, pair, root } as Parameters<typeof get>[0], { path: '/a.txt' });
    t.equal(answer.body.toString(), 'hello');
    service.close();
  };
  await round(); // The first round opens what Node itself keeps.
  await sleep(50);
  const before = { fds: countFds(), threads: countThreads() };
  for (let i = 0; i < 5; i += 1) await round();
  await sleep(50);
  t.same({ fds: countFds(), threads: countThreads() }, before);
});

t.test('stop() of an idle engine: one event, then close()', async (t) => {
  const { service, events } = await startService(t);
  service.stop(5_000);
  const stopped = await events.wait('stopped');
  t.match(stopped, { drained: 0, aborted: 0, durationMs: Number });
  t.ok(stopped.durationMs < 1_000);
  service.close();
  await sleep(20);
  t.equal(events.seen.filter(({ type }) => type === 'stopped').length, 1);
});

t.test('a process that exits in the middle of serving', async (t) => {
  const script = `
    const service = new Service(options);
    service.start(() => {
      const { port } = service.listeners()[0];
      const https = require('node:https');
      https.get({ port, host: '127.0.0.1', rejectUnauthorized: false, path: '/a.txt' }, () => {
        process.exit(7);
      });
    });`;
  t.same(await runScript(t, script), { code: 7, signal: null, output: '' });
});

t.test(
  'a process that exits right after start(), after close(), and without start()',
  async (t) => {
    const scripts = {
      'after start': 'const e = new Service(options); e.start(() => {}); process.exit(7);',
      'after close':
        'const e = new Service(options); e.start(() => e.close()); process.exitCode = 7;',
      'close at once':
        'const e = new Service(options); e.start(() => {}); e.close(); process.exitCode = 7;',
      'never started': 'new Service(options); process.exitCode = 7;',
      'closed, then exit': `const e = new Service(options);
      e.start(() => { e.close(); e.close(); process.exit(7); });`,
      'a stop that was never waited for': `const e = new Service(options);
      e.start(() => {}); e.stop(10000); process.exit(7);`,
    };
    for (const [name, script] of Object.entries(scripts)) {
      t.same(await runScript(t, script), { code: 7, signal: null, output: '' }, name);
    }
  },
);

t.test('an exception in the events callback is an ordinary uncaught exception', async (t) => {
  const script = `
    process.on('uncaughtException', ({ message }) => { console.log(message); process.exit(7); });
    const service = new Service(options);
    service.start(() => { throw new Error('from the callback'); });`;
  t.same(await runScript(t, script), { code: 7, signal: null, output: 'from the callback' });
});

t.test('engines that nobody holds: the started one serves on, the other goes', async (t) => {
  const script = `
    const fs = require('node:fs');
    const https = require('node:https');
    const collect = async () => {
      for (let i = 0; i < 20; i++) { global.gc(); await new Promise((r) => setImmediate(r)); }
    };
    (async () => {
      await collect();
      const before = fs.readdirSync('/proc/self/fd').length;
      for (let i = 0; i < 5; i++) new Service(options);
      await collect();
      const after = fs.readdirSync('/proc/self/fd').length;
      const port = (() => {
        const service = new Service(options);
        service.start(() => {});
        return service.listeners()[0].port;
      })();
      await collect();
      const options_ = { port, host: '127.0.0.1', rejectUnauthorized: false, path: '/a.txt' };
      https.get(options_, ({ statusCode }) => {
        console.log(after - before, statusCode);
        process.exit(0);
      });
    })();`;
  t.same(await runScript(t, script, ['--expose-gc']), { code: 0, signal: null, output: '0 200' });
});

t.test('workers: terminated while serving, beside an engine of the main thread', async (t) => {
  const script = `
    const { Worker } = require('node:worker_threads');
    const https = require('node:https');
    const addon = ${JSON.stringify(join(process.cwd(), 'build/Release/spliced.node'))};
    const code = \`
      const { workerData, parentPort } = require('node:worker_threads');
      const { Service } = require(workerData.addon);
      const service = new Service(workerData.options);
      service.start(() => parentPort.postMessage(service.listeners()[0].port));\`;
    const get = (port) => new Promise((resolve, reject) => {
      const options = { port, host: '127.0.0.1', rejectUnauthorized: false, path: '/a.txt', agent: false };
      https.get(options, (r) => { r.resume(); r.on('end', () => resolve(r.statusCode)); }).on('error', reject);
    });
    (async () => {
      const service = new Service(options);
      await new Promise((resolve) => service.start(resolve));
      const statuses = [];
      for (let i = 0; i < 4; i++) {
        const worker = new Worker(code, { eval: true, workerData: { addon, options } });
        const port = await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
        statuses.push(await get(port));
        await worker.terminate();
        statuses.push(await get(port).catch(({ code }) => code));
      }
      statuses.push(await get(service.listeners()[0].port));
      service.close();
      console.log(statuses.join(' '));
    })();`;
  const rounds = Array(4).fill('200 ECONNREFUSED').join(' ');
  t.same(await runScript(t, script), { code: 0, signal: null, output: `${rounds} 200` });
});
