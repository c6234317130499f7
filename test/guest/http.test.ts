// SPDX-License-Identifier: Apache-2.0
// The rules of HTTP over kernel TLS, by the contract's own tests and by real clients.

import t from 'tap';
import { runInGuest } from './host/contract.js';
import { prepare } from './host/prepare.js';

const contract = ['files', 'http', 'nginx', 'request-framing', 'site', 'upload', 'variants'].map(
  (name) => `contract/${name}`,
);
const ofBothModes = ['contract/http-rules', 'cli/http-curl', 'cli/http-node'];

const unable = prepare();
t.test('the contract of HTTP, in the kernel and in user space', { skip: unable ?? false }, (t) =>
  // More connections than engines: the tests open hundreds, and each is promoted or none.
  runInGuest(t, { contract, ofBothModes, promotedMin: 400 }),
);
