// SPDX-License-Identifier: Apache-2.0
// The defaults and bounds of the configuration are the ones of the data plane.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { schema, settingsOf } from '../../../src/config/schema.js';

const settings = settingsOf(schema);

t.test('the defaults are those of native/base/limits.hpp', async (t) => {
  const limits = readFileSync('native/base/limits.hpp', 'utf8');
  const limitOf = (name: string): number => {
    const text = new RegExp(`\\b${name} = ([^;]+);`).exec(limits)?.[1] ?? '';
    return text.split('*').reduce((product, factor) => {
      return product * Number(factor.replaceAll("'", ''));
    }, 1);
  };
  const names = {
    'limits.connections_max': 'kConnectionsMaxDefault',
    'limits.connections_per_address_max': 'kConnectionsPerAddressMaxDefault',
    'limits.handshakes_max': 'kHandshakesMaxDefault',
    'limits.requests_per_connection_max': 'kRequestsPerConnectionMaxDefault',
    'limits.streams_max': 'kStreamsMaxDefault',
    'limits.head_bytes_max': 'kHeadBytesMax',
    'limits.response_head_bytes_max': 'kUpstreamHeadBytesMax',
    'limits.target_bytes_max': 'kTargetBytesMax',
    'limits.header_fields_max': 'kHeaderFieldsMax',
    'limits.discarded_body_bytes_max': 'kDiscardedBodyBytesMaxDefault',
    'limits.send_rate_min_bytes_per_s': 'kSendRateMinDefault',
    'timeouts.request_ms': 'kRequestTimeoutMsDefault',
    'limits.pending_window_bytes': 'kPendingWindowBytesDefault',
    'timeouts.handshake_ms': 'kHandshakeTimeoutMsDefault',
    'timeouts.head_ms': 'kHeadTimeoutMsDefault',
    'timeouts.idle_ms': 'kIdleTimeoutMsDefault',
    'timeouts.stall_ms': 'kStallTimeoutMsDefault',
    'timeouts.drain_ms': 'kDrainTimeoutMsDefault',
    'timeouts.linger_ms': 'kLingerTimeoutMsDefault',
    'timeouts.stop_ms': 'kStopTimeoutMsDefault',
  };
  for (const [key, name] of Object.entries(names)) {
    t.equal(settings.get(key)?.default, limitOf(name), name);
  }
  const bounds: [key: string, bound: 'min' | 'max', name: string][] = [
    ['engines', 'max', 'kEnginesMax'],
    ['limits.connections_max', 'max', 'kConnectionsMaxCeiling'],
    ['limits.connections_per_address_max', 'max', 'kConnectionsMaxCeiling'],
    ['limits.handshakes_max', 'max', 'kConnectionsMaxCeiling'],
    ['limits.requests_per_connection_max', 'max', 'kRequestsPerConnectionMaxCeiling'],
    ['limits.streams_max', 'max', 'kStreamsMaxCeiling'],
    ['limits.head_bytes_max', 'min', 'kHeadBytesMin'],
    ['limits.head_bytes_max', 'max', 'kHeadBytesMaxCeiling'],
    ['limits.response_head_bytes_max', 'min', 'kUpstreamHeadBytesMin'],
    ['limits.response_head_bytes_max', 'max', 'kUpstreamHeadBytesMaxCeiling'],
    ['limits.target_bytes_max', 'min', 'kTargetBytesMin'],
    ['limits.target_bytes_max', 'max', 'kTargetBytesMax'],
    ['limits.header_fields_max', 'min', 'kHeaderFieldsMin'],
    ['limits.header_fields_max', 'max', 'kHeaderFieldsMaxCeiling'],
    ['limits.discarded_body_bytes_max', 'max', 'kDiscardedBodyBytesMaxCeiling'],
    ['limits.send_rate_min_bytes_per_s', 'max', 'kSendRateMinCeiling'],
  ];
  for (const [key, bound, name] of bounds) {
    t.equal(settings.get(key)?.[bound], limitOf(name), `${key}: ${bound}`);
  }
});
