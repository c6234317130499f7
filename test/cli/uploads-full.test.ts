// SPDX-License-Identifier: Apache-2.0
// A full storage, on a small tmpfs: refused before it begins; met at the very end; and the service
// still ends in order and goes on once there is room.

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startWithApi } from './api.js';

const mib = 1024 * 1024;
const prefix = 'http://localhost/.spliced/api/v1/update/uploads';

const run = (cwd: string, ...args: string[]) =>
  spawnSync('curl', ['-k', '-sS', '-w', '\n%{http_code}', ...args], { cwd, encoding: 'utf8' });

const small = t.testdir();
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', small]);
const unable = mounted.status === 0 ? false : 'needs root, to mount a tmpfs';

t.test('full', { skip: unable }, async (t) => {
  t.teardown(() => spawnSync('umount', ['-l', small]));
  const directory = join(small, 'update');
  const { server, stateDir } = await startWithApi(t, [], {
    SPLICED_UPDATE_ADAPTER: 'command',
    SPLICED_UPDATE_COMMAND: '/bin/true',
    SPLICED_UPDATE_DIRECTORY: directory,
  });
  const announce = (length: number) =>
    run(stateDir, '--unix-socket', 'api.sock', '--json', `{"name":"a","length":${length}}`, prefix);
  t.match(announce(60 * mib).stdout, /60 MiB are to come, and \d+ MiB are free.*507$/s);

  const place = () => {
    const [, path = '', offset = ''] =
      /"upload":"([^"]+)","offset":(\d+)/.exec(announce(20 * mib).stdout) ?? [];
    return { path, offset };
  };
  const scratch = join(stateDir, '..', 'scratch');
  mkdirSync(scratch, { recursive: true });
  writeFileSync(join(scratch, 'bundle'), randomBytes(20 * mib));
  const send = ({ path, offset }: { path: string; offset: string }) => {
    const from = offset === '0' ? [] : ['-C', offset];
    return run(scratch, ...from, '-T', 'bundle', `https://127.0.0.1:${server.port}${path}`).stdout;
  };
  const first = place();
  t.match(first.path, /^\/\.spliced\/upload\//);
  // All that is left, beside what is reserved.
  spawnSync('sh', ['-c', 'head -c 100M /dev/zero >filler'], { cwd: small });
  t.match(send(first), /make room, and announce it again\n\n500$/);
  rmSync(join(small, 'filler'));
  t.match(send(place()), /"sha256":"[0-9a-f]{64}"}\n\n200$/, 'it goes on once there is room');

  place();
  spawnSync('sh', ['-c', 'head -c 100M /dev/zero >filler'], { cwd: small });
  server.child.kill('SIGTERM');
  t.equal((await server.ended).code, 0, 'a full storage does not keep it from its end');
});
