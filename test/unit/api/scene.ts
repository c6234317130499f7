// SPDX-License-Identifier: Apache-2.0
// The API's server on real sockets, with a service that does nothing but note what it was asked.

import { join } from 'node:path';
import type { Test } from 'tap';
import { Access } from '../../../src/api/access.js';
import { People } from '../../../src/api/people/people.js';
import { ApiServer } from '../../../src/api/server.js';
import type { ApiService, PendingRequest } from '../../../src/api/service.js';
import { GuessThrottle } from '../../../src/api/throttle.js';
import { Events } from '../../../src/base/events.js';
import type { Log } from '../../../src/log/log.js';
import { LogTail } from '../../../src/log/tail.js';
import { statusJson } from './status.js';

export const certificate = {
  source: 'device',
  subject: 'CN=gate',
  sans: ['DNS:gate'],
  fingerprint: 'AB:CD',
  isSelfSigned: false,
  notBefore: '2026-01-01T00:00:00.000Z',
  notAfter: '2027-01-01T00:00:00.000Z',
  daysLeft: 100,
  warning: null,
  lastError: null,
};

export const updateState = {
  adapter: 'rauc',
  state: 'installing',
  upload: { name: 'next.raucb', length: 10, offset: 5 },
  bundle: {
    name: 'bundle.raucb',
    length: 123_456,
    sha256: 'ab'.repeat(32),
    compatible: 'gate',
    version: '2',
    description: null,
  },
  waiting: null,
  begunBy: 'spliced',
  progress: { percent: 40, message: 'Copying image to rootfs.1' },
  error: null,
  compatible: 'gate',
  slots: [
    { name: 'rootfs.0', bootname: 'A', state: 'booted', status: 'good', version: null },
    { name: 'rootfs.1', bootname: 'B', state: 'inactive', status: 'unknown', version: '1' },
  ],
  restartNeeded: false,
  bootId: '8f7e1b8e-0000-4000-8000-000000000000',
  build: 'abc',
};

const systemFigures = {
  hostname: 'gate',
  model: 'Board',
  firmware: { name: 'Example', version: '1', build: null },
  kernel: '6.12.0',
  time: '2026-01-01T00:00:00.000Z',
  uptimeMs: 1_000,
  processor: { cores: 4, busyPercent: 12.5, load: [0.1, 0.2, 0.3] },
  memory: { totalBytes: 1_000, availableBytes: 400 },
  storage: [{ name: 'system', totalBytes: 1_000, freeBytes: 100 }],
  temperatures: [{ name: 'cpu-thermal', celsius: 48.5 }],
};

const historySample = {
  time: '2026-01-01T00:00:00.000Z',
  busyPercent: null,
  sentBytesPerS: 12,
  receivedBytesPerS: null,
  memoryUsedPercent: 60,
  celsius: null,
};

export interface Scene {
  directory: string;
  local: string;
  proxy: string;
  /** What the service was asked to do. */
  calls: unknown[][];
  lines: Record<string, unknown>[];
  tail: LogTail;
  events: Events;
  server: ApiServer;
  people: People;
  /** Moves every clock on. */
  pass(ms: number): void;
}

function fakeService(calls: unknown[][], own: Partial<ApiService>): ApiService {
  const note = (...call: unknown[]): void => void calls.push(call);
  let pending: PendingRequest | undefined;
  return {
    status: () => statusJson,
    system: {
      current: async () => systemFigures,
      history: () => ({ periodMs: 300_000, samples: [historySample] }),
    },
    certificates: {
      list: () => ({ served: [certificate], waiting: [{ source: 'enrolment', lastError: null }] }),
      install: async (chain, privateKey) => {
        note('install', chain, privateKey);
        const kind = chain === 'bad' ? 'bad' : 'warning';
        if (chain === 'orphan') return undefined;
        return { isInstalled: kind !== 'bad', findings: [{ kind, text: 'something is odd' }] };
      },
      uninstall: async () => {
        note('uninstall');
        return calls.filter(([name]) => name === 'uninstall').length === 1;
      },
      refusalOf: (names) => (names.includes('!') ? '"!" is no name' : undefined),
      request: async (names) => {
        note('request', names);
        if (pending !== undefined) return undefined;
        pending = { request: 'PEM', names: [...names], madeAt: '2026-01-01T00:00:00.000Z' };
        return pending;
      },
      pending: () => pending,
      giveUp: async () => {
        pending = undefined;
      },
      renew: async () => {
        note('renew');
        return ['device'];
      },
      authority: () => '-----BEGIN CERTIFICATE-----\n',
    },
    configuration: {
      effective: () =>
        JSON.stringify({
          files: [],
          settings: { root: { value: 'x', origin: { kind: 'default' } } },
        }),
      check: async (toml) => {
        note('check', toml);
        return { errors: [{ line: 1, key: 'rooot', message: 'no such key' }], warnings: [] };
      },
      reload: async () => {
        note('reload');
        return { errors: [], applied: ['log.level'], restartRequired: [] };
      },
    },
    drain: () => note('drain'),
    device: {
      current: () => ({ state: 'running', draining: false, error: null, bootId: 'boot' }),
      ask: async (action) => {
        note('device', action);
        return calls.filter(([name]) => name === 'device').length > 2 ? 'Not now.' : undefined;
      },
    },
    update: {
      current: async () => updateState,
      install: async (file) => {
        note('install update', file);
        return file === 'none' ? 'There is nothing to install.' : undefined;
      },
      restart: async () => {
        note('restart');
        return calls.filter(([name]) => name === 'restart').length > 1 ? 'It restarts.' : undefined;
      },
      mark: async (slot, mark) => {
        note('mark', slot, mark);
        return { isMarked: slot !== 'none', message: `marked ${slot} as ${mark}` };
      },
    },
    uploads: {
      state: async () => ({ name: 'bundle', length: 5, offset: 3 }),
      begin: async ({ name, length, sha256 }) => {
        note('begin', name, length, sha256);
        const refusals = ['bad', 'busy', 'too long', 'no space'];
        if (refusals.includes(name)) throw Object.assign(new Error(`${name}.`), { kind: name });
        return { path: '/.spliced/upload/abc', length, offset: 3 };
      },
      giveUp: async () => {
        note('giveUp');
        return calls.filter(([name]) => name === 'giveUp').length === 1;
      },
    },
    ...own,
  };
}

export interface SceneOptions {
  administrators?: string[];
  service?: Partial<ApiService>;
  makersCode?: string;
  applicationStreamMs?: number;
}

export async function startScene(t: Test, options: SceneOptions = {}): Promise<Scene> {
  const directory = t.testdir();
  const calls: unknown[][] = [];
  const lines: Record<string, unknown>[] = [];
  const note = (line: object): void => void lines.push({ ...line });
  const log = { info: note, warn: note, error: note } as unknown as Log;
  let nowMs = 0;
  const people = new People({
    stateDir: directory,
    log,
    makersCode: options.makersCode,
    clocks: { nowMs: () => nowMs, wallMs: () => 1_800_000_000_000 + nowMs },
    cost: { n: 2 ** 14, r: 8, p: 1 },
  });
  const access = new Access({
    stateDir: directory,
    people,
    administrators: () => options.administrators ?? [],
    warn: note,
    throttle: new GuessThrottle(() => nowMs),
  });
  const tail = new LogTail();
  const events = new Events();
  const service = fakeService(calls, options.service ?? {});
  const { applicationStreamMs } = options;
  const server = new ApiServer({
    runDir: directory,
    service,
    access,
    people,
    log,
    tail,
    events,
    ...(applicationStreamMs === undefined ? {} : { applicationStreamMs }),
  });
  await server.start();
  t.teardown(() => server.close());
  const [local, proxy] = ['api.sock', 'proxy.sock'].map((name) => join(directory, name));
  return {
    directory,
    local: local ?? '',
    proxy: proxy ?? '',
    calls,
    lines,
    tail,
    events,
    server,
    people,
    pass: (ms) => {
      nowMs += ms;
    },
  };
}
