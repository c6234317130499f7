// SPDX-License-Identifier: Apache-2.0
// When an engine is replaced and when not, and what is said of it. Over a service that only notes what
// it was told; test/guest/standin.test.ts has threads that hang.

import { pino } from 'pino';
import t from 'tap';
import { Failover } from '../../../src/engine/failover.js';

const hangMs = 5_000;

interface TestThread {
  id: number;
  heartbeat: number;
  /** What threadState() says while the thread stands still; empty: it turns. */
  hangsIn: string;
}

class TestService {
  readonly threads: TestThread[];
  readonly calls: string[] = [];
  refuses = false;
  #nextId: number;

  constructor(
    count: number,
    readonly isAsync: boolean,
  ) {
    this.threads = Array.from({ length: count }, (_, id) => ({ id, heartbeat: 0, hangsIn: '' }));
    this.#nextId = count;
  }
  thread(index: number): TestThread {
    const thread = this.threads[index];
    if (thread === undefined) throw new Error(`no engine ${index}`);
    return thread;
  }
  /** Whoever has something to do and does not hang. */
  turn(): void {
    for (const thread of this.threads) if (thread.hangsIn === '') thread.heartbeat += 1;
  }
  pulse() {
    const own = {
      connections: 3,
      ledgersStuck: 0,
      canaries: 0,
      canariesOffloaded: 0,
      hasEnded: false,
    };
    const engines = this.threads.map(({ id, heartbeat }) => ({ ...own, id, heartbeat }));
    return { ...own, heartbeat: 0, engines, enginesHanging: 0 };
  }
  threadState = (index: number) => this.thread(index).hangsIn || 'S';
  stats = () =>
    JSON.stringify({ offload: { driver: { name: 'gcm-aes-caam', async: this.isAsync } } });
  replaceEngine(index: number): void {
    if (this.refuses) throw new Error('cannot start a thread');
    this.calls.push(`replaceEngine ${index}`);
    this.threads[index] = { id: this.#nextId++, heartbeat: 0, hangsIn: '' };
  }
  freeEngine = (id: number) => void this.calls.push(`freeEngine ${id}`);
  setOffload = (mode: string) => void this.calls.push(`setOffload ${mode}`);
}

function make({ isAsync = true, count = 1, tlsOffload = 'auto' as 'auto' | 'off' } = {}) {
  let nowMs = 0;
  const lines: Record<string, unknown>[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const service = new TestService(count, isAsync);
  const failover = new Failover({
    service,
    tlsOffload,
    hangMs,
    log: log as never,
    nowMs: () => nowMs,
  });
  const reasons: string[] = [];
  failover.onReplaced((reason) => void reasons.push(reason));
  const pass = (ms: number): void => {
    for (let left = ms; left > 0; left -= 1_000) {
      nowMs += 1_000;
      service.turn();
      failover.look();
    }
  };
  return { failover, service, reasons, pass, lines, told: () => lines.map(({ event }) => event) };
}

t.test('an engine that turns is left alone, however long', async (t) => {
  const { service, pass } = make({ count: 2 });
  pass(60_000);
  t.same(service.calls, []);
});

t.test(
  'one that stands still elsewhere than in the kernel, or has nothing to do, is left alone',
  async (t) => {
    for (const state of ['R', 'S']) {
      const { service, pass } = make();
      service.thread(0).hangsIn = state;
      pass(60_000);
      t.same(service.calls, [], state);
    }
  },
);

t.test('one that waits in the kernel for something synchronous is left alone', async (t) => {
  const { service, pass } = make({ isAsync: false });
  service.thread(0).hangsIn = 'D';
  pass(60_000);
  t.same(service.calls, []);
});

t.test('one look in the kernel is not enough', async (t) => {
  const { service, pass } = make();
  service.thread(0).hangsIn = 'D';
  pass(hangMs + 1_000);
  service.thread(0).hangsIn = '';
  pass(60_000);
  t.same(service.calls, []);
});

t.test('one that was idle for long is not taken for hung when it meets a slow disk', async (t) => {
  const { service, pass } = make();
  for (let i = 0; i < 5; i += 1) {
    service.thread(0).hangsIn = 'S';
    pass(60_000);
    service.thread(0).hangsIn = 'D';
    pass(hangMs - 1_000);
  }
  t.same(service.calls, []);
});

t.test('the one that hangs is replaced alone, and the kernel encrypts for nobody', async (t) => {
  const { service, pass, reasons, told, lines } = make({ count: 4 });
  pass(2_000);
  service.thread(2).hangsIn = 'D';
  pass(hangMs + 2_000);
  t.same(service.calls, ['setOffload off', 'replaceEngine 2']);
  t.match(reasons, [/gcm-aes-caam does not complete/]);
  t.same(told(), ['engine_replaced']);
  t.match(lines[0], { engine: 2, connections: 3 });
  service.thread(2).hangsIn = 'D';
  pass(60_000);
  t.equal(service.calls.length, 2, 'one at a time in each place');
  service.thread(0).hangsIn = 'D';
  pass(hangMs + 2_000);
  t.same(service.calls.slice(2), ['setOffload off', 'replaceEngine 0'], 'each has its own place');
});

t.test('one whose thread comes back is freed, and the next may be replaced again', async (t) => {
  const { failover, service, pass, lines } = make();
  service.thread(0).hangsIn = 'D';
  pass(hangMs + 2_000);
  failover.released({ type: 'released', engine: 0, drained: 3, aborted: 0 });
  t.match(lines.at(-1), { event: 'engine_released', engine: 0, drained: 3, aborted: 0 });
  t.equal(service.calls.at(-1), 'freeEngine 0');
  service.thread(0).hangsIn = 'D';
  pass(hangMs + 2_000);
  t.equal(service.calls.at(-1), 'replaceEngine 0');
});

t.test('without a thread for a successor the log says so, and it is tried again', async (t) => {
  const { service, pass, told } = make();
  service.refuses = true;
  service.thread(0).hangsIn = 'D';
  pass(hangMs + 2_000);
  t.ok(told().every((event) => event === 'engine_not_replaced') && told().length > 0);
  service.refuses = false;
  pass(1_000);
  t.equal(service.calls.at(-1), 'replaceEngine 0');
});

t.test('who asks late why an engine was replaced is told at once', async (t) => {
  const { failover, service, pass } = make();
  service.thread(0).hangsIn = 'D';
  pass(hangMs + 2_000);
  const late: string[] = [];
  failover.onReplaced((reason) => void late.push(reason));
  t.match(late, [/gcm-aes-caam/]);
});
