// SPDX-License-Identifier: Apache-2.0
// Proxy routes over kernel TLS: bodies are spliced in both directions, and whatever goes wrong goes
// wrong as it does in user space.

import t from 'tap';
import { runInGuest } from './host/contract.js';
import { prepare } from './host/prepare.js';

const contract = [
  'proxy',
  'proxy-failures',
  'proxy-streams',
  'hand-over',
  'hand-over-hostile',
  'hand-over-nginx',
  'authorize',
].map((name) => `contract/${name}`);

const unable = prepare();
t.test('proxy routes, in the kernel and in user space', { skip: unable ?? false }, (t) =>
  runInGuest(t, { contract, promotedMin: 200 }),
);
