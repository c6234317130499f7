// SPDX-License-Identifier: Apache-2.0
// The configuration: precedence, bounds, one-line errors; and that its defaults are the ones of the
// data plane and its names the documented ones.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import t from 'tap';
import { readConfiguration, schema } from '../../src/config/configuration.js';
import { StartError } from '../../src/start-error.js';

t.test('defaults', async (t) => {
  const configuration = readConfiguration({}, {});
  t.match(configuration, {
    root: resolve('public'),
    stateDir: resolve('state'),
    listeners: [{ address: '0.0.0.0', port: 8443 }],
    tlsOffload: 'auto',
    ring: 'auto',
    logLevel: 'info',
  });
  t.equal(configuration.files, undefined);
});

t.test('the command line wins over the environment, which wins over the default', async (t) => {
  const env = { SPLICED_ROOT: '/srv/env', SPLICED_STATE_DIR: '/srv/state' };
  const configuration = readConfiguration({ root: '/srv/option' }, env);
  t.equal(configuration.root, '/srv/option');
  t.equal(configuration.stateDir, '/srv/state');
});

t.test('several addresses, by options and by environment', async (t) => {
  const both = [
    { address: '127.0.0.1', port: 1 },
    { address: '::1', port: 2 },
  ];
  t.same(readConfiguration({ listen: ['127.0.0.1:1', '[::1]:2'] }, {}).listeners, both);
  t.same(readConfiguration({}, { SPLICED_LISTEN: '127.0.0.1:1,[::1]:2' }).listeners, both);
});

t.test('both certificate options or none', async (t) => {
  const options = { certificate: 'a.pem', 'private-key': 'b.pem' };
  t.same(readConfiguration(options, {}).files, {
    certificate: resolve('a.pem'),
    privateKey: resolve('b.pem'),
  });
  for (const name of ['certificate', 'private-key']) {
    t.throws(() => readConfiguration({ [name]: 'a.pem' }, {}), /must be given together/);
  }
});

t.test('numbers from the environment, at their bounds', async (t) => {
  const numeric = Object.entries(schema).filter(([, entry]) => entry.format === 'whole number');
  t.equal(numeric.length, 9);
  for (const [key, entry] of numeric) {
    const { env, min, max } = entry as { env: string; min: number; max: number };
    for (const value of [min, max]) {
      const configuration = readConfiguration({}, { [env]: String(value) });
      t.equal(configuration[key as 'stopTimeoutMs'], value, `${env}=${value}`);
    }
    for (const value of [String(min - 1), String(max + 1), 'x', '', '1.5', '0x10', ' 1']) {
      const bounds = new RegExp(`^${env}: must be a whole number from ${min} to ${max}`);
      t.throws(() => readConfiguration({}, { [env]: value }), bounds, `${env}="${value}"`);
    }
  }
});

t.test('every refusal is a StartError of one line that names what the user typed', async (t) => {
  const cases: [Record<string, string | string[]>, NodeJS.ProcessEnv, RegExp][] = [
    [{ listen: ['x'] }, {}, /^--listen: "x" is not ADDRESS:PORT, such as [^:]+:8443 or [^ ]+$/],
    [{}, { SPLICED_LISTEN: 'x' }, /^SPLICED_LISTEN: "x" is not/],
    [{ listen: Array(9).fill('127.0.0.1:0') }, {}, /^--listen: needs 1 to 8 addresses$/],
    [{ root: '' }, {}, /^--root: must be a path/],
    [{ 'state-dir': '' }, {}, /^--state-dir: must be a path/],
    [{ 'tls-offload': 'on' }, {}, /^--tls-offload: must be one of .*auto.*off/],
    [{}, { SPLICED_RING: 'poll' }, /^SPLICED_RING: must be one of/],
    [{}, { SPLICED_LOG_LEVEL: 'loud' }, /^SPLICED_LOG_LEVEL: must be one of/],
    [{ root: '' }, { SPLICED_RING: 'poll' }, /^--root|^SPLICED_RING/],
  ];
  for (const [options, env, expected] of cases) {
    try {
      readConfiguration(options, env);
      t.fail(`accepted ${JSON.stringify([options, env])}`);
    } catch (error) {
      t.ok(error instanceof StartError);
      t.match((error as Error).message, expected);
      t.notMatch((error as Error).message, /\n/);
    }
  }
});

t.test('the defaults are those of native/base/limits.hpp', async (t) => {
  const limits = readFileSync('native/base/limits.hpp', 'utf8');
  const limitOf = (name: string): number => {
    const text = new RegExp(`\\b${name} = ([^;]+);`).exec(limits)?.[1] ?? '';
    return text.split('*').reduce((product, factor) => {
      return product * Number(factor.replaceAll("'", ''));
    }, 1);
  };
  const names = {
    connectionsMax: 'kConnectionsMaxDefault',
    pendingWindowBytes: 'kPendingWindowBytesDefault',
    handshakeTimeoutMs: 'kHandshakeTimeoutMsDefault',
    headTimeoutMs: 'kHeadTimeoutMsDefault',
    idleTimeoutMs: 'kIdleTimeoutMsDefault',
    stallTimeoutMs: 'kStallTimeoutMsDefault',
    drainTimeoutMs: 'kDrainTimeoutMsDefault',
    lingerTimeoutMs: 'kLingerTimeoutMsDefault',
    stopTimeoutMs: 'kStopTimeoutMsDefault',
  } as const;
  for (const [key, name] of Object.entries(names)) {
    t.equal(schema[key as keyof typeof names].default, limitOf(name), name);
  }
  t.equal(schema.connectionsMax.max, limitOf('kConnectionsMaxCeiling'));
});

t.test('docs/CONFIGURATION.md has every variable with its default and bounds', async (t) => {
  const rows = readFileSync('docs/CONFIGURATION.md', 'utf8').split('\n');
  for (const entry of Object.values(schema)) {
    const row = rows.find((line) => line.includes(`\`${entry.env}\``)) ?? '';
    t.not(row, '', `${entry.env} is documented`);
    if ('min' in entry) {
      const { min, max, default: fallback } = entry;
      t.match(row, `| ${fallback} | ${min} to ${max} |`, entry.env);
    }
  }
});
