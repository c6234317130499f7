// SPDX-License-Identifier: Apache-2.0
// Who listens on an address, by the kernel's tables: the real ones, and those of others.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { endianness } from 'node:os';
import t from 'tap';
import { listenerFault } from '../../../src/commands/listening.js';

const nobody = /nothing on this device listens there/;

t.test('a socket of ours, IPv4 and IPv6', async (t) => {
  const uid = process.getuid?.() ?? 0;
  for (const address of ['127.0.0.1', '::1', '::', '0.0.0.0']) {
    const server = createServer().listen(0, address);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    t.equal(listenerFault({ address, port }, uid), undefined, address);
    t.match(listenerFault({ address: '192.0.2.1', port }, uid), nobody);
    server.close();
    await once(server, 'close');
    t.match(listenerFault({ address, port }, uid), nobody, 'not any more');
  }
});

t.test("of another user, and of a socket unit's", { skip: endianness() !== 'LE' }, async (t) => {
  const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid';
  const row = (state: string, uid: number): string =>
    `   0: 0100007F:01BB 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000 ${uid} 0 17`;
  const fault = (state: string, uid: number) =>
    listenerFault({ address: '127.0.0.1', port: 443 }, 1000, [`${head}\n${row(state, uid)}\n`]);
  t.equal(fault('0A', 1000), undefined);
  t.equal(fault('0A', 0), undefined, 'systemd has bound it');
  t.equal(fault('0A', 1001), 'user 1001 listens there, not the service');
  t.match(fault('01', 1000), nobody, 'a connection is no listener');
});
