// SPDX-License-Identifier: Apache-2.0
// A directory that others may write: mended where it is ours, refused where it is not, and left alone
// when it is safe.

import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { secureDirectory, secureStateDirectory } from '../../../src/files/state-directory.js';

const needsRoot = process.getuid?.() === 0 ? {} : { skip: 'files of other users need root' };
const other = 65_534;
const modeOf = (path: string): string => (lstatSync(path).mode & 0o7777).toString(8);
const nothing = { mended: [], foreign: [] };

t.test('safe, or not there', async (t) => {
  const directory = t.testdir({ certificates: { device: { 'key.pem': '' } } });
  for (const mode of [0o700, 0o755]) {
    chmodSync(directory, mode);
    t.same(secureDirectory(directory), nothing);
    t.equal(modeOf(directory), mode.toString(8), 'left as it is');
  }
  t.same(secureDirectory(join(directory, 'none')), nothing);
});

t.test('ours, and open to others', async (t) => {
  const directory = t.testdir({ certificates: { device: {} } });
  const device = join(directory, 'certificates', 'device');
  chmodSync(directory, 0o777);
  chmodSync(device, 0o775);
  t.same(secureDirectory(directory, { mend: false }).mended.length, 2);
  t.equal(modeOf(directory), '777', 'it only looks');
  const lines: object[] = [];
  secureStateDirectory(directory, { warn: (line: object) => lines.push(line) } as never);
  t.match(lines, [
    { event: 'state_dir_mended', path: directory, reason: /others could write there: mode 777/ },
    { event: 'state_dir_mended', path: device, reason: /mode 775/ },
  ]);
  t.equal(modeOf(directory), '755');
  t.equal(modeOf(device), '755');
  t.same(secureDirectory(directory), nothing, 'once');
  chmodSync(directory, 0o775);
  t.same(secureDirectory(directory, { forbidden: 0o002 }), nothing, 'a group may');
  chmodSync(directory, 0o1777);
  t.throws(() => secureDirectory(directory), { message: /mode 1777.*a directory of its own/ });
  t.equal(modeOf(directory), '1777', 'what is meant for all is not closed');
});

t.test("another user's", needsRoot, async (t) => {
  const directory = t.testdir({ certificates: { device: {} }, update: {} });
  const device = join(directory, 'certificates', 'device');
  const refused = (message: RegExp) => t.throws(() => secureDirectory(directory), { message });
  chownSync(directory, other, other);
  refused(/belongs to user 65534, who can change what is in it; run: chown -R 0 /);
  t.same(secureDirectory(directory, { user: other }), nothing, 'as that user');
  chmodSync(directory, 0o777);
  refused(/belongs to user 65534/);
  t.equal(modeOf(directory), '777', 'nothing was changed');
  chownSync(directory, 0, 0);
  t.throws(() => secureDirectory(directory, { user: other }), { message: /run: chmod o-w/ });
  chmodSync(directory, 0o700);
  chownSync(device, other, other);
  refused(/device belongs to user 65534/);
  chownSync(device, 0, 0);
  const planted = join(directory, 'update', 'update.json.new');
  symlinkSync('/etc/passwd', planted);
  t.same(secureDirectory(directory), nothing, "root's own link is his affair");
  lchownSync(planted, other, other);
  const mended = [{ path: planted, reason: 'it was a link of user 65534' }];
  t.same(secureDirectory(directory, { mend: false }), { mended, foreign: [] });
  t.ok(lstatSync(planted).isSymbolicLink());
  t.same(secureDirectory(directory), { mended, foreign: [] });
  t.notOk(existsSync(planted) || lstatSync(planted, { throwIfNoEntry: false }), 'removed');
});

t.test("a file of another user's is said", needsRoot, async (t) => {
  const directory = t.testdir({ 'service.json': '{}' });
  const file = join(directory, 'service.json');
  chownSync(file, other, other);
  const lines: object[] = [];
  secureStateDirectory(directory, { warn: (line: object) => lines.push(line) } as never);
  t.match(lines, [{ event: 'state_file_foreign', path: file, files: 1 }]);
});

t.test('bounded', async (t) => {
  const directory = t.testdir();
  let deep = directory;
  for (let depth = 0; depth < 12; depth += 1) {
    deep = join(deep, 'deeper');
    mkdirSync(deep);
  }
  chmodSync(deep, 0o777);
  writeFileSync(join(deep, 'file'), '');
  t.same(secureDirectory(directory), nothing);
});
