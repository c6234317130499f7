// SPDX-License-Identifier: Apache-2.0
// The turns that start-faults.test.ts leaves: with both, every call fails with every errno.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  countCalls,
  type Errno,
  environmentOf,
  errnos,
  failEach,
  fresh,
  linesOf,
  makeGood,
  root,
} from './faults.js';
import { runCli, startCli } from './server.js';

const names = Object.keys(errnos) as Errno[];
const good = await makeGood();

for (const turn of [1, 3]) {
  const order = [...names.slice(turn), ...names.slice(0, turn)];
  t.test(`each call that writes fails once: ${order}`, (t) => failEach(t, good, order));
}

/** The API's sockets where that call fails; what it was is in the answer, for others come beside it. */
async function serveWithout(at: number): Promise<{ call: string; stdout: string }> {
  const directory = fresh(good);
  const env = environmentOf(directory, { at, errno: 'ENOSPC' });
  const server = await startCli(directory, ['--root', root], env);
  const stateDir = join(directory, 'state');
  let answer = await runCli(['status', '--state-dir', stateDir]);
  while (answer.code !== 0) answer = await runCli(['status', '--state-dir', stateDir]);
  t.equal(statSync(join(stateDir, 'api.sock')).mode & 0o777, 0o600);
  server.child.kill('SIGTERM');
  const { code, stdout } = await server.ended;
  t.equal(code, 0);
  return { call: linesOf(join(directory, 'calls'))[at - 1] ?? '', stdout };
}

t.test('the API on a disk that has no block for a directory', async (t) => {
  const isMeant = (call: string): boolean => /^mkdir .*\/\.api\.sock\.new$/.test(call);
  const at = (await countCalls(t, good)).findIndex(isMeant) + 1;
  t.ok(at > 0);
  let met = await serveWithout(at);
  for (let i = 0; i < 9 && !isMeant(met.call); i += 1) met = await serveWithout(at);
  t.ok(isMeant(met.call), met.call);
  t.notMatch(met.stdout, /api_unavailable|housekeeping_failed/);
});
