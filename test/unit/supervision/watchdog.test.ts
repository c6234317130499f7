// SPDX-License-Identifier: Apache-2.0
// The watchdog: what is attested, what is withheld and why, and that load alone never withholds.

import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import {
  type Missing,
  takeWatchdogPeriod,
  Watchdog,
  type WatchedEngine,
} from '../../../src/supervision/watchdog.js';
import { TestClock } from './clock.js';

const periodMs = 40_000;

/** Turns when it is asked to, unless it hangs. */
class TestEngine implements WatchedEngine {
  heartbeat = 0;
  ledgersStuck = 0;
  isHung = false;
  hasEnded = false;
  pings = 0;

  ping(): void {
    this.pings += 1;
    if (!this.isHung) this.heartbeat += 1;
  }

  pulse() {
    const { heartbeat, ledgersStuck, hasEnded } = this;
    return { heartbeat, ledgersStuck, hasEnded };
  }
}

function make(engines = [new TestEngine()]) {
  const clock = new TestClock();
  const sent: string[] = [];
  const withheld: Missing[][] = [];
  const resumed: number[] = [];
  const watchdog = new Watchdog({
    periodMs,
    engines,
    clock,
    notify: (message) => sent.push(message),
    onWithheld: (missing) => withheld.push(missing),
    onResumed: (ms) => resumed.push(ms),
  });
  watchdog.start();
  /** Time goes on with canaries that come back. */
  const live = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= periodMs / 4) {
      watchdog.canaryIsRight();
      await clock.advance(Math.min(left, periodMs / 4));
    }
  };
  return { clock, sent, withheld, resumed, watchdog, live, engines };
}

t.test('WATCHDOG_USEC and WATCHDOG_PID as sd_watchdog_enabled(3) reads them', async (t) => {
  const rows: [NodeJS.ProcessEnv, number | undefined][] = [
    [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 30_000],
    [{ WATCHDOG_USEC: '1500' }, 1.5],
    [{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, undefined],
    [{ WATCHDOG_USEC: '0', WATCHDOG_PID: '7' }, undefined],
    [{ WATCHDOG_USEC: '-3' }, undefined],
    [{ WATCHDOG_USEC: '30s' }, undefined],
    [{ WATCHDOG_PID: '7' }, undefined],
    [{}, undefined],
  ];
  for (const [env, period] of rows) {
    t.equal(takeWatchdogPeriod({ ...env }, 7), period, JSON.stringify(env));
    const taken = { ...env, HOME: '/' };
    takeWatchdogPeriod(taken, 7);
    t.same(taken, { HOME: '/' }, 'no child inherits them');
  }
});

t.test('attests at least every half period while everything is there', async (t) => {
  const { sent, withheld, live, watchdog } = make();
  await live(periodMs * 10);
  t.ok(sent.length >= 20, `${sent.length} in ten periods`);
  t.same(new Set(sent), new Set(['WATCHDOG=1']));
  t.same(withheld, []);
  t.match(watchdog.status(), { withheld: 0, missing: [], loopLagMs: 0 });
});

t.test('an engine that does not turn', async (t) => {
  const engines = [new TestEngine(), new TestEngine()];
  const { sent, withheld, resumed, live } = make(engines);
  await live(periodMs);
  const [, second] = engines;
  if (second) second.isHung = true;
  await live(periodMs);
  const before = sent.length;
  await live(periodMs * 2);
  t.equal(sent.length, before, 'one of two is enough to withhold');
  t.same(withheld, [['engine']], 'told once');
  if (second) second.isHung = false;
  await live(periodMs);
  t.ok(sent.length > before, 'attests again');
  t.equal(resumed.length, 1);
});

t.test('timers that fire a fraction of a millisecond early', async (t) => {
  const engine = new TestEngine();
  const time = new TestClock();
  const beganMs = time.nowMs();
  const withheldAtMs: number[] = [];
  const watchdog = new Watchdog({
    periodMs,
    engines: [engine],
    clock: { nowMs: () => time.nowMs(), after: (ms, call) => time.after(ms - 0.4, call) },
    notify: () => {},
    onWithheld: () => withheldAtMs.push(time.nowMs()),
    onResumed: () => {},
  });
  engine.isHung = true;
  watchdog.start();
  await time.advance(periodMs);
  const looks = withheldAtMs.map((ms) => Math.round((ms - beganMs) / (periodMs / 4)));
  t.same(looks, [3], 'two looks after it was asked');
});

t.test('an engine whose turns take long, but less than the bound', async (t) => {
  const engine = new TestEngine();
  engine.isHung = true;
  const { withheld, live } = make([engine]);
  for (let i = 0; i < 30; i += 1) {
    await live((periodMs / 4) * 2);
    engine.heartbeat += 1; // One turn in the time of two attestations.
  }
  t.same(withheld, []);
});

t.test('who turns by itself is not woken, and who is idle once in half a period', async (t) => {
  const engines = [new TestEngine(), new TestEngine()];
  const [busy, idle] = engines as [TestEngine, TestEngine];
  const { withheld, live } = make(engines);
  for (let i = 0; i < 40; i += 1) {
    busy.heartbeat += 1;
    await live(periodMs / 4);
  }
  t.equal(busy.pings, 0);
  t.equal(idle.pings, 20);
  t.same(withheld, []);
});

t.test('an engine whose stop is over is not missed while another drains', async (t) => {
  const engines = [new TestEngine(), new TestEngine()];
  const [ended, drains] = engines as [TestEngine, TestEngine];
  const { withheld, clock, watchdog } = make(engines);
  watchdog.beginStop();
  ended.isHung = true;
  ended.hasEnded = true;
  await clock.advance(periodMs * 5);
  t.same(withheld, []);
  drains.isHung = true;
  await clock.advance(periodMs * 2);
  t.same(withheld, [['engine']]);
});

t.test('a canary that does not come back', async (t) => {
  const { sent, withheld, clock, live } = make();
  await live(periodMs);
  await clock.advance(periodMs * 0.9);
  t.same(withheld, [], 'one that is late is not missed');
  const before = sent.length;
  await clock.advance(periodMs * 3);
  t.same(withheld, [['canary']]);
  t.ok(sent.length - before <= 1, 'nothing is sent after the bound');
});

t.test('a stuck ledger', async (t) => {
  const engine = new TestEngine();
  const { sent, withheld, live } = make([engine]);
  await live(periodMs);
  engine.ledgersStuck = 1;
  await live(periodMs / 4);
  engine.ledgersStuck = 0;
  await live(periodMs);
  t.same(withheld, [], 'one that was given up in time');
  engine.ledgersStuck = 2;
  await live(periodMs);
  const before = sent.length;
  await live(periodMs * 2);
  t.same(withheld, [['ledger']]);
  t.equal(sent.length, before);
});

t.test('an event loop that was held up, and one that turns again', async (t) => {
  const { sent, withheld, resumed, live, clock, watchdog } = make();
  await live(periodMs);
  const before = sent.length;
  watchdog.canaryIsRight();
  await clock.advance(periodMs * 0.85, true); // 0.6 after the attestation was due.
  t.equal(sent.length, before, 'the late call attests nothing');
  t.same(withheld, [['event_loop']]);
  t.ok(watchdog.status().loopLagMsMax > periodMs / 2);
  watchdog.canaryIsRight();
  await clock.advance(periodMs / 16);
  t.equal(sent.length, before + 1, 'within the period of the last one');
  t.equal(resumed.length, 1);
});

t.test('a real event loop that is blocked', async (t) => {
  const sent: string[] = [];
  const withheld: Missing[][] = [];
  const watchdog = new Watchdog({
    periodMs: 400,
    engines: [new TestEngine()],
    notify: (message) => sent.push(message),
    onWithheld: (missing) => withheld.push(missing),
    onResumed: () => {},
  });
  watchdog.start();
  t.teardown(() => watchdog.stop());
  // A second without a turn, in one go.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
  await sleep(5);
  t.same(sent, []);
  t.match(withheld, [['event_loop', 'canary']]);
  while (sent.length === 0) {
    watchdog.canaryIsRight();
    await sleep(5);
  }
  t.pass('attests when the loop turns again');
});

t.test('while the service stops, the loops are enough', async (t) => {
  const engine = new TestEngine();
  const { sent, withheld, clock, watchdog } = make([engine]);
  watchdog.beginStop();
  engine.ledgersStuck = 1;
  await clock.advance(periodMs * 5);
  t.ok(sent.length >= 10);
  engine.isHung = true;
  await clock.advance(periodMs * 2);
  t.same(withheld, [['engine']]);
  watchdog.stop();
  const before = sent.length;
  await clock.advance(periodMs * 5);
  t.equal(sent.length, before);
  t.equal(clock.waiting, 0);
});
