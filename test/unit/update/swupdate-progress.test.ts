// SPDX-License-Identifier: Apache-2.0
// `swupdate-progress` in the background: what of its words counts, that it is started again when it has
// ended, and not when the service stops. With a program in its place.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { SwupdateProgress } from '../../../src/update/adapters/swupdate-progress.js';

const path = process.env.PATH;
t.teardown(() => {
  process.env.PATH = path;
});

function start(t: Test, program: string, retryMs?: number) {
  const directory = t.testdir();
  const text = `#!/bin/sh\necho x >>"$(dirname "$0")/starts"\n${program}`;
  writeFileSync(join(directory, 'swupdate-progress'), text, { mode: 0o755 });
  process.env.PATH = `${directory}:/usr/bin:/bin`;
  const told: unknown[] = [];
  const events = {
    onStep: (percent: number) => void told.push(percent),
    onResult: (result: string) => void told.push(result),
    onEnd: (reason: string) => void told.push(reason),
  };
  const progress = new SwupdateProgress(events, retryMs);
  t.teardown(() => progress.close());
  const starts = (): number => {
    const file = join(directory, 'starts');
    return existsSync(file) ? readFileSync(file, 'utf8').length / 2 : 0;
  };
  return { progress, told, starts };
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await sleep(5);
}

t.test('steps, all in all, and results', async (t) => {
  const { progress, told } = start(
    t,
    `printf '[--] 1 of 0 0%% (), dwl 0%%\\r[==] 1 of 4 50%% (x), dwl 0%%\\r[==] 4 of 4 100%% (x)\\r'
     printf '[==] 0 of 4 10%% (x)\\r[==] 9 of 4 100%% (x)\\nresult SUCCESS\\nresult MAYBE\\n[--] x of y\\nresult FAILURE\\n'
     exec sleep 600`,
  );
  progress.start();
  progress.start();
  await until(() => told.includes('FAILURE'));
  t.same(told, [0, 13, 100, 0, 100, 'SUCCESS', 'FAILURE']);
});

t.test('it ends, and is started again; once at a time', async (t) => {
  const { progress, told, starts } = start(t, 'exit 0', 5);
  progress.start();
  t.not(progress.startedMs, undefined);
  await until(() => starts() > 2);
  t.equal(told[0], 'swupdate-progress has ended');
  progress.close();
});

t.test('behind a stop it neither starts nor tells', async (t) => {
  const { progress, told, starts } = start(t, 'exec sleep 600', 5);
  progress.start();
  await until(() => starts() === 1);
  progress.close();
  await until(() => progress.startedMs === undefined);
  progress.start();
  t.equal(progress.startedMs, undefined);
  t.same([told, starts()], [[], 1]);
});
