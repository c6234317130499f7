// SPDX-License-Identifier: Apache-2.0
// When an engine is replaced and when not, what its successor is told, and how it all stops. Over
// engines that only say what they were told; test/guest/standin.test.ts has threads that hang.

import { pino } from 'pino';
import t from 'tap';
import { FailoverEngine } from '../../../src/engine/failover.js';
import type {
  Engine,
  EngineEvent,
  EngineOptions,
  NativeModule,
} from '../../../src/engine/native.js';

const hangMs = 5_000;
const pair = { chain: 'chain', privateKey: 'key' };

class TestEngine {
  static made: TestEngine[] = [];
  static isAsync = true;
  heartbeat = 0;
  /** What threadState() says while the thread stands still; empty: it turns. */
  hangsIn = '';
  open = 3;
  readonly calls: string[] = [];
  emit: (events: EngineEvent[]) => void = () => {};

  constructor(readonly options: EngineOptions) {
    TestEngine.made.push(this);
  }
  start(onEvents: (events: EngineEvent[]) => void): void {
    this.emit = onEvents;
  }
  listeners = () => [{ address: '::', port: 443, fd: 7 }];
  shareListeners = () => [{ fd: 8 }];
  threadState = () => this.hangsIn || 'S';
  stats = () =>
    JSON.stringify({
      connections: { open: this.open },
      offload: { driver: { name: 'gcm-aes-caam', async: TestEngine.isAsync } },
    });
  ping(): void {
    if (this.hangsIn === '') this.heartbeat += 1;
  }
  pulse = () => ({ heartbeat: this.heartbeat, ledgersStuck: 0, canaries: 0, canariesOffloaded: 0 });
  takeConnections = () => ({ records: [], lost: 0 });
  close(waitMs?: number, retire?: boolean): boolean {
    this.calls.push(`close ${waitMs} ${retire}`);
    return this.hangsIn === '';
  }
  #told =
    (name: string) =>
    (...args: unknown[]): void => {
      this.calls.push([name, ...args.map((arg) => JSON.stringify(arg))].join(' '));
    };
  replaceCertificates = this.#told('replaceCertificates');
  replaceClientCertificates = this.#told('replaceClientCertificates');
  setOffload = this.#told('setOffload');
  setCanary = this.#told('setCanary');
  expectCanary = this.#told('expectCanary');
  annotate = this.#told('annotate');
  setUploads = this.#told('setUploads');
  logConnections = this.#told('logConnections');
  stop = this.#told('stop');
}

function make({ isAsync = true } = {}) {
  TestEngine.made = [];
  TestEngine.isAsync = isAsync;
  let nowMs = 0;
  const lines: Record<string, unknown>[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const options = { listeners: [{ fd: 7 }], certificates: [pair], drainTimeoutMs: 600_000 };
  const engine = new FailoverEngine({
    native: { Engine: TestEngine as unknown as NativeModule['Engine'] },
    options: options as unknown as EngineOptions,
    hangMs,
    log: log as never,
    nowMs: () => nowMs,
  });
  const events: EngineEvent[] = [];
  const reasons: string[] = [];
  engine.start((batch) => void events.push(...batch));
  engine.onReplaced((reason) => void reasons.push(reason));
  t.teardown(() => engine.close());
  const pass = (ms: number): void => {
    for (let left = ms; left > 0; left -= 1_000) {
      nowMs += 1_000;
      engine.look();
    }
  };
  const told = () => lines.map(({ event }) => event);
  const [first] = TestEngine.made as [TestEngine];
  return { engine, first, events, reasons, lines, told, pass, second: () => TestEngine.made[1] };
}

t.test('an engine that turns, is idle or waits for less than its time is left alone', async (t) => {
  const { first, pass, second } = make();
  pass(60_000);
  first.hangsIn = 'D';
  pass(hangMs - 1_000);
  first.hangsIn = '';
  pass(60_000);
  t.equal(second(), undefined);
});

t.test(
  'one that stands still elsewhere than in the kernel is the watchdog’s business',
  async (t) => {
    const { first, pass, second } = make();
    first.hangsIn = 't';
    pass(60_000);
    t.equal(second(), undefined);
  },
);

t.test('nor is it replaced where no cipher is asynchronous', async (t) => {
  const { first, pass, second } = make({ isAsync: false });
  first.hangsIn = 'D';
  pass(60_000);
  t.equal(second(), undefined);
});

t.test('a successor has the same sockets and settings, and encrypts in user space', async (t) => {
  const { engine, first, reasons, pass, second, told } = make();
  const renewed = { chain: 'new chain', privateKey: 'new key' };
  const clients = { ca: 'ca', crl: '', require: [], checkTimes: true };
  engine.replaceCertificates([renewed]);
  engine.replaceClientCertificates(clients);
  engine.setCanary(new Uint8Array([1]));
  engine.logConnections(true);
  engine.annotate('canary', '{}');
  first.hangsIn = 'D';
  pass(hangMs + 2_000);
  const next = second();
  t.same(next?.options.listeners, [{ fd: 8 }]);
  t.same(next?.options.certificates, [renewed]);
  t.same(next?.options.clientCertificates, clients);
  t.match(next?.calls.join('\n'), /^setOffload "off" "gcm-aes-caam does not complete/);
  for (const call of ['setCanary', 'logConnections true', 'annotate "canary" "{}"']) {
    t.ok(
      next?.calls.some((made) => made.startsWith(call)),
      call,
    );
  }
  t.match(reasons, [/gcm-aes-caam does not complete/]);
  t.same(told(), ['engine_replaced']);
  t.match(engine.pulse(), { enginesHanging: 1 });
  t.ok(first.calls.includes('stop 600000'), 'the first one ends when it comes back');
  engine.setOffload('auto', '');
  t.equal(next?.calls.at(-1), 'setOffload "auto" ""');
  t.notOk(first.calls.some((call) => call.startsWith('setOffload')));
  if (next) next.hangsIn = 'D';
  pass(60_000);
  t.equal(TestEngine.made.length, 2, 'one at a time');
});

t.test('one whose thread comes back is released, and the next may be replaced again', async (t) => {
  const { engine, first, events, pass, second, lines } = make();
  first.hangsIn = 'D';
  pass(hangMs + 2_000);
  first.hangsIn = '';
  first.emit([{ type: 'stopped', drained: 3, aborted: 0, durationMs: 9 }]);
  t.same(events, [], 'the service goes on');
  t.match(lines.at(-1), { event: 'engine_released', drained: 3, aborted: 0 });
  t.match(engine.pulse(), { enginesHanging: 0 });
  const next = second();
  if (next) next.hangsIn = 'D';
  pass(hangMs + 2_000);
  t.equal(TestEngine.made.length, 3);
});

t.test('a stop waits for both, and its figures are those of both', async (t) => {
  const { engine, first, events, pass, second } = make();
  first.hangsIn = 'D';
  pass(hangMs + 2_000);
  engine.stop(2_000);
  t.ok(first.calls.includes('stop 2000'));
  t.equal(second()?.calls.at(-1), 'stop 2000');
  second()?.emit([{ type: 'stopped', drained: 1, aborted: 0, durationMs: 5 }]);
  t.same(events, []);
  first.hangsIn = '';
  first.emit([{ type: 'stopped', drained: 2, aborted: 1, durationMs: 7 }]);
  t.same(events, [{ type: 'stopped', drained: 3, aborted: 1, durationMs: 7 }]);
  t.equal(engine.close(), true);
});

t.test('a stop counts as aborted what hangs at its deadline', async (t) => {
  const { engine, first, events, pass, second } = make();
  first.hangsIn = 'D';
  pass(hangMs + 2_000);
  engine.stop(0);
  second()?.emit([{ type: 'stopped', drained: 1, aborted: 0, durationMs: 5 }]);
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  t.same(events, [{ type: 'stopped', drained: 1, aborted: 3, durationMs: 5 }]);
  t.equal(engine.close(undefined, true), false, 'a thread hangs');
  t.ok(first.calls.includes('close 0 true'), 'that is known, so nobody waits for it');
});

t.test('events of the only engine pass, also its failure', async (t) => {
  const { engine, first, events } = make();
  first.emit([{ type: 'started', ring: 'epoll', reason: '' }]);
  first.emit([{ type: 'failed', reason: 'no descriptors' }]);
  t.match(events, [{ type: 'started' }, { type: 'failed' }]);
  t.equal((engine as Engine).threadState(), 'S');
});
