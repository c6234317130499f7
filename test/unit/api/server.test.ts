// SPDX-License-Identifier: Apache-2.0
// More connections than the API's sockets take.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import t from 'tap';
import { withShortPath } from '../../../src/api/private-socket.js';
import { serverBounds } from '../../../src/api/server.js';
import { ask, from } from './client.js';
import { startScene } from './scene.js';

t.test('what is too much is told to come again, and is served when others have gone', async (t) => {
  const { proxy } = await startScene(t);
  const sockets: Socket[] = [];
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (let i = 0; i < serverBounds.connectionsMax; i += 1) {
    const socket = await withShortPath(dirname(proxy), basename(proxy), async (path) => {
      const made = connect(path);
      await once(made, 'connect');
      return made;
    });
    sockets.push(socket);
  }
  const headers = from('127.0.0.1');
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => ask(proxy, '/status', { headers })),
  );
  for (const { status, headers, json } of answers) {
    t.match({ status, json }, { status: 503, json: { status: 503, title: 'Too busy' } });
    t.equal(headers['retry-after'], String(serverBounds.retryAfterS));
    t.equal(headers['content-type'], 'application/problem+json');
    t.equal(headers.connection, 'close');
  }
  for (const socket of sockets) socket.destroy();
  let status = 503;
  while (status === 503) ({ status } = await ask(proxy, '/status', { headers }));
  t.equal(status, 200);
});
