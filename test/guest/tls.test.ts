// SPDX-License-Identifier: Apache-2.0
// What clients do inside TLS, over kernel TLS and in user space: floods of records without data, short
// records, ALPN; and HTTP/2.

import t from 'tap';
import { runInGuest } from './host/contract.js';
import { prepare } from './host/prepare.js';

const contract = ['floods', 'tls-extensions'].map((name) => `contract/${name}`);
const http2 = ['http2', 'http2-bounds', 'http2-close', 'http2-proxy'].map(
  (name) => `contract/${name}`,
);

const unable = prepare();
t.test('floods and extensions', { skip: unable ?? false }, (t) =>
  runInGuest(t, { contract, promotedMin: 20 }),
);
t.test('HTTP/2', { skip: unable ?? false }, (t) =>
  runInGuest(t, { contract: http2, promotedMin: 60 }),
);
