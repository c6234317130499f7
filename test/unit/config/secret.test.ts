// SPDX-License-Identifier: Apache-2.0
// What is secret is in no error of the configuration.

import { join } from 'node:path';
import t from 'tap';
import { type ConfigurationError, loadConfiguration } from '../../../src/config/configuration.js';

t.test('a secret is in no error', async (t) => {
  const secret = { doc: '', format: ['a'], default: 'a', env: 'SPLICED_SECRET', sensitive: true };
  const config = join(t.testdir({ 'spliced.toml': 'secret = "hunter2"\n' }), 'spliced.toml');
  const sources = { env: { SPLICED_SECRET: 'hunter2' }, schema: { secret: secret as never } };
  try {
    loadConfiguration({ config }, sources);
    t.fail('accepted');
  } catch (error) {
    t.equal((error as ConfigurationError).problems.length, 2);
    t.notMatch((error as Error).message, /hunter2/);
  }
});
