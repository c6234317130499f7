// SPDX-License-Identifier: Apache-2.0
// install-service as an arm64 machine runs it (QEMU's user-mode emulation, Node's official binary), in
// the root of an arm64 image: npm's package is unpacked by npm, and what the unit starts serves there.

import { cpSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { prebuildPath, targets } from '../../cross/targets.mjs';
import { foreignNode } from '../../scripts/foreign-node.mjs';
import { startServer } from '../cli/server.js';
import { archive, get, output } from './package.js';

const startTimeoutMs = 200_000;
const arm64 = targets.find(({ name }) => name === 'arm64');

t.test('in an arm64 root, by an arm64 Node', async (t) => {
  if (arm64 === undefined) throw new Error('no target arm64');
  const root = mkdtempSync(join(tmpdir(), 'spliced-arm64-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const npm = ['npm', 'install', '-g', '--offline', '--no-audit', '--no-fund'];
  const cache = { npm_config_cache: join(root, 'tmp/npm') };
  output([...npm, '--prefix', join(root, 'usr/local'), archive], { ...process.env, ...cache });
  const library = '/usr/local/lib/node_modules/spliced';
  const [emulator = '', ...options] = foreignNode(arm64);
  const node = options.pop() ?? '';
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  cpSync(node, join(root, 'usr/bin/node'));

  const program = [emulator, ...options, node, join(root, library, 'dist/cli.js')];
  const said = String(output([...program, 'install-service', '--root', root]));
  t.match(said, /^It starts when the image boots\.$/m);
  const units = join(root, 'etc/systemd/system');
  const unit = readFileSync(join(units, 'spliced.service'), 'utf8');
  const [, command = ''] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
  t.equal(command, `/usr/bin/node ${library}/dist/cli.js serve`);
  for (const name of ['service', 'reboot.path', 'poweroff.path']) {
    const path = name === 'service' ? 'spliced.service' : `spliced-${name}`;
    t.ok(lstatSync(join(units, 'multi-user.target.wants', path)).isSymbolicLink(), path);
  }

  // What the unit starts, with the image's paths below its root.
  const inRoot = command.split(' ').map((word) => (word.startsWith('/') ? join(root, word) : word));
  const own = {
    SPLICED_ROOT: join(root, library, 'public'),
    SPLICED_LISTEN: '127.0.0.1:0',
    SPLICED_STATE_DIR: join(root, 'var/lib/spliced'),
    UV_USE_IO_URING: '0',
  };
  const server = await startServer([emulator, ...options, ...inRoot], own, startTimeoutMs);
  t.teardown(() => server.child.kill('SIGKILL'));
  const maps = readFileSync(`/proc/${server.child.pid}/maps`, 'utf8');
  t.ok(maps.includes(join(root, library, prebuildPath(arm64))), 'the prebuild of arm64');
  t.match(String(get(server.port, '/')), /<title>/);
  server.child.kill('SIGTERM');
  t.equal((await server.ended).code, 0);

  t.match(String(output([...program, 'uninstall-service', '--root', root])), /^removed /m);
});
