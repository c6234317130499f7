// SPDX-License-Identifier: Apache-2.0
// The identity of a build: from the manifest, from where a link leads, from the image; and the look
// from time to time, which finds what no watch tells of.

import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { buildOf, WebRootWatch } from '../../../src/site/web-root.js';
import { FakeClock } from '../certificates/fake-clock.js';

const manifest = (build: string) => ({ 'manifest.json': JSON.stringify({ build }) });

t.test('which build a directory is', async (t) => {
  const top = t.testdir({
    one: { '.spliced': manifest('1') },
    same: { '.spliced': manifest('1') },
    two: { '.spliced': manifest('2') },
    broken: { '.spliced': { 'manifest.json': '{"build": 1}' } },
    bare: {},
    release: 'NAME=x\nVERSION_ID=7\n',
    other: 'VERSION_ID=8\n',
    silent: 'NAME=x\n',
    toOne: t.fixture('symlink', 'one'),
    toBare: t.fixture('symlink', 'bare'),
    toBroken: t.fixture('symlink', 'broken'),
  });
  const of = (names: string[], release = 'release') =>
    buildOf(
      names.map((name) => join(top, name)),
      join(top, release),
    );
  t.match(of(['one']), /^[0-9a-f]{12}$/);
  t.equal(of(['one']), of(['same']), 'its manifest says it');
  t.equal(of(['one']), of(['toOne'], 'other'), 'and nothing else counts then');
  t.not(of(['one']), of(['two']));
  t.not(of(['toBare']), of(['toBroken']), 'else where the link leads');
  t.equal(of(['bare']), of(['broken']), 'else the image');
  t.not(of(['bare']), of(['bare'], 'other'));
  t.equal(of(['bare'], 'silent'), '');
  t.equal(of(['absent'], 'absent'), '');
  t.not(of(['bare', 'one']), of(['bare', 'two']), 'every directory counts');
  t.not(of(['one', 'two']), of(['two', 'one']));
});

t.test('what no watch has told of is found by looking', async (t) => {
  const top = t.testdir({ v1: { '.spliced': manifest('1') }, v2: { '.spliced': manifest('2') } });
  symlinkSync('v1', join(top, 'current'));
  const root = join(top, 'current');
  const clock = new FakeClock(0);
  const builds: string[] = [];
  const watch = new WebRootWatch(clock, (build) => builds.push(build));
  watch.watch([root]);
  watch.look();
  t.same(builds, [], 'nothing has changed');
  symlinkSync('v2', join(top, 'next'));
  renameSync(join(top, 'next'), root);
  await clock.advance(30_000);
  t.same(builds, [buildOf([root])]);
  rmSync(join(top, 'v2/.spliced'), { recursive: true });
  writeFileSync(join(top, 'v2/x'), '');
  watch.look();
  t.equal(builds.length, 2, 'no longer packed: where the link leads');
  watch.close();
  t.equal(clock.timerCount, 0, 'nothing is left');
});
