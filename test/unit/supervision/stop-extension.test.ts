// SPDX-License-Identifier: Apache-2.0
// src/supervision/stop-extension.ts: time is asked for after progress alone, and never beyond the end.

import t from 'tap';
import { extendStopWhileItProgresses } from '../../../src/supervision/stop-extension.js';

const checks = (count: number): Promise<void> =>
  new Promise((resolve) => {
    let left = count;
    const timer = setInterval(() => {
      left -= 1;
      if (left > 0) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });

t.test('extendStopWhileItProgresses', async (t) => {
  const figures = { bytes: { plaintextSent: 0 }, pending: { bytes: 0 }, connections: { open: 3 } };
  const asked: number[] = [];
  let nowMs = 1000;
  const end = extendStopWhileItProgresses({
    figures: () => structuredClone(figures),
    extendTimeout: (ms) => void asked.push(ms),
    stopTimeoutMs: 60_000,
    intervalMs: 1,
    now: () => nowMs,
  });
  t.teardown(end);
  const askedAfter = async (change: () => void): Promise<number[]> => {
    asked.length = 0;
    change();
    await checks(5);
    return [...asked];
  };
  t.same(await askedAfter(() => {}), [], 'nothing moves');
  t.same(await askedAfter(() => (figures.bytes.plaintextSent += 1)), [15_000], 'bytes, once');
  t.same(await askedAfter(() => (figures.pending.bytes += 1)), [15_000], 'the cipher works');
  t.same(await askedAfter(() => (figures.connections.open -= 1)), [15_000], 'one has ended');
  nowMs += 58_000;
  t.same(await askedAfter(() => (figures.bytes.plaintextSent += 1)), [7_000], 'to the end at most');
  nowMs += 8_000;
  t.same(await askedAfter(() => (figures.bytes.plaintextSent += 1)), [], 'the end was due');
});

t.test('the answer ends it', async (t) => {
  let open = 100;
  const asked: number[] = [];
  const end = extendStopWhileItProgresses({
    figures: () => {
      open -= 1;
      return { bytes: { plaintextSent: 0 }, pending: { bytes: 0 }, connections: { open } };
    },
    extendTimeout: (ms) => void asked.push(ms),
    stopTimeoutMs: 60_000,
    intervalMs: 1,
  });
  await checks(5);
  t.ok(asked.length > 0);
  end();
  const before = asked.length;
  await checks(5);
  t.equal(asked.length, before);
});
