// SPDX-License-Identifier: Apache-2.0
// The table [update].

import t from 'tap';
import { type ConfigurationError, loadConfiguration } from '../../../src/config/configuration.js';

const load = (env: NodeJS.ProcessEnv) => loadConfiguration({}, { env, defaultPath: '/nowhere' });

t.test('what the daemon receives', async (t) => {
  t.same(load({ SPLICED_STATE_DIR: '/s' }).configuration.update, {
    adapter: 'none',
    directory: '/s/update',
    command: [],
    sizeMaxBytes: 4 * 1024 ** 3,
    restart: 'reboot',
  });
  const { update } = load({
    SPLICED_UPDATE_ADAPTER: 'command',
    SPLICED_UPDATE_COMMAND: '/bin/install;--slot;two words',
    SPLICED_UPDATE_DIRECTORY: '/data/u',
  }).configuration;
  t.same(update.command, ['/bin/install', '--slot', 'two words']);
  t.equal(update.directory, '/data/u');
});

t.test('what is refused, and what only has no effect', async (t) => {
  const problems = (env: NodeJS.ProcessEnv): readonly string[] => {
    try {
      load(env);
      return [];
    } catch (error) {
      return (error as ConfigurationError).problems;
    }
  };
  t.match(problems({ SPLICED_UPDATE_ADAPTER: 'command' }), [/needs update\.command/]);
  t.match(problems({ SPLICED_UPDATE_ADAPTER: 'opkg' }), [/must be one of/]);
  t.match(problems({ SPLICED_UPDATE_COMMAND: 'install' }), [/absolute path of a program/]);
  t.match(problems({ SPLICED_UPDATE_COMMAND: '/i;'.repeat(65) }), [/at most 64/]);
  const { warnings } = load({ SPLICED_UPDATE_COMMAND: '/bin/install' });
  t.match(warnings, [/has no effect without update\.adapter/]);
});
