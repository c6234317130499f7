// SPDX-License-Identifier: Apache-2.0
// A state directory that others may write, as the service finds it at its start.

import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { logLines, runCli, startCli } from './server.js';

const needsRoot = process.getuid?.() === 0 ? {} : { skip: 'files of other users need root' };

function scene(t: Test) {
  const directory = t.testdir({ state: {}, victim: 'of somebody else' });
  const [stateDir, victim] = [join(directory, 'state'), join(directory, 'victim')];
  return { directory, stateDir, victim, own: ['--state-dir', stateDir] };
}

const temporary = ['service.json.new', '.api.sock.new', 'update/update.json.new'];

t.test('ours with mode 0777, and links planted there', async (t) => {
  const { directory, stateDir, victim, own } = scene(t);
  mkdirSync(join(stateDir, 'update'));
  for (const name of temporary) symlinkSync(victim, join(stateDir, name));
  chmodSync(stateDir, 0o777);
  t.match(await runCli(['config', 'check', ...own]), { code: 0 }, 'the start mends it');
  t.equal(lstatSync(stateDir).mode & 0o777, 0o777, 'and the check does not');
  const { child, ended } = await startCli(directory, ['--listen', '127.0.0.1:0']);
  child.kill('SIGTERM');
  const { code, stdout } = await ended;
  t.equal(code, 0);
  const mended = logLines(stdout).filter(({ event }) => event === 'state_dir_mended');
  t.match(mended, [{ path: stateDir, reason: /mode 777/, level: /warn|40/ }]);
  t.equal(lstatSync(stateDir).mode & 0o777, 0o755);
  t.equal(readFileSync(victim, 'utf8'), 'of somebody else');
  t.ok(lstatSync(join(stateDir, 'service.json')).isFile());
});

t.test("another user's", needsRoot, async (t) => {
  const { stateDir, own } = scene(t);
  chownSync(stateDir, 65_534, 65_534);
  const serve = ['serve', '--listen', '127.0.0.1:0', ...own];
  const message = /--state-dir: is not safe: .* belongs to user 65534.*run: chown -R 0/;
  t.match(await runCli(serve), { code: 2, stdout: '', stderr: message });
  t.match(await runCli(['config', 'check', ...own]), { code: 0 }, 'for the service of that user');
  chownSync(stateDir, 0, 0);
  mkdirSync(join(stateDir, 'certificates'));
  chownSync(join(stateDir, 'certificates'), 65_534, 65_534);
  t.match(await runCli(serve), { code: 2, stderr: /certificates belongs to user 65534/ });
  const checked = await runCli(['config', 'check', ...own]);
  t.match(checked, { code: 2, stderr: /certificates belongs to user 65534/ }, 'the check agrees');
});

t.test('a directory for everybody, such as /tmp', async (t) => {
  const { stateDir, own } = scene(t);
  writeFileSync(join(stateDir, 'of-others'), '');
  chmodSync(stateDir, 0o1777);
  const message = /has mode 1777, so that others may write there: give the service a directory of/;
  for (const command of [
    ['serve', '--listen', '127.0.0.1:0'],
    ['config', 'check'],
  ]) {
    t.match(await runCli([...command, ...own]), { code: 2, stderr: message });
  }
  t.equal(lstatSync(stateDir).mode & 0o7777, 0o1777, 'it is left as it is');
});
