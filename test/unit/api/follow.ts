// SPDX-License-Identifier: Apache-2.0
// A reader of server-sent events on one of the API's sockets.

import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Test } from 'tap';
import { withShortPath } from '../../../src/api/private-socket.js';
import { prefix } from './client.js';

/** `until` reads until that is enough; `end` goes away; `closed`: the service has ended it. */
export function follow(
  t: Test,
  directory: string,
  path: string,
  headers = {},
  socket: 'api.sock' | 'proxy.sock' = 'api.sock',
) {
  return withShortPath(directory, socket, async (socketPath) => {
    const outgoing = request({ socketPath, path: prefix + path, headers, agent: false });
    outgoing.on('error', () => {});
    t.teardown(() => outgoing.destroy());
    outgoing.end();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    let text = '';
    const closed = new Promise<void>((resolve) => response.once('close', resolve));
    response.on('error', () => {});
    response.on('data', (data) => {
      text += data;
    });
    const until = async (isEnough: (text: string) => boolean): Promise<string> => {
      while (!isEnough(text)) await once(response, 'data');
      return text;
    };
    return { response, until, closed, end: () => outgoing.destroy() };
  });
}
