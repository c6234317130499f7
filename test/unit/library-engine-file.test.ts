// SPDX-License-Identifier: Apache-2.0
// response.sendEngineFile(): what it says to the engine, what it refuses, and what it does without one.

import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { offerEngineFiles, withEngineFiles } from '../../src/library/engine-file.js';

async function get(t: Test, handler: RequestListener, path = '/'): Promise<Response> {
  const server = createServer(handler);
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
}

t.test('behind the engine it names the file', async (t) => {
  const answer = await get(t, (_request, response) => {
    offerEngineFiles(response);
    response.setHeader('X-Own', '1');
    response.sendEngineFile('/recordings/ä b%.mp4', {
      status: 201,
      type: 'video/x',
      filename: 'Tür "1".mp4',
      headers: { 'Cache-Control': 'no-store' },
    });
  });
  t.equal(answer.status, 201);
  t.equal(answer.headers.get('x-accel-redirect'), '/recordings/%C3%A4%20b%25.mp4');
  t.equal(answer.headers.get('content-type'), 'video/x');
  t.equal(answer.headers.get('cache-control'), 'no-store');
  t.equal(answer.headers.get('x-own'), '1');
  t.equal(
    answer.headers.get('content-disposition'),
    `attachment; filename="T_r _1_.mp4"; filename*=UTF-8''T%C3%BCr%20%221%22.mp4`,
  );
  t.equal(await answer.text(), '');
});

t.test('what is put together of a client’s words is one path, or none', async (t) => {
  const paths = ['', 'a', '/a/../b', '/a/./b', '/a//b', '/a/', '/..', '/a\\b', '/a\0', '/a\n'];
  for (const path of paths) {
    const answer = await get(t, (_request, response) => {
      offerEngineFiles(response);
      try {
        response.sendEngineFile(path);
      } catch (error) {
        response.end((error as NodeJS.ErrnoException).code);
      }
    });
    t.equal(await answer.text(), 'ERR_INVALID_ARG_VALUE', JSON.stringify(path));
    t.notOk(answer.headers.has('x-accel-redirect'));
  }
});

t.test('without the engine the file is read here', async (t) => {
  const root = t.testdir({ '1.txt': 'one', deep: { '2.mp4': 'two' } });
  const routes = [
    { path: '/recordings', root, internal: true },
    { path: '/recordings/deep/', root: join(root, 'deep'), internal: true },
    { path: '/open', root },
  ];
  const handler = withEngineFiles(
    ({ url = '' }, response) => response.sendEngineFile(url, { headers: { 'X-Own': '1' } }),
    routes,
  );
  const one = await get(t, handler, '/recordings/1.txt');
  t.equal(await one.text(), 'one');
  t.equal(one.headers.get('content-type'), 'text/plain; charset=utf-8');
  t.equal(one.headers.get('x-own'), '1');
  const two = await get(t, handler, '/recordings/deep/2.mp4');
  t.equal(await two.text(), 'two');
  t.equal((await get(t, handler, '/recordings/none')).status, 404);
  t.equal((await get(t, handler, '/open/1.txt')).status, 502);
});
