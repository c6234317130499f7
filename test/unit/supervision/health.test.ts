// SPDX-License-Identifier: Apache-2.0
// The whole of the self-supervision over an injected canary and clock: what goes to systemd, to the
// engine, to the log and to the status page.

import { pino } from 'pino';
import t from 'tap';
import { retryMsMin } from '../../../src/supervision/accelerator.js';
import type { CanaryFault, CanaryResult, CanaryRun } from '../../../src/supervision/canary.js';
import { Health, type HealthService, isHealthWatched } from '../../../src/supervision/health.js';
import { TestClock } from './clock.js';

const watchdogMs = 40_000;

class TestService implements HealthService {
  heartbeat = 0;
  isHung = false;
  ledgersStuck = 0;
  readonly offload: string[] = [];
  readonly shown: Record<string, Record<string, unknown>> = {};

  listeners() {
    return [];
  }
  setCanary(): void {}
  expectCanary(): void {}
  failing: { key: string; reason: string }[] = [];
  stats(): string {
    return JSON.stringify({ tls: { signatures: { failing: this.failing } } });
  }
  ping(): void {
    if (!this.isHung) this.heartbeat += 1;
  }
  pulse() {
    const { heartbeat, ledgersStuck } = this;
    const engines = [{ heartbeat, ledgersStuck, hasEnded: false }];
    return { ledgersStuck, canariesOffloaded: 0, enginesHanging: 0, engines };
  }
  setOffload(mode: 'auto' | 'off', reason: string): void {
    this.offload.push(`${mode} ${reason}`.trim());
  }
  annotate(name: string, json: string): void {
    if (name.length + json.length > 768) throw new Error(`${name}: ${json.length} bytes`);
    this.shown[name] = JSON.parse(json);
  }
}

function make(isWatched = true) {
  const clock = new TestClock();
  const service = new TestService();
  const sent: string[] = [];
  const words: string[] = [];
  const lines: Record<string, unknown>[] = [];
  const runs: CanaryRun[] = [];
  // What the kernel's and OpenSSL's canaries bring back from now on.
  const faults: { kernel?: CanaryFault; userSpace?: CanaryFault } = {};
  const canary = {
    run: async (run: CanaryRun): Promise<CanaryResult> => {
      runs.push(run);
      const fault = run.inKernel ? faults.kernel : faults.userSpace;
      const cipher = run.inKernel ? 'kernel' : 'user_space';
      const reason = 'r'.repeat(2_000);
      return { cipher, durationMs: 12, ...(fault && { fault, reason }) };
    },
    close: () => {},
  };
  const log = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const health = new Health({
    service,
    watchdogMs: isWatched ? watchdogMs : undefined,
    notify: (message) => sent.push(message),
    onTroubles: (text) => words.push(text),
    log,
    clock,
    canary,
  });
  const events = (): unknown[] => lines.map(({ event }) => event);
  return { clock, service, sent, words, lines, events, runs, faults, health };
}

t.test('all is well: attested, shown, not logged', async (t) => {
  const { clock, service, sent, words, events, runs, health } = make();
  health.start();
  await clock.advance(watchdogMs * 5);
  t.ok(sent.length >= 15);
  t.ok(runs.length >= 15 && runs.every(({ inKernel }) => inKernel));
  t.ok(runs.every(({ timeoutMs }) => timeoutMs === watchdogMs / 2));
  t.match(service.shown.canary, { failed: 0, lastMs: 12, lastCipher: 'kernel', lastError: '' });
  t.equal(service.shown.canary?.ok, runs.length);
  t.match(service.shown.watchdog, { periodMs: watchdogMs, withheld: 0, missing: [] });
  t.match(service.shown.accelerator, { suspended: false, suspensions: 0 });
  t.same([words, events()], [[], []]);
  health.close();
  t.equal(clock.waiting, 0);
});

t.test(
  'an accelerator gone wrong: the service goes on in user space, and is not killed',
  async (t) => {
    const { clock, service, sent, words, events, faults, health } = make();
    health.start();
    await clock.advance(watchdogMs);
    faults.kernel = 'wrong_bytes';
    await clock.advance(watchdogMs);
    t.match(service.offload, [/^off r+$/]);
    const before = sent.length;
    await clock.advance(watchdogMs * 20);
    t.ok(sent.length - before >= 60, 'attested throughout');
    t.match(words, [/^kernel TLS is suspended: r+$/]);
    t.same(events().slice(0, 2), ['accelerator_suspended', 'canary_failed']);
    t.notOk(events().includes('watchdog_withheld'));
    t.match(service.shown.accelerator, { suspended: true, suspensions: 1 });
    delete faults.kernel;
    await clock.advance(retryMsMin * 64);
    t.equal(service.offload.at(-1), 'auto');
    t.equal(words.at(-1), '');
    t.ok(events().includes('accelerator_resumed'));
    health.close();
  },
);

t.test('no completion from the kernel alone is found out without a gap', async (t) => {
  const { clock, service, sent, faults, events, health } = make();
  health.start();
  faults.kernel = 'no_completion';
  await clock.advance(watchdogMs);
  t.match(service.offload, [/^off/]);
  t.notOk(events().includes('watchdog_withheld'));
  t.ok(sent.length >= 3);
  health.close();
});

t.test('nothing comes back at all: withheld, told once, shown', async (t) => {
  const { clock, service, sent, words, lines, faults, health } = make();
  health.start();
  faults.kernel = 'no_completion';
  faults.userSpace = 'no_completion';
  await clock.advance(watchdogMs * 2);
  const before = sent.length;
  await clock.advance(watchdogMs * 10);
  t.equal(sent.length, before);
  t.same(service.offload, [], 'the accelerator is not blamed');
  t.same(words, ['watchdog withheld: canary']);
  t.match(service.shown.watchdog, { missing: ['canary'] });
  t.equal(lines.filter(({ event }) => event === 'watchdog_withheld').length, 1);
  t.equal(lines.filter(({ event }) => event === 'canary_failed').length, 1);
  health.close();
});

t.test('an address that is gone is not the service, nor is it worth a restart', async (t) => {
  const { clock, sent, events, faults, health } = make();
  health.start();
  faults.kernel = 'unreachable';
  await clock.advance(watchdogMs * 5);
  t.ok(sent.length >= 15);
  t.same(events(), ['canary_failed']);
  health.close();
});

t.test('a token that does not sign is found, told, and no reason for a restart', async (t) => {
  const { clock, service, sent, words, lines, faults, health } = make();
  health.start();
  faults.kernel = 'no_service';
  faults.userSpace = 'no_service';
  service.failing = [{ key: 'pkcs11:object=tls', reason: 'its token does not answer' }];
  await clock.advance(watchdogMs * 5);
  t.ok(sent.length >= 15, 'attested throughout');
  const told = lines.filter(({ event }) => event === 'canary_failed');
  t.match(told, [{ fault: 'no_signature', reason: /pkcs11:object=tls .* does not answer/ }]);
  t.equal(told.length, 1);
  t.same(words, ['the key pkcs11:object=tls does not sign']);
  t.same(service.offload, [], 'the accelerator is not blamed');
  // Without a token to blame it is the service again.
  service.failing = [];
  await clock.advance(watchdogMs * 5);
  t.match(service.shown.watchdog, { missing: ['canary'] });
  health.close();
});

t.test('a canary that throws is one that failed', async (t) => {
  const clock = new TestClock();
  const service = new TestService();
  const canary = { run: () => Promise.reject(new Error('no port')), close: () => {} };
  const log = pino({ enabled: false });
  const common = { service, watchdogMs, notify: () => {}, onTroubles: () => {}, log, clock };
  const health = new Health({ ...common, canary });
  health.start();
  await clock.advance(watchdogMs * 3);
  t.match(service.shown.canary, { ok: 0, lastError: /no port/ });
  t.match(service.shown.watchdog, { missing: ['canary'] });
  health.close();
});

t.test('the stop: no canary any more, attested until the end', async (t) => {
  const { clock, service, sent, runs, health } = make();
  health.start();
  await clock.advance(watchdogMs);
  health.beginStop();
  const before = { runs: runs.length, sent: sent.length };
  await clock.advance(watchdogMs * 3);
  t.equal(runs.length, before.runs);
  t.ok(sent.length >= before.sent + 6);
  service.isHung = true;
  await clock.advance(watchdogMs);
  t.match(service.shown.watchdog, { missing: ['engine'] });
  health.close();
  t.equal(clock.waiting, 0);
});

t.test('without a watchdog: canaries for the accelerator alone, nothing is sent', async (t) => {
  const { clock, service, sent, runs, health } = make(false);
  health.start();
  await clock.advance(600_000);
  t.same(sent, []);
  t.notOk(service.shown.watchdog);
  t.ok(runs.length >= 9);
  t.ok(service.shown.canary);
  health.close();
});

t.test('who is watched', async (t) => {
  const stats = (mode: string, kernel: string): string =>
    JSON.stringify({ offload: { mode, kernel } });
  t.ok(isHealthWatched(30_000, stats('off', 'no tls')));
  t.ok(isHealthWatched(undefined, stats('auto', 'available')));
  t.notOk(isHealthWatched(undefined, stats('auto', 'no tls')));
  t.notOk(isHealthWatched(undefined, stats('off', 'available')));
});
