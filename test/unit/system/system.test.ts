// SPDX-License-Identifier: Apache-2.0
// What a device tells of itself, by files as kernels and boards have them; and the day in memory.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { History, historyBounds } from '../../../src/system/history.js';
import { firmwareOf, modelOf, ticksOf } from '../../../src/system/probes.js';
import { System } from '../../../src/system/system.js';

const transferred = () => ({ sentBytes: 0, receivedBytes: 0 });

const board = {
  etc: {
    'os-release': 'NAME="Example \\"Gate\\""\nVERSION_ID=2026.10\nBUILD_ID=\'20261001\'\nX=\n',
  },
  proc: {
    stat: 'cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2\n',
    meminfo: 'MemTotal:        2048 kB\nMemFree: 10 kB\nMemAvailable:     512 kB\n',
    'device-tree': { model: 'NXP i.MX8MPlus EVK board\0' },
  },
  sys: {
    class: {
      thermal: {
        thermal_zone10: { temp: '61000\n', type: 'soc-thermal\n' },
        thermal_zone2: { temp: '48500\n', type: 'cpu\u001b[31m-thermal\n' },
        thermal_zone3: { temp: '-274000\n', type: 'off\n' },
        cooling_device0: {},
      },
    },
  },
};

t.test('a board', async (t) => {
  const root = t.testdir(board);
  const system = new System({ root, stateDir: root, transferred });
  const first = await system.current();
  t.match(first, {
    model: 'NXP i.MX8MPlus EVK board',
    firmware: { name: 'Example "Gate"', version: '2026.10', build: '20261001' },
    memory: { totalBytes: 2_097_152, availableBytes: 524_288 },
    processor: { busyPercent: null },
  });
  t.same(first.temperatures, [
    { name: 'cpu[31m-thermal', celsius: 48.5 },
    { name: 'soc-thermal', celsius: 61 },
  ]);
  t.equal(first.storage.length, 1, 'one file system is named once');
  await setTimeout(510);
  writeFileSync(join(root, 'proc/stat'), 'cpu  140 0 60 840 60 0 0 0 0 0\n');
  t.equal((await system.current()).processor.busyPercent, 50);
});

t.test('a machine that says nothing', async (t) => {
  const root = t.testdir({ etc: { 'os-release': 'rubbish\n=\n' } });
  const system = new System({ root, stateDir: join(root, 'none'), transferred });
  t.match(await system.current(), {
    model: null,
    firmware: { name: null, version: null, build: null },
    memory: { totalBytes: 0, availableBytes: 0 },
    temperatures: [],
  });
  t.equal(ticksOf(root), undefined);
  system.record();
  t.match(system.history().samples, [{ busyPercent: null, celsius: null, memoryUsedPercent: 0 }]);
});

t.test('DMI where there is no device tree', async (t) => {
  const dmi = { id: { product_name: 'Standard PC\n' } };
  t.equal(modelOf(t.testdir({ sys: { class: { dmi } } })), 'Standard PC');
  t.same(firmwareOf(t.testdir({})), { name: null, version: null, build: null });
});

t.test('a day is kept, and not more', async (t) => {
  const history = new History();
  const sample = { time: '', busyPercent: 1, memoryUsedPercent: 2, celsius: 3 };
  for (let at = 0; at < 2 * historyBounds.samplesMax; at += 1) {
    history.add(sample, { sentBytes: 1_000 * at, receivedBytes: 10 }, 500 * at);
  }
  const { samples } = history.document;
  t.equal(samples.length, historyBounds.samplesMax);
  t.match(samples.at(-1), { sentBytesPerS: 2_000, receivedBytesPerS: 0 });
  t.equal(samples.length * historyBounds.periodMs, 24 * 3_600_000, 'a day');
});
