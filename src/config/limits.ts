// SPDX-License-Identifier: Apache-2.0
// The tables [limits] and [timeouts] (part of schema.ts). Defaults and bounds follow
// native/base/limits.hpp, which a unit test compares.

import type { Setting, SettingTable } from './setting.js';

const timeoutMsMax = 24 * 3_600_000;

const timeout = (env: string, fallback: number, doc: string, more: Partial<Setting> = {}) => ({
  doc,
  format: 'whole number',
  default: fallback,
  env,
  min: 1,
  max: timeoutMsMax,
  ...more,
});

export const limitsTable = {
  connections_max: {
    doc:
      'Connections at a time. When all places are taken, a new connection replaces the one ' +
      'that has been idle longest, or one that has sent no request for 2 s; if there is none, ' +
      'the new one is refused. See docs/LIMITS.md.',
    format: 'whole number',
    default: 512,
    env: 'SPLICED_CONNECTIONS_MAX',
    min: 1,
    max: 65535,
  },
  connections_per_address_max: {
    doc:
      'Connections of one client address at a time: an IPv4 address, or the /64 of an IPv6 ' +
      'address. A site behind NAT is one address, and a browser opens up to six connections.',
    format: 'whole number',
    default: 256,
    env: 'SPLICED_CONNECTIONS_PER_ADDRESS_MAX',
    min: 1,
    max: 65535,
  },
  handshakes_max: {
    doc:
      'Connections in their TLS handshake at a time. A handshake costs memory (about 60 KiB) ' +
      'and most of the CPU time.',
    format: 'whole number',
    default: 256,
    env: 'SPLICED_HANDSHAKES_MAX',
    min: 1,
    max: 65535,
  },
  requests_per_connection_max: {
    doc: 'Requests of one connection, after which it ends; the last response says so.',
    format: 'whole number',
    default: 10_000,
    env: 'SPLICED_REQUESTS_PER_CONNECTION_MAX',
    min: 1,
    max: 1_000_000_000,
  },
  streams_max: {
    doc:
      'Requests of one HTTP/2 connection at a time. Further ones are refused, and the client ' +
      'may send them again.',
    format: 'whole number',
    default: 64,
    env: 'SPLICED_STREAMS_MAX',
    min: 1,
    max: 256,
  },
  head_bytes_max: {
    doc: 'Bytes of a request head, with its cookies; a longer one gets 431.',
    format: 'whole number',
    default: 16_384,
    env: 'SPLICED_HEAD_BYTES_MAX',
    min: 512,
    max: 73_728,
  },
  target_bytes_max: {
    doc: 'Bytes of a request target (path and query); a longer one gets 414.',
    format: 'whole number',
    default: 4096,
    env: 'SPLICED_TARGET_BYTES_MAX',
    min: 64,
    max: 4096,
  },
  header_fields_max: {
    doc: 'Header fields of a request; one with more gets 431.',
    format: 'whole number',
    default: 64,
    env: 'SPLICED_HEADER_FIELDS_MAX',
    min: 8,
    max: 256,
  },
  response_head_bytes_max: {
    doc:
      "Bytes of the head of an application's response behind a proxy route, with its cookies; " +
      'for a longer one the client gets 502.',
    format: 'whole number',
    default: 32_768,
    env: 'SPLICED_RESPONSE_HEAD_BYTES_MAX',
    min: 4096,
    max: 73_728,
  },
  discarded_body_bytes_max: {
    doc:
      'Bytes of a request body that nobody asked for. Such a body is read and discarded up to ' +
      'this size on the wire; a larger one ends the connection after the response.',
    format: 'whole number',
    default: 64 * 1024,
    env: 'SPLICED_DISCARDED_BODY_BYTES_MAX',
    min: 0,
    max: 16 * 1024 * 1024,
  },
  send_rate_min_bytes_per_s: {
    doc:
      'The lowest rate at which a client may acknowledge a response, measured over ' +
      '`timeouts.stall_ms`. A slower client is disconnected. 0: one byte in that time is ' +
      'enough.',
    format: 'whole number',
    default: 256,
    env: 'SPLICED_SEND_RATE_MIN_BYTES_PER_S',
    min: 0,
    max: 1024 * 1024,
  },
  pending_window_bytes: {
    doc: 'Bytes pending in the TLS layer of one connection at which its transfer pauses.',
    format: 'whole number',
    default: 256 * 1024,
    env: 'SPLICED_PENDING_WINDOW_BYTES',
    min: 128 * 1024,
    max: 1024 * 1024 * 1024,
  },
} as const satisfies SettingTable;

export const timeoutsTable = {
  handshake_ms: timeout('SPLICED_HANDSHAKE_TIMEOUT_MS', 10_000, 'For the whole TLS handshake.'),
  head_ms: timeout('SPLICED_HEAD_TIMEOUT_MS', 15_000, 'For a request head, from its first byte.'),
  request_ms: timeout(
    'SPLICED_REQUEST_TIMEOUT_MS',
    30_000,
    'For a whole request, head and body, from its first byte.',
  ),
  idle_ms: timeout(
    'SPLICED_IDLE_TIMEOUT_MS',
    60_000,
    'For the next request of an idle connection.',
  ),
  stall_ms: timeout(
    'SPLICED_STALL_TIMEOUT_MS',
    30_000,
    'The time over which `limits.send_rate_min_bytes_per_s` is measured; the client must acknowledge at least one byte in it.',
  ),
  drain_ms: timeout(
    'SPLICED_DRAIN_TIMEOUT_MS',
    600_000,
    'For a whole drain, whether it makes progress or not.',
  ),
  linger_ms: timeout(
    'SPLICED_LINGER_TIMEOUT_MS',
    5_000,
    "For the peer's end of stream, after ours was sent.",
  ),
  stop_ms: timeout(
    'SPLICED_STOP_TIMEOUT_MS',
    30_000,
    'For active responses to finish when the server stops.',
    { min: 0, isLive: true },
  ),
} as const satisfies SettingTable;
