// SPDX-License-Identifier: Apache-2.0
// The addon, Node, the configuration, and what systemd handed to the process.

import t from 'tap';
import {
  probeAddon,
  probeConfiguration,
  probeNode,
  probeSystemd,
} from '../../../src/doctor/probes/runtime.js';
import { boardOf, only } from './board.js';

t.test('the addon', async (t) => {
  t.same(probeAddon(boardOf()), []);
  t.match(only(probeAddon(boardOf({ native: { error: 'the native addon is missing' } }))), {
    level: 'problem',
    detail: 'the native addon is missing.',
  });
});

t.test('Node and OpenSSL', async (t) => {
  const finding = (node: string, openssl: string) =>
    only(probeNode(boardOf({ versions: { node, openssl } })));
  t.match(finding('20.20.2', '3.0.19'), { level: 'ok', title: 'Node 20.20.2 with OpenSSL 3.0.19' });
  t.equal(finding('18.20.4', '3.0.13').level, 'problem');
  t.equal(finding('20.5.0', '1.1.1w').level, 'warning');
});

t.test('the configuration', async (t) => {
  t.equal(only(probeConfiguration(boardOf())).level, 'ok');
  const settings = { error: 'SPLICED_LISTEN: "nowhere" is not ADDRESS:PORT' };
  t.match(only(probeConfiguration(boardOf({ settings }))), { level: 'problem', detail: /nowhere/ });
});

t.test('systemd', async (t) => {
  const statuses = { '/run/systemd/system': { mode: 0o755, uid: 0 } };
  t.equal(only(probeSystemd(boardOf())).level, 'info');
  t.match(only(probeSystemd(boardOf({ statuses }))), { level: 'ok', title: /this is a shell/ });
  const env = {
    NOTIFY_SOCKET: '/run/systemd/notify',
    LISTEN_FDS: '2',
    LISTEN_PID: '4711',
    WATCHDOG_USEC: '30000000',
    INVOCATION_ID: '0f',
  };
  t.match(only(probeSystemd(boardOf({ statuses, env }))), {
    level: 'ok',
    title: /this is a unit: it is told when we are ready, 2 sockets handed over, watchdog 30 s/,
  });
  const [foreign] = probeSystemd(boardOf({ statuses, env: { ...env, LISTEN_PID: '1' } }));
  t.match(foreign, { id: 'runtime.listen-fds', level: 'warning', advice: /ExecStart/ });
});
