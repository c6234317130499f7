// SPDX-License-Identifier: Apache-2.0
// A text that is only checked, as the API does.

import t from 'tap';
import { type ConfigurationError, loadText } from '../../../src/config/configuration.js';

t.test('a text alone, with the place of every finding', async (t) => {
  t.equal(loadText('log.level = "warn"\n', 'request').configuration.logLevel, 'warn');
  try {
    loadText('rooot = 1\n[log]\nlevel = "loud"\nx = = 1\n', 'request');
    t.fail('accepted');
  } catch (error) {
    const place = (line: number) => ({ kind: 'file', path: 'request', line }) as const;
    t.match((error as ConfigurationError).findings, [
      { key: 'rooot', origin: place(1), text: /^request:1: rooot: there is no such key/ },
      { key: 'log.level', origin: place(3) },
      { origin: place(4), text: /is not TOML/ },
    ]);
  }
});
