// SPDX-License-Identifier: Apache-2.0
// Which directories are watched for a file, and that a change in any of them is noticed: files
// renamed into place, links that are turned, directories that are made anew.

import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FileWatch, watchedDirectories } from '../../../src/files/file-watch.js';
import { FakeClock, until } from '../certificates/fake-clock.js';

t.test('the directories in which a change makes it another file', async (t) => {
  const top = t.testdir({
    v1: { 'tls.crt': '' },
    live: t.fixture('symlink', 'v1'),
    etc: { 'tls.crt': t.fixture('symlink', '../live/tls.crt') },
    loop: t.fixture('symlink', 'loop'),
  });
  const found = watchedDirectories(join(top, 'etc/tls.crt'));
  for (const name of ['etc', '', 'v1']) t.ok(found.has(join(top, name)), `"${name}"`);
  t.ok(watchedDirectories(join(top, 'loop/tls.crt')).size < 50, 'a loop ends');
  t.ok(watchedDirectories(join(top, 'absent/tls.crt')).has(join(top, 'absent')));
});

t.test('what is noticed, and once for a burst', async (t) => {
  const top = t.testdir({ v1: { 'tls.crt': '1' }, v2: { 'tls.crt': '2' } });
  symlinkSync('v1', join(top, 'live'));
  const path = join(top, 'live/tls.crt');
  const clock = new FakeClock(0);
  let changes = 0;
  const watch = new FileWatch([path, join(top, 'absent/tls.key')], { clock, settleMs: 500 }, () => {
    changes += 1;
  });
  t.teardown(() => watch.close());
  t.equal(watch.arm(), undefined);
  const noticed = async (name: string, change: () => void) => {
    const before = changes;
    change();
    await until(() => clock.timerCount > 0, `${name}: not noticed`);
    const cancel = clock.after(60_000, () => {}); // FakeClock waits for a timer after each.
    await clock.advance(499);
    t.equal(changes, before, `${name}: it may not be complete yet`);
    await clock.advance(1_000);
    cancel();
    t.equal(changes, before + 1, name);
  };
  await noticed('written over', () => {
    writeFileSync(path, '3');
    writeFileSync(path, '4');
  });
  await noticed('renamed into place', () => {
    writeFileSync(join(top, 'v1/new'), '5');
    renameSync(join(top, 'v1/new'), path);
  });
  await noticed('a directory that is a link, turned', () => {
    symlinkSync('v2', join(top, 'next'));
    renameSync(join(top, 'next'), join(top, 'live'));
  });
  await noticed('in the directory that came by that', () => writeFileSync(path, '6'));
  await noticed('a directory made anew', () => {
    rmSync(join(top, 'v2'), { recursive: true });
    mkdirSync(join(top, 'v2'));
  });
  await noticed('in the new one', () => writeFileSync(path, '7'));
  watch.close();
  writeFileSync(path, '8');
  watch.close();
  t.equal(clock.timerCount, 0, 'nothing is left');
});
