// SPDX-License-Identifier: Apache-2.0
// What a device says of itself that this machine is not: an i.MX 8M with CAAM under some load, with
// two slots and RAUC. For the fake device of the tests and the pictures in the documents.

import type {
  CertificateEntry,
  HistorySample,
  Status,
  SystemDocument,
  Update,
} from '../../ui/documents.js';
import { http2, signatures } from '../status-parts.js';

const dayMs = 24 * 3_600_000;

export function certificatesOf(daysLeft: number): CertificateEntry[] {
  const notAfter = new Date(Date.now() + daysLeft * dayMs).toISOString();
  return [
    {
      source: 'enrolment',
      subject: 'CN=gateway.plant.example,O=Example',
      sans: ['DNS:gateway.plant.example', 'DNS:gateway.local', 'IP Address:192.0.2.7'],
      fingerprint: `${'A1:5C:07:3F:'.repeat(7)}9B:44:E0:12`,
      isSelfSigned: false,
      notAfter,
      daysLeft,
      warning: daysLeft > 30 ? null : `ends in ${daysLeft} days`,
      lastError: null,
    },
    {
      source: 'device',
      subject: 'CN=imx8mp-gateway',
      sans: ['DNS:imx8mp-gateway', 'DNS:imx8mp-gateway.local', 'DNS:localhost'],
      fingerprint: `${'75:F9:10:A6:'.repeat(7)}3A:00:36:7E`,
      isSelfSigned: false,
      notAfter: new Date(Date.now() + 301 * dayMs).toISOString(),
      daysLeft: 301,
      warning: null,
      lastError: null,
    },
  ];
}

/** Load that goes up and down, the same in every run. */
const load = (second: number): number =>
  21 + 9 * Math.sin(second / 7) + 6 * Math.sin(second / 2.3) + (second % 29 < 6 ? 11 : 0);

/** After so many seconds; all counters grow with them. */
export function statusOf(second: number): Status {
  let sentMib = 51_200;
  for (let at = 0; at <= second; at += 1) sentMib += load(at);
  const sent = Math.round(sentMib * 2 ** 20);
  const pending = Math.round((load(second) - 8) * 18_000);
  return {
    version: '0.1.0',
    uptimeMs: 6 * dayMs + 14_000_000 + second * 1000,
    ring: { backend: 'io_uring' },
    offload: {
      mode: 'auto',
      suspended: '',
      kernel: 'available',
      keyUpdates: true,
      driver: { name: 'gcm-aes-caam', async: true },
      promoted: { 'TLSv1.3 AES-128-GCM': 18_204 + second, 'TLSv1.2 AES-128-GCM': 611 },
      fallbacks: { off_by_configuration: 0, kernel_has_no_tls: 0, peer_closed: 14 },
      cipherFailures: { encrypt: 0, decrypt: 0 },
    },
    engines: {
      count: 4,
      replaced: 0,
      hanging: 0,
      each: [2, 1, 2, 2].map((connections, id) => ({
        id,
        connections,
        accepted: 9,
        requests: 40,
        bytesSent: 4096,
        bytesReceived: 512,
        pendingBytes: 0,
      })),
    },
    connections: {
      accepted: 18_829 + second,
      shed: 0,
      evicted: 0,
      open: 41,
      byState: {
        handshake: 1,
        read_head: 26,
        read_body: 0,
        open_file: 0,
        respond: 1,
        splice: 10,
        close_notify: 0,
        settle: 2,
        linger: 1,
        join: 0,
      },
    },
    requests: {
      total: 214_002 + 9 * second,
      byStatus: { 200: 166_310 + 9 * second, 206: 41_702, 304: 5_871, 404: 119 },
    },
    bytes: {
      plaintextSent: sent,
      spliced: Math.round(sent * 0.97),
      received: 88_000_000 + second * 3 * 2 ** 20,
    },
    tls: {
      handshakes: { full: 4_120, resumed: 14_709 + second },
      groups: { X25519MLKEM768: 16_829 + second, 'P-256': 2_000 },
      failures: { timeout: 3, not_tls: 2 },
      alertsSent: 2,
      controlRecords: 12,
      recordLimitCloses: 0,
      keyUpdates: { received: 0, sent: 0 },
      floods: { records_without_data: 0, answers_unread: 0, renegotiation: 0 },
      signatures,
    },
    http2,
    clientCertificates: { verified: 0, missing: 0, refused: {} },
    upstreams: {
      open: 4,
      idle: 3,
      opened: 61,
      reused: 5_204,
      retries: 0,
      webSockets: 1,
      webSocketsEver: 17,
      failures: {},
      checksPassed: 0,
      checksRemembered: 0,
      checksDenied: 0,
      checksFailed: 0,
      handedOver: 0,
      handOverFailures: {},
    },
    pending: {
      bytes: Math.max(pending, 0),
      bytesMax: 252_104,
      windowBytes: 262_144,
      pauses: 3_310 + second,
      pushes: 0,
      stuck: 0,
      stuckEver: 0,
      contradictions: 0,
    },
    drains: {
      drained: 18_774 + second,
      aborted: 0,
      peerGone: 9,
      inProgress: 3,
      maxMs: 612,
      abortedIn: {},
    },
    files: { open: 112, hits: 210_411, misses: 3_591, coldFills: 1_204 },
    canary: { ok: 9_514, failed: 0, lastMs: 14, lastError: '', lastCipher: 'kernel' },
    watchdog: { missing: [] },
    accelerator: { suspended: false, reason: '' },
    certificates: certificatesOf(74),
    configuration: ['/etc/spliced/spliced.toml'],
  };
}

export function systemOf(second: number): SystemDocument {
  const gibibyte = 2 ** 30;
  return {
    hostname: 'gateway-7',
    model: 'NXP i.MX8MPlus EVK board',
    firmware: { name: 'Example Gateway', version: '2026.10.2', build: '20261014.3' },
    kernel: '6.12.34-lts',
    time: new Date().toISOString(),
    uptimeMs: 6 * dayMs + 14_100_000 + second * 1000,
    processor: { cores: 4, busyPercent: 22 + 9 * Math.sin(second / 7), load: [0.84, 0.71, 0.66] },
    memory: { totalBytes: 1.9 * gibibyte, availableBytes: 1.27 * gibibyte },
    storage: [
      { name: 'system', totalBytes: 0.98 * gibibyte, freeBytes: 0.31 * gibibyte },
      { name: 'data', totalBytes: 11.6 * gibibyte, freeBytes: 9.24 * gibibyte },
    ],
    temperatures: [
      { name: 'cpu-thermal', celsius: 52.4 + 3 * Math.sin(second / 11) },
      { name: 'soc-thermal', celsius: 50.1 },
    ],
  };
}

/** A day that ends now. */
export function historyOf(): HistorySample[] {
  return Array.from({ length: 288 }, (_, at) => ({
    time: new Date(Date.now() - (288 - at) * 300_000).toISOString(),
    busyPercent: 24 + 14 * Math.sin(at / 40) + 4 * Math.sin(at / 3),
    sentBytesPerS: Math.round((9 + 8 * Math.sin(at / 40) + Math.sin(at / 2)) * 2 ** 20),
    receivedBytesPerS: at % 96 < 4 ? 5 * 2 ** 20 : 40_000,
    memoryUsedPercent: 33 + (at % 144) / 20,
    celsius: 51,
  }));
}

export function idleUpdate(): Update {
  return {
    adapter: 'rauc',
    state: 'idle',
    upload: null,
    bundle: null,
    waiting: null,
    begunBy: null,
    progress: null,
    error: null,
    compatible: 'example-gateway',
    slots: [
      { name: 'rootfs.0', bootname: 'A', state: 'booted', status: 'good', version: '2026.10.2' },
      { name: 'rootfs.1', bootname: 'B', state: 'inactive', status: 'good', version: '2026.09.0' },
    ],
    restartNeeded: false,
    bootId: '6d0c2c0e-7f0e-4a51-9f68-0d9a1e7f1a01',
    build: 'b1',
  };
}

const line = (secondsAgo: number, level: string, event: string, fields: object): string =>
  JSON.stringify({
    level,
    time: new Date(Date.now() - secondsAgo * 1000).toISOString(),
    event,
    ...fields,
  });

export const logLines = (): string[] => [
  line(5210, 'info', 'certificate', { source: 'enrolment', notAfter: '2027-02-07T09:12:00.000Z' }),
  line(5209, 'info', 'started', { ring: 'io_uring', reason: 'single_issuer, defer_taskrun' }),
  line(5209, 'info', 'ready', { version: '0.1.0', urls: ['https://192.0.2.7/'] }),
  line(3120, 'warn', 'handshakes_failed', { timeout: 3, not_tls: 2, intervalMs: 60_000 }),
  line(1802, 'info', 'api_changed', { who: 'token', path: '/certificates/renewal', status: 202 }),
  line(1795, 'info', 'certificate_changed', { source: 'enrolment' }),
  line(611, 'warn', 'api_token_refused', { address: '192.0.2.99' }),
  line(44, 'info', 'reloaded', { applied: ['log.level'], restart_required: [] }),
];
