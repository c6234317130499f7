// SPDX-License-Identifier: Apache-2.0
// Randomness and clock, also of a device that wakes up in 1970.

import t from 'tap';
import { probeClock, probeRandom } from '../../../src/doctor/probes/machine.js';
import { boardOf, buildDateMs, healthyNative, nowMs, only } from './board.js';

t.test('randomness', async (t) => {
  const files = { '/sys/class/misc/hw_random/rng_current': 'caam-rng0\n' };
  t.match(only(probeRandom(boardOf({ files }))), { level: 'ok', detail: /caam-rng0/ });
  const none = { '/sys/class/misc/hw_random/rng_current': 'none\n' };
  t.match(only(probeRandom(boardOf({ files: none }))), { detail: /no hardware source/ });
  const native = { ...healthyNative, randomReady: false };
  t.match(only(probeRandom(boardOf({ native }))), { level: 'problem', advice: /boot loader/ });
  t.same(probeRandom(boardOf({ native: { error: 'gone' } })), []);
});

t.test('clock', async (t) => {
  t.match(only(probeClock(boardOf())), { level: 'ok', title: /2026-11-22T12:00:00Z/ });
  const native = { ...healthyNative, clockSynchronised: false };
  t.match(only(probeClock(boardOf({ native }))), { level: 'info', detail: /no battery clock/ });
  const rtc = { '/sys/class/rtc/rtc0/name': 'snvs_rtc' };
  t.equal(only(probeClock(boardOf({ native, files: rtc }))).detail, '');
  const statuses = { '/run/systemd/timesync/synchronized': { mode: 0o644, uid: 0 } };
  t.equal(only(probeClock(boardOf({ native, statuses }))).level, 'ok', 'timesyncd says so');
  t.match(only(probeClock(boardOf({ nowMs: 5_000 }))), {
    level: 'warning',
    title: /1970-01-01T00:00:05Z/,
  });
  t.equal(only(probeClock(boardOf({ nowMs: buildDateMs }))).level, 'ok');
  t.match(only(probeClock(boardOf({ nowMs: nowMs + 50 * 365.25 * 24 * 3_600_000 }))), {
    level: 'warning',
    title: /decades ahead/,
  });
});
