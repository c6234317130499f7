// SPDX-License-Identifier: Apache-2.0
// Directories that are made: by several at once, and the errno where one cannot be.

import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeDirectory } from '../../../src/files/durable.js';

t.test('by several at once', async (t) => {
  const top = t.testdir();
  for (let i = 0; i < 50; i += 1) {
    const path = join(top, `${i}/a/b/c`);
    await Promise.all([path, path, join(top, `${i}/a/x`), path].map(makeDirectory));
    t.ok(existsSync(path));
  }
});

t.test('what is there is good, and what is no directory is refused by name', async (t) => {
  const top = t.testdir();
  mkdirSync(join(top, 'there'));
  await makeDirectory(join(top, 'there'));
  writeFileSync(join(top, 'file'), '');
  await t.rejects(makeDirectory(join(top, 'file')), { code: 'EEXIST', path: join(top, 'file') });
  await t.rejects(makeDirectory(join(top, 'file/x')), { code: 'ENOTDIR' });
  symlinkSync('absent', join(top, 'dangling'));
  await t.rejects(makeDirectory(join(top, 'dangling/x')), { code: 'EEXIST' });
});
