// SPDX-License-Identifier: Apache-2.0
// Listen addresses: what is understood, and what is said about the rest.

import t from 'tap';
import { formatListenAddress, parseListenAddress } from '../../../src/config/address.js';

t.test('addresses that are understood, and written back as they were', async (t) => {
  const cases: [string, string, number][] = [
    ['0.0.0.0:8443', '0.0.0.0', 8443],
    ['127.0.0.1:0', '127.0.0.1', 0],
    ['[::]:8443', '::', 8443],
    ['[fe80::1%eth0]:65535', 'fe80::1%eth0', 65535],
  ];
  for (const [text, address, port] of cases) {
    t.same(parseListenAddress(text), { address, port }, text);
    t.equal(formatListenAddress({ address, port }), text);
  }
});

t.test('addresses that are refused, with the reason', async (t) => {
  const cases: [string, RegExp][] = [
    ['', /is not ADDRESS:PORT/],
    ['8443', /is not ADDRESS:PORT/],
    ['127.0.0.1', /is not ADDRESS:PORT/],
    ['127.0.0.1:', /is not ADDRESS:PORT/],
    ['127.0.0.1:-1', /is not ADDRESS:PORT/],
    ['127.0.0.1:1e3', /is not ADDRESS:PORT/],
    ['::1:8443', /is not ADDRESS:PORT/],
    ['127.0.0.1:65536', /port above 65535/],
    ['localhost:8443', /numeric address/],
    [':8443', /numeric address/],
    ['256.0.0.1:8443', /numeric address/],
    ['[]:8443', /no IPv6 address/],
    ['[127.0.0.1]:8443', /no IPv6 address/],
    ['[fe80::1]:8443', /needs the interface/],
    ['[::1%lo]:8443', /only a link-local address/],
  ];
  for (const [text, reason] of cases) t.throws(() => parseListenAddress(text), reason, text);
});
