// SPDX-License-Identifier: Apache-2.0
// A machine made of texts, for the tests of the probes: a healthy board unless a test says
// otherwise. Directories are what the paths of the files imply.

import type {
  Board,
  FileStatus,
  Finding,
  NativeReport,
  Settings,
} from '../../../src/doctor/board.js';

export const buildDateMs = Date.parse('2026-06-01T00:00:00Z');
export const nowMs = Date.parse('2026-11-22T12:00:00Z');

export const healthyNative: NativeReport = {
  kernelTls: {
    tried: true,
    attachable: true,
    reason: '',
    keyUpdates: true,
    ciphers: [
      { version: 'TLSv1.3', cipher: 'AES-128-GCM', tx: true, rx: true, error: '' },
      { version: 'TLSv1.2', cipher: 'AES-128-GCM', tx: true, rx: true, error: '' },
    ],
  },
  ring: { backend: 'io_uring', detail: 'single_issuer, defer_taskrun' },
  randomReady: true,
  clockSynchronised: true,
  pageBytes: 4096,
};

export const settings: Settings = {
  connectionsMax: 512,
  pendingWindowBytes: 262_144,
  stateDir: '/state',
  otherKeys: [],
  served: [
    {
      source: 'device',
      certificate: '/state/certificates/current/certificate.pem',
      privateKey: '/state/certificates/current/private-key.pem',
    },
  ],
};

export interface Machine extends Partial<Omit<Board, 'kernelConfig' | 'native' | 'settings'>> {
  files?: Record<string, string>;
  bytes?: Record<string, Uint8Array>;
  statuses?: Record<string, FileStatus>;
  refusals?: Record<string, string>;
  config?: string;
  native?: Board['native'];
  settings?: Board['settings'];
}

export function boardOf(machine: Machine = {}): Board {
  const { files = {}, bytes = {}, statuses = {}, refusals = {}, config, ...rest } = machine;
  const paths = [...Object.keys(files), ...Object.keys(bytes)];
  return {
    read: (path) => files[path],
    readBytes: (path) => bytes[path],
    list: (path) => {
      const below = paths.filter((name) => name.startsWith(`${path}/`));
      return [...new Set(below.map((name) => name.slice(path.length + 1).split('/')[0] ?? ''))];
    },
    stat: (path) => statuses[path],
    refusal: (path) => refusals[path] ?? (files[path] === undefined ? 'ENOENT' : ''),
    writeRefusal: () => '',
    space: () => ({ bytes: 1 << 30, files: undefined }),
    kernelConfig: () => config,
    env: {},
    pid: 4711,
    uid: 0,
    versions: { node: '20.20.2', openssl: '3.0.19', uv: '1.46.0' },
    nowMs,
    buildDateMs,
    native: healthyNative,
    settings,
    ...rest,
  };
}

/** One entry of /proc/crypto, as crypto/proc.c prints it. */
export function cryptoEntry(
  name: string,
  driver: string,
  { priority = 100, async = 'no', selftest = 'passed', internal = 'no', type = 'aead' } = {},
): string {
  return `name         : ${name}
driver       : ${driver}
module       : kernel
priority     : ${priority}
refcnt       : 1
selftest     : ${selftest}
internal     : ${internal}
type         : ${type}
async        : ${async}
blocksize    : 1
ivsize       : 12
maxauthsize  : 16
geniv        : <none>

`;
}

/** The one finding; a test that expects one fails on none and on two. */
export function only(findings: Finding[]): Finding {
  const [finding] = findings;
  if (finding === undefined || findings.length !== 1) {
    throw new Error(`expected one finding, got ${JSON.stringify(findings)}`);
  }
  return finding;
}
