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

t.test('the API on a disk that has no block for a directory', async (t) => {
  const calls = await countCalls(t, good);
  const at = calls.findIndex((call) => /^mkdir .*\/\.api\.sock\.new$/.test(call)) + 1;
  t.ok(at > 0);
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
  t.notMatch(stdout, /api_unavailable|housekeeping_failed/);
});
