// SPDX-License-Identifier: Apache-2.0
// A route's rate over HTTP/2: who asks later of a route without one is served first, and every byte of
// both comes. How fast it is: test/native/conn_http2_rate_scenarios.cpp, by a clock of its own.

import { randomBytes } from 'node:crypto';
import t from 'tap';
import { answerOf, ask, offloads, openSession, startHttp2 } from './http2.js';
import { proxyRoute, siteWith } from './proxy.js';

const files = {
  recording: randomBytes(60_000),
  other: randomBytes(10_000),
  page: randomBytes(300_000),
};
const file = { ...proxyRoute(''), action: 'static' as const };
const site = siteWith([
  { ...file, path: '/' },
  { ...file, path: '/recording', rateMaxBytesPerS: 20_000 },
  { ...file, path: '/other', rateMaxBytesPerS: 20_000 },
]);

for (const [offload, change] of offloads) {
  t.test(`${offload}: a page passes a recording that is held back`, async (t) => {
    const running = await startHttp2(t, files, { site, ...change });
    const session = await openSession(t, running);
    const order: string[] = [];
    const get = async (path: keyof typeof files): Promise<void> => {
      const { status, body, isWhole } = await answerOf(session.request({ ':path': `/${path}` }));
      order.push(path);
      t.equal(status, 200);
      t.ok(isWhole && body.equals(files[path]), `every byte of ${path}`);
    };
    const recording = get('recording');
    const other = get('other');
    await get('page');
    await get('page');
    t.same(order, ['page', 'page'], 'whatever was asked for before');
    await Promise.all([recording, other]);
    t.equal(order.length, 4);
    await ask(session, { ':path': '/page' });
  });
}
