// SPDX-License-Identifier: Apache-2.0
// What the watchdog asks of the real engine: its heartbeat, the canary over the real TLS path, the
// switch of the accelerator, what is shown in the status, and the records of ended connections.

import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import type { ConnectionRecord } from '../../src/engine/native.js';
import { retryMsMin } from '../../src/supervision/accelerator.js';
import {
  Canary,
  type CanaryResult,
  type CanaryRun,
  canaryBytes,
} from '../../src/supervision/canary.js';
import { Health } from '../../src/supervision/health.js';
import { TestClock } from '../unit/supervision/clock.js';
import { connectRaw, get, type Running, startService } from './service.js';

const statsOf = ({ service }: Running) => JSON.parse(service.stats());

/** Resolves when it is so; the test's own time-out ends a wait in vain. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(5);
}

/** With kernel TLS where this machine has it. */
const cipherOf = (running: Running): string =>
  statsOf(running).offload.kernel === 'available' ? 'kernel' : 'user_space';

async function heartbeats(t: Test, ring: 'auto' | 'epoll'): Promise<void> {
  const { service } = await startService(t, {}, { ring });
  // Whatever it still had to do at its start.
  let before = -1;
  while (service.pulse().heartbeat !== before) {
    before = service.pulse().heartbeat;
    await sleep(50);
  }
  for (let i = 0; i < 3; i += 1) {
    before = service.pulse().heartbeat;
    service.ping(0);
    await until(() => service.pulse().heartbeat > before);
  }
  t.pass('an idle engine turns when it is asked to');
}

t.test('the heartbeat of an idle engine', async (t) => {
  await heartbeats(t, 'auto');
  await heartbeats(t, 'epoll');
});

t.test('the canary: right, drained, and for nobody else', async (t) => {
  for (const ring of ['auto', 'epoll'] as const) {
    const running = await startService(t, {}, { ring, engines: 2 });
    const canary = new Canary(running.service);
    for (const inKernel of [true, false]) {
      const result = await canary.run({ inKernel, timeoutMs: 20_000 });
      t.equal(result.reason, undefined);
      t.equal(result.cipher, inKernel ? cipherOf(running) : 'user_space');
    }
    await until(() => statsOf(running).connections.open === 0);
    const stats = statsOf(running);
    t.equal(stats.drains.drained, 4, 'two of each engine');
    t.equal(stats.drains.aborted + stats.drains.peerGone, 0);
    t.ok(stats.bytes.plaintextSent >= 4 * canaryBytes);
    t.match(stats.requests.byStatus, { 200: 4 });
    const each = { canaries: 2, ledgersStuck: 0 };
    t.match(running.service.pulse(), { canaries: 4, engines: [each, each] });
    t.equal((await get(running, { path: '/.spliced/canary' })).status, 404);
  }
});

t.test('the canary of listeners on any address, IPv6 among them', async (t) => {
  const listeners = [
    { address: '0.0.0.0', port: 0 },
    { address: '::', port: 0 },
  ];
  const running = await startService(t, {}, { listeners, engines: 1 });
  const canary = new Canary(running.service);
  for (let i = 0; i < listeners.length; i += 1) {
    const { reason } = await canary.run({ inKernel: true, timeoutMs: 20_000 });
    t.equal(reason, undefined);
  }
  t.equal(running.service.pulse().canaries, 2);
});

t.test('a full table is no hung service: the canary has its own place', async (t) => {
  const running = await startService(t, {}, { connectionsMax: 2 });
  const clients = [await connectRaw(running), await connectRaw(running)];
  t.teardown(() => clients.map((client) => client.destroy()));
  await t.rejects(connectRaw(running), 'a third client is shed');
  const canary = new Canary(running.service);
  const { reason } = await canary.run({ inKernel: true, timeoutMs: 20_000 });
  t.equal(reason, undefined);
  t.equal(statsOf(running).connections.shed, 1);
});

t.test(
  'the switch of the accelerator, its reason, and the count of what stayed behind',
  async (t) => {
    const running = await startService(t, { 'a.txt': 'hello' });
    const { service } = running;
    const promoted = (): number => {
      const counts = Object.values(statsOf(running).offload.promoted) as number[];
      return counts.reduce((sum, count) => sum + count, 0);
    };
    const kernel = cipherOf(running) === 'kernel' ? 1 : 0;
    service.setOffload('off', 'one "wrong" byte');
    t.equal(statsOf(running).offload.suspended, 'one "wrong" byte');
    t.equal((await get(running, { path: '/a.txt' })).status, 200);
    t.equal(statsOf(running).offload.fallbacks.suspended, 1);
    t.equal(promoted(), 0);
    const canary = new Canary(service);
    const trial = await canary.run({ inKernel: true, timeoutMs: 20_000 });
    t.equal(trial.cipher, cipherOf(running), 'a canary may try it all the same');
    t.equal(promoted(), kernel);
    service.setOffload('auto', '');
    t.equal(statsOf(running).offload.suspended, '');
    t.equal((await get(running, { path: '/a.txt' })).status, 200);
    t.equal(promoted(), 2 * kernel);
    t.equal(statsOf(running).offload.fallbacks.suspended, 1);
  },
);

t.test('a cipher that goes wrong and is mended, over the real engine', async (t) => {
  const running = await startService(t, { 'a.txt': 'hello' });
  const { service } = running;
  const lines: Record<string, unknown>[] = [];
  const log = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const clock = new TestClock();
  const real = new Canary(service);
  let isWrong = true;
  let isUnderWay = false;
  // As if the kernel had encrypted, and wrongly: no kernel at hand does so.
  const canary = {
    run: async (run: CanaryRun): Promise<CanaryResult> => {
      isUnderWay = true;
      const result = await real.run(run);
      isUnderWay = false;
      if (result.fault !== undefined || !run.inKernel) return result;
      const fault = { fault: 'wrong_bytes', reason: 'the SHA-256 does not match' } as const;
      return { ...result, cipher: 'kernel', ...(isWrong && fault) };
    },
    close: () => real.close(),
  };
  const sent: string[] = [];
  const common = { service, log, clock, canary, watchdogMs: 40_000, onTroubles: () => {} };
  const health = new Health({ ...common, notify: (message) => sent.push(message) });
  health.start();
  t.teardown(() => health.close());
  /** So many more canaries come back; the clock stands still while one is under way. */
  const canaries = async (count: number): Promise<void> => {
    const done = (): number => {
      const { ok = 0, failed = 0 } = statsOf(running).canary;
      return ok + failed;
    };
    for (const wanted = done() + count; done() < wanted; ) {
      if (isUnderWay) await sleep(1);
      else await clock.advance(500);
    }
  };
  await canaries(1);
  t.match(statsOf(running), {
    accelerator: { suspended: true },
    offload: { suspended: 'the SHA-256 does not match' },
  });
  const before = statsOf(running).offload.fallbacks.suspended;
  t.equal((await get(running, { path: '/a.txt' })).status, 200, 'clients are served all the same');
  t.equal(statsOf(running).offload.fallbacks.suspended, before + 1);
  await canaries(3);
  t.match(statsOf(running), { accelerator: { suspended: true }, watchdog: { withheld: 0 } });
  isWrong = false;
  const retryAtMs = clock.nowMs() + retryMsMin;
  while (clock.nowMs() < retryAtMs) await canaries(1);
  await canaries(2);
  t.match(statsOf(running), { accelerator: { suspended: false }, offload: { suspended: '' } });
  const events = lines.map(({ event }) => event);
  t.same(events, ['accelerator_suspended', 'canary_failed', 'accelerator_resumed']);
  t.ok(sent.length > 0);
});

t.test('what the daemon adds to the status', async (t) => {
  const running = await startService(t);
  const { service } = running;
  service.annotate('canary', '{"ok":1}');
  service.annotate('canary', '{"ok":2,"lastError":"\\u00fc"}');
  const { body } = await get(running, { path: '/.spliced/status' });
  t.match(JSON.parse(body.toString()), { canary: { ok: 2, lastError: 'ü' } });
  t.match(statsOf(running), { canary: { ok: 2 } });
  t.throws(() => service.annotate('long', JSON.stringify('x'.repeat(4096))), {
    code: 'EINVAL_OPTION',
  });
  for (let i = 1; i < 8; i += 1) service.annotate(`n${i}`, JSON.stringify('x'.repeat(760)));
  t.throws(() => service.annotate('n8', '{}'), { code: 'EINVAL_OPTION' });
  const most = JSON.stringify('x'.repeat(4000));
  t.throws(() => service.annotate('n7', most), { code: 'EINVAL_OPTION' }, 'too much in all');
  t.equal((await get(running, { path: '/.spliced/status' })).status, 200, 'the page still fits');
});

t.test('arguments that cannot be', async (t) => {
  const { service } = await startService(t);
  const loose = service as unknown as Record<string, (...args: unknown[]) => void>;
  const calls: [string, unknown[]][] = [
    ['setOffload', ['on', 'x']],
    ['setOffload', ['off']],
    ['setCanary', ['text']],
    ['setCanary', [new Uint8Array()]],
    ['setCanary', [new Uint8Array(1024 * 1024 + 1)]],
    ['expectCanary', [70_000, true]],
    ['expectCanary', [61_000]],
    ['annotate', ['name']],
  ];
  for (const [name, args] of calls) {
    t.throws(() => loose[name]?.(...args), { code: 'EINVAL_OPTION' }, name);
  }
  service.close();
  for (const name of ['ping', 'pulse', 'takeConnections']) {
    t.throws(() => loose[name]?.(), { code: 'ECLOSED' }, name);
  }
});

t.test('records of ended connections, while they are asked for', async (t) => {
  const running = await startService(t, { 'a.txt': 'hello' });
  const { service } = running;
  await get(running, { path: '/a.txt' });
  t.same(service.takeConnections(), { records: [], lost: 0 });
  service.logConnections(true);
  await get(running, { path: '/a.txt' });
  const records: ConnectionRecord[] = [];
  await until(() => records.push(...service.takeConnections().records) > 0);
  const [record] = records;
  t.match(record, { peer: /^127\.0\.0\.1:\d+$/, requests: 1, ending: 'drained' });
  t.equal(record?.offloaded, cipherOf(running) === 'kernel');
  t.ok((record?.bytesSent ?? 0) > 5);
  t.notOk('handshakeFailure' in (record ?? {}));
});
