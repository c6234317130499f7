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
  t.equal(schema.limits.connections_max.max, limitOf('kConnectionsMaxCeiling'));
});
