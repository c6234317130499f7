// SPDX-License-Identifier: Apache-2.0
// The daemon's part of the status: pushed once for changes that come together, within its bound.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { DaemonStatus, daemonStatusBytesMax } from '../../src/daemon-status.js';

t.test('pushes what there is at once, then changes together', async (t) => {
  const status = new DaemonStatus();
  const pushed: string[] = [];
  let onPush = (): void => {};
  status.set('a', { b: 1 });
  status.start((json) => {
    pushed.push(json);
    onPush();
  });
  t.same(pushed, ['{"a":{"b":1}}']);
  const next = new Promise<void>((resolve) => {
    onPush = resolve;
  });
  status.set('a', 2);
  status.set('c', 'é');
  t.equal(pushed.length, 1, 'not yet');
  // The timer does not hold the process: something else must.
  const hold = setInterval(() => {}, 1_000);
  await next;
  t.same(pushed.slice(1), ['{"a":2,"c":"é"}']);
  status.set('a', 3);
  status.close();
  status.close();
  await sleep(100);
  clearInterval(hold);
  t.equal(pushed.length, 2, 'nothing after close');
});

t.test('what is too large is left out and named', async (t) => {
  const status = new DaemonStatus();
  status.set('first', 'x'.repeat(daemonStatusBytesMax / 2));
  status.set('large', 'é'.repeat(daemonStatusBytesMax / 2));
  status.set('last', 7);
  const pushed: string[] = [];
  status.start((json) => pushed.push(json));
  status.close();
  const [json = ''] = pushed;
  t.ok(Buffer.byteLength(json) <= daemonStatusBytesMax);
  t.match(JSON.parse(json), { first: /^x+$/, last: 7, omitted: ['large'] });
});

t.test('the bound is that of native/base/limits.hpp', async (t) => {
  const limits = readFileSync('native/base/limits.hpp', 'utf8');
  const [, factors = ''] = /kDaemonStatusBytesMax = ([\d* ]+);/.exec(limits) ?? [];
  const bytes = factors.split('*').reduce((product, factor) => product * Number(factor), 1);
  t.equal(bytes, daemonStatusBytesMax);
});
