// SPDX-License-Identifier: Apache-2.0
// The truncation experiment: what its figures mean, that it cleans up, and, with the real addon
// and engine, that the slow clients count right. The loss itself needs kernel TLS: docs/DOCTOR.md.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import t from 'tap';
import { newApparatus } from '../../../src/commands/doctor-apparatus.js';
import {
  type Apparatus,
  brokenOff,
  conditions,
  type HalfFigures,
  judge,
  runExperiment,
} from '../../../src/doctor/experiment.js';
import { loadNative } from '../../../src/engine/native.js';

const whole: HalfFigures = {
  complete: 32,
  truncated: 0,
  failed: 0,
  unfinished: 0,
  notPromoted: 0,
  missingBytes: 0,
  missingBytesMax: 0,
  durationMs: 2_000,
};
const engine = { promoted: 32, aborted: 0, pendingBytesMax: 150_000 };

t.test('what the figures mean', async (t) => {
  const levels = (naive: Partial<HalfFigures>, spliced: Partial<HalfFigures & typeof engine>) =>
    judge({
      conditions,
      naive: { ...whole, ...naive },
      spliced: { ...whole, ...engine, ...spliced },
    }).map(({ level, title }) => [level, title]);
  const bad = { complete: 10, truncated: 22, missingBytes: 700_000, missingBytesMax: 45_000 };
  t.match(levels(bad, {}), [
    ['info', /truncated 22 of 32/],
    ['ok', /32 of 32 downloads whole/],
  ]);
  t.match(levels({}, bad), [
    ['info', /truncated nothing this time/],
    ['problem', /lost 22 of 32/],
  ]);
  t.match(levels({ complete: 0, notPromoted: 32, failed: 32 }, { complete: 31, failed: 1 }), [
    ['warning', /could not be measured/],
    ['problem', /lost 1 of 32/],
  ]);
  t.match(levels({ complete: 30, unfinished: 2 }, { complete: 30, unfinished: 2 }), [
    ['info', /did not finish in time/],
    ['warning', /delivered 30 of 32 downloads in the time/],
  ]);
  const [naive] = judge({
    conditions,
    naive: { ...whole, ...bad },
    spliced: { ...whole, ...engine },
  });
  t.match(naive?.advice, /SPLICED_KERNEL_TLS_CLOSE/, 'what would mend it for other servers');
  t.match(brokenOff('no thread'), { level: 'problem', detail: 'no thread.' });
  t.match(levels({}, { promoted: 0 })[1], ['warning', /Only 0 of 32 connections had kernel TLS/]);
});

t.test('both halves get the same body, and nothing stays', async (t) => {
  const calls: [number, number][] = [];
  let body = '';
  let stops = 0;
  const signals = process.listenerCount('SIGINT');
  const apparatus: Apparatus = {
    slowClients: async (port, file) => {
      calls.push([port, statSync(file).size]);
      body = file;
      return whole;
    },
    startService: async (root) => {
      t.equal(root, dirname(body));
      const stop = async () => {
        stops += 1;
        return engine;
      };
      return { port: 8443, stop };
    },
  };
  t.match(await runExperiment(apparatus), { naive: whole, spliced: { ...whole, ...engine } });
  t.same(calls, [
    [0, conditions.bodyBytes],
    [8443, conditions.bodyBytes],
  ]);
  t.notOk(existsSync(dirname(body)));
  const broken: Apparatus = {
    ...apparatus,
    slowClients: async (port, file) => {
      if (port !== 0) throw new Error('out of threads');
      return apparatus.slowClients(port, file, 1);
    },
  };
  await t.rejects(runExperiment(broken), /out of threads/);
  t.equal(stops, 2, 'the engine is stopped all the same');
  t.notOk(existsSync(dirname(body)));
  t.equal(process.listenerCount('SIGINT'), signals);
});

t.test('slow clients against a real engine', async (t) => {
  const { slowClients, startService } = await newApparatus(loadNative());
  const root = t.testdir({ body: Buffer.alloc(conditions.bodyBytes, 'spliced ') });
  const running = await startService(root);
  const figures = await slowClients(running.port, `${root}/body`, 30_000);
  t.match(figures, { ...whole, durationMs: Number }, JSON.stringify(figures));
  t.match(await running.stop(), { aborted: 0 });
});

t.test('a body that is too short counts as truncated', async (t) => {
  const { slowClients, startService } = await newApparatus(loadNative());
  const missing = 12_345;
  const root = t.testdir({ body: Buffer.alloc(conditions.bodyBytes - missing) });
  const running = await startService(root);
  const figures = await slowClients(running.port, `${root}/body`, 30_000);
  const { downloads } = conditions;
  t.match(figures, {
    complete: 0,
    truncated: downloads,
    missingBytes: downloads * missing,
    missingBytesMax: missing,
  });
  await running.stop();
});

t.test('time that is over, and a port with nobody', async (t) => {
  const { slowClients, startService } = await newApparatus(loadNative());
  const root = t.testdir({ body: Buffer.alloc(conditions.bodyBytes) });
  const running = await startService(root);
  const figures = await slowClients(running.port, `${root}/body`, 1);
  t.match(figures, { complete: 0, unfinished: conditions.downloads });
  const { port } = running;
  await running.stop();
  t.match(await slowClients(port, `${root}/body`, 5_000), { failed: conditions.downloads });
});

t.test('the naive server drops what the kernel does not take', async (t) => {
  const module = loadNative();
  const { attachable } = JSON.parse(module.boardReport()).kernelTls;
  const { slowClients } = await newApparatus(module);
  const root = t.testdir({ body: Buffer.alloc(conditions.bodyBytes) });
  const figures = await slowClients(0, `${root}/body`, 8_000);
  const { complete, truncated, failed, unfinished, notPromoted } = figures;
  t.equal(complete + truncated + failed + unfinished, conditions.downloads);
  t.equal(notPromoted, attachable ? 0 : conditions.downloads, JSON.stringify(figures));
  await t.rejects(slowClients(0, `${root}/absent`, 1_000), /cannot read .*absent: No such file/);
});

t.test('options of the addon are checked', async (t) => {
  const { reproduceTruncation } = loadNative();
  const options = { ...conditions, port: 0, file: '/', timeoutMs: 1, certificates: [] };
  for (const change of [
    { port: 65_536 },
    { downloads: 0 },
    { parallel: 33 },
    { timeoutMs: 60_001 },
  ]) {
    const [name = ''] = Object.keys(change);
    t.throws(() => reproduceTruncation({ ...options, ...change }), {
      code: 'EINVAL_OPTION',
      message: new RegExp(name),
    });
  }
  t.throws(() => reproduceTruncation(options), { message: /certificates/ });
});

t.test('the experiment names its buffers as native/ bounds them', async (t) => {
  const source = readFileSync('native/seam/experiment.cpp', 'utf8');
  const bound = (name: string) => Number(new RegExp(`${name} = (\\d+)`).exec(source)?.[1]);
  t.ok(conditions.downloads <= bound('kDownloadsMax'));
  t.ok(conditions.parallel <= bound('kParallelMax'));
});
