// SPDX-License-Identifier: Apache-2.0
// When the kernel's cipher is suspended, and when it is trusted again.

import t from 'tap';
import { Accelerator, retryMsMax, retryMsMin } from '../../../src/supervision/accelerator.js';
import type { CanaryFault, CanaryResult, Cipher } from '../../../src/supervision/canary.js';

function make() {
  let nowMs = 5_000;
  const offload: string[] = [];
  const told: string[] = [];
  const accelerator = new Accelerator({
    nowMs: () => nowMs,
    setOffload: (mode) => offload.push(mode),
    onSuspended: (reason) => told.push(reason),
    onResumed: () => told.push('resumed'),
  });
  const wait = (ms: number): void => {
    nowMs += ms;
  };
  /** A canary as the accelerator wants it, that ends so. */
  const run = (fault?: CanaryFault, changed?: Cipher): Cipher => {
    const inKernel = accelerator.nextInKernel();
    const cipher = changed ?? (inKernel ? 'kernel' : 'user_space');
    const result: CanaryResult = { cipher, durationMs: 1, ...(fault && { fault, reason: fault }) };
    accelerator.take(result, inKernel);
    return cipher;
  };
  return { accelerator, offload, told, wait, run };
}

t.test('right answers change nothing', async (t) => {
  const { offload, run } = make();
  for (let i = 0; i < 5; i += 1) t.equal(run(), 'kernel');
  t.same(offload, []);
});

t.test('wrong bytes or a bad record suspend at once', async (t) => {
  for (const fault of ['wrong_bytes', 'bad_record'] as const) {
    const { accelerator, offload, told, run } = make();
    run(fault);
    t.same(offload, ['off']);
    t.same(told, [fault]);
    t.match(accelerator.status(), { suspended: true, reason: fault, suspensions: 1 });
    t.equal(accelerator.status().retryInMs, retryMsMin);
    t.equal(run(), 'user_space', 'what follows goes through OpenSSL');
  }
});

t.test('what happened in user space, or before it, says nothing about the kernel', async (t) => {
  for (const fault of ['wrong_bytes', 'bad_record', 'no_completion', 'no_service'] as const) {
    const { offload, run, accelerator } = make();
    for (let i = 0; i < 4; i += 1) run(fault, 'user_space');
    t.same(offload, [], fault);
    t.notOk(accelerator.isInDoubt);
  }
  const { offload, run } = make();
  for (let i = 0; i < 4; i += 1) run('no_service');
  t.same(offload, [], 'refused');
});

t.test('no completion: only with a control in user space that came back', async (t) => {
  const { accelerator, offload, told, run } = make();
  t.equal(run('no_completion'), 'kernel');
  t.ok(accelerator.isInDoubt);
  t.equal(run(), 'user_space');
  t.same(offload, [], 'once can be chance');
  t.equal(run('no_completion'), 'kernel');
  t.same(offload, ['off']);
  t.match(told, [/in user space the same request was answered/]);
});

t.test('no completion in either: the service hangs, the accelerator is not blamed', async (t) => {
  const { accelerator, offload, run } = make();
  for (let i = 0; i < 3; i += 1) {
    t.equal(run('no_completion'), 'kernel');
    t.equal(run('no_completion'), 'user_space');
    t.notOk(accelerator.isInDoubt);
  }
  t.same(offload, []);
});

t.test('no completion once, then right: the doubt is over', async (t) => {
  const { offload, run } = make();
  for (let i = 0; i < 3; i += 1) {
    run('no_completion');
    run();
    t.equal(run(), 'kernel');
  }
  t.same(offload, []);
});

t.test('is tried again, later each time, with canaries alone', async (t) => {
  const { offload, wait, run } = make();
  run('wrong_bytes');
  let expectedMs = retryMsMin;
  for (let i = 0; i < 8; i += 1) {
    wait(expectedMs - 1);
    t.equal(run(), 'user_space', 'too early');
    wait(1);
    t.equal(run('bad_record'), 'kernel', `trial ${i} after ${expectedMs} ms`);
    expectedMs = Math.min(expectedMs * 2, retryMsMax);
  }
  t.same(offload, ['off'], 'clients stay in user space');
  wait(expectedMs);
  t.equal(run(), 'kernel');
  t.same(offload, ['off', 'auto']);
});

t.test('a trial that never reached the kernel is repeated, not counted against it', async (t) => {
  const { accelerator, wait, run } = make();
  run('wrong_bytes');
  wait(retryMsMin);
  run('no_service', 'user_space');
  t.equal(accelerator.status().retryInMs, retryMsMin);
});

t.test('one that fails again soon after is not trusted sooner than before', async (t) => {
  const { accelerator, wait, run } = make();
  run('wrong_bytes');
  wait(retryMsMin);
  run();
  wait(10_000);
  run('wrong_bytes');
  t.equal(accelerator.status().retryInMs, 2 * retryMsMin);
  wait(2 * retryMsMin);
  run();
  wait(retryMsMax + 1);
  run('wrong_bytes');
  t.equal(accelerator.status().retryInMs, retryMsMin, 'after an hour without a fault');
  t.equal(accelerator.status().suspensions, 3);
});

t.test('stuck ledgers suspend it, and keep it from being tried', async (t) => {
  const { accelerator, offload, told, wait, run } = make();
  accelerator.observeStuck(2);
  accelerator.observeStuck(3);
  t.same(offload, ['off']);
  t.match(told, [/^2 connections wait/]);
  wait(retryMsMin * 3);
  t.equal(run(), 'user_space');
  accelerator.observeStuck(0);
  t.equal(run(), 'kernel');
  t.same(offload, ['off', 'auto']);
});
