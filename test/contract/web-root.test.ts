// SPDX-License-Identifier: Apache-2.0
// A web root that is a link, which an update turns: the new tree is served at once, what runs is
// finished from the old one, validators tell the two apart, and a link that leads nowhere changes
// nothing. Over the real addon and a real file system.

import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Configuration } from '../../src/config/configuration.js';
import { loadConfiguration } from '../../src/config/configuration.js';
import type { Log } from '../../src/log/log.js';
import { SiteServing } from '../../src/serving/site.js';
import { connectRaw, get, startService } from './service.js';

const largeBytes = 8 * 1024 * 1024;

interface Tree {
  top: string;
  running: Awaited<ReturnType<typeof startService>>;
  large: Record<'v1' | 'v2', Buffer>;
  builds: string[];
  events: string[];
  /** As an update does: a new link, renamed over the old one. */
  turn: (to: string) => void;
}

async function start(t: Test, packed = false): Promise<Tree> {
  const top = mkdtempSync(join(tmpdir(), 'spliced-root-')); // The engine has the test's own.
  t.teardown(() => rmSync(top, { recursive: true }));
  const large = { v1: randomBytes(largeBytes), v2: randomBytes(largeBytes) };
  for (const [version, content] of Object.entries(large)) {
    mkdirSync(join(top, version, '.spliced'), { recursive: true });
    writeFileSync(join(top, version, 'index.html'), `<p>${version}</p>`);
    writeFileSync(join(top, version, 'large'), content);
    const manifest = JSON.stringify({ build: `build of ${version}` });
    if (packed) writeFileSync(join(top, version, '.spliced/manifest.json'), manifest);
  }
  const turn = (to: string): void => {
    symlinkSync(to, join(top, 'next'));
    renameSync(join(top, 'next'), join(top, 'current'));
  };
  turn('v1');
  const root = join(top, 'current');
  const running = await startService(t, {}, { root });
  const loaded = loadConfiguration({ root }, { env: {} });
  const configuration: Configuration = { ...loaded.configuration, root };
  const events: string[] = [];
  const note = (line: object): void => void events.push(JSON.stringify(line));
  const log = { info: note, warn: note } as unknown as Log;
  const site = { configuration, isTrusted: false };
  const serving = new SiteServing({ service: running.service, site, log });
  t.teardown(serving.start());
  const builds: string[] = [];
  serving.onBuild(() => builds.push(serving.build));
  return { running, top, large, builds, events, turn };
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await delay(10); // The test's own time-out ends a wait in vain.
}

for (const packed of [false, true]) {
  t.test(`a link that is turned, packed ${packed}`, async (t) => {
    const { running, large, builds, events, turn } = await start(t, packed);
    const before = await get(running);
    t.equal(before.body.toString(), '<p>v1</p>');

    // A download of the old tree that has begun, and whose client waits.
    const slow = await connectRaw(running);
    slow.write('GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    const chunks: Buffer[] = [];
    await new Promise<void>((resolve) => {
      slow.once('data', (chunk) => {
        chunks.push(chunk);
        slow.pause();
        resolve();
      });
    });

    turn('v2');
    await until(() => builds.length === 1);
    const after = await get(running, { headers: { 'If-None-Match': before.headers.etag } });
    t.match(after, { status: 200 });
    t.equal(after.body.toString(), '<p>v2</p>');
    t.equal(after.headers['spliced-build'], builds[0]);
    t.not(after.headers['spliced-build'], before.headers['spliced-build']);
    t.ok((await get(running, { path: '/large' })).body.equals(large.v2), 'the new one, at once');

    slow.on('data', (chunk) => chunks.push(chunk));
    slow.resume();
    await new Promise((resolve) => slow.once('end', resolve));
    const whole = Buffer.concat(chunks);
    const body = whole.subarray(whole.indexOf('\r\n\r\n') + 4);
    t.ok(body.equals(large.v1), 'the one that ran is whole, and of the old tree');

    turn('v1');
    await until(() => builds.length === 2);
    const back = await get(running, { headers: { 'If-None-Match': before.headers.etag } });
    t.equal(back.status, 304, 'back again: the same build as before');
    t.equal(back.headers['spliced-build'], before.headers['spliced-build']);
    t.match(events, [/web_root_switched/, /web_root_switched/]);
  });
}

t.test('a link that leads nowhere changes nothing, until it leads somewhere', async (t) => {
  const { running, builds, events, turn } = await start(t);
  turn('v3');
  await until(() => events.length > 0);
  t.match(events[0], /web_root_not_switched.*cannot serve/);
  t.equal((await get(running)).body.toString(), '<p>v1</p>');
  t.equal(builds.length, 0);
  turn('v2');
  await until(() => builds.length === 1);
  t.equal((await get(running)).body.toString(), '<p>v2</p>');
});

t.test('packed again where it lies, and a directory in the place of the link', async (t) => {
  const { running, top, builds } = await start(t, true);
  writeFileSync(join(top, 'v1/index.html'), '<p>v1 again</p>');
  writeFileSync(join(top, 'v1/.spliced/manifest.json'), '{"build": "another"}');
  await until(() => builds.length === 1);
  const packed = await get(running);
  t.equal(packed.body.toString(), '<p>v1 again</p>');
  t.equal(packed.headers['spliced-build'], builds[0]);
  rmSync(join(top, 'current'));
  renameSync(join(top, 'v2'), join(top, 'current'));
  await until(() => builds.length === 2);
  t.equal((await get(running)).body.toString(), '<p>v2</p>');
});
