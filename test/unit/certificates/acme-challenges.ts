// SPDX-License-Identifier: Apache-2.0
// Port 80 of the device for tests of ACME: answers what the server of acme-server.ts asks for.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import type { ChallengeResponses } from '../../../src/certificates/challenges.js';
import type { startAcmeServer } from './acme-server.js';

type AcmeServer = Awaited<ReturnType<typeof startAcmeServer>>;

/** Until the test ends, and the server with it. `asked` gets the path of each request. */
export async function serveChallenges(
  t: Test,
  server: AcmeServer,
  challenges: ChallengeResponses,
  asked: string[] = [],
): Promise<void> {
  const web = createServer((request, response) => {
    asked.push(request.url ?? '');
    const body = challenges.answer(request.url ?? '');
    response.writeHead(body === undefined ? 404 : 200).end(body);
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  server.challengePort = (web.address() as AddressInfo).port;
  t.teardown(async () => {
    web.close();
    web.closeAllConnections();
    await server.close();
  });
}
