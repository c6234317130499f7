// SPDX-License-Identifier: Apache-2.0
// The stand-in for CAAM (../caam-standin) in this guest: loads it, sets its parameters, reads its
// counters. Used by standin.mjs.
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from './guest.mjs';

const directory = '/sys/module/caam_standin/parameters';

const defaults = {
  latency_us: 100,
  jitter_us: 0,
  ring_depth: 497,
  serial: 'Y',
  reorder: 'N',
  late: 'Y',
  stall: 'N',
  fail_ppm: 0,
  refuse_ppm: 0,
  corrupt_ppm: 0,
};

export const load = (module) => run('insmod', [module]);

/** What is not named gets its default. */
export function set(parameters) {
  for (const [name, value] of Object.entries({ ...defaults, ...parameters })) {
    writeFileSync(`${directory}/${name}`, String(value));
  }
}

const counterNames = ['submitted', 'failed', 'refused', 'corrupted', 'backlogged', 'no_space'];

const read = (name) => Number(readFileSync(`${directory}/${name}`, 'utf8'));

/**
 * What `use` made the engine do, beside what it returns; `inflight` is 0 once all came back. The last
 * record of a connection may be read after its client has gone, so counts may be a few of the next.
 */
export async function counted(use) {
  const before = counterNames.map(read);
  const result = await use();
  let inflight = read('inflight');
  for (let tries = 0; inflight > 0 && tries < 100; tries += 1) {
    await sleep(20);
    inflight = read('inflight');
  }
  const counts = counterNames.map((name, index) => [name, read(name) - before[index]]);
  return { ...result, engine: { ...Object.fromEntries(counts), inflight } };
}
