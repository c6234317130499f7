// SPDX-License-Identifier: Apache-2.0
// An installation that a fleet's server has ordered: SWUpdate's own suricatta asks a stand-in for hawkBit, and its
// daemon installs a file; we see it by swupdate-progress. The programs are Debian's, laid out beside the machine's own.

import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { SwupdateInstaller } from '../../../src/update/adapters/swupdate.js';
import { device, Hawkbit, tenant } from './hawkbit.js';
import { until } from './others.js';
import { startScene } from './scene.js';

const installers = execFileSync('test/guest/lab/get-installers', { encoding: 'utf8' }).trim();
const library = join(installers, 'usr/lib');
const libraries = [library, ...readdirSync(library).map((name) => join(library, name))]
  .filter((path) => /lib$|-linux-gnu$/.test(path))
  .join(':');
const image = randomBytes(2 * 1024 * 1024);
const daemonSecondsMax = 120;
const { PATH, TMPDIR } = process.env;

/** A directory whose path is short enough for sockets, with signed bundles and programs that find their libraries. */
function makeDevice(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'swu-'));
  for (const name of ['bin', 'bundle', 'sockets']) mkdirSync(join(directory, name));
  for (const name of ['swupdate', 'swupdate-client', 'swupdate-progress']) {
    const line = `LD_LIBRARY_PATH=${libraries} exec ${installers}/usr/bin/${name} "$@"`;
    writeFileSync(join(directory, 'bin', name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  }
  process.env.PATH = `${directory}/bin:${PATH}`;
  process.env.TMPDIR = join(directory, 'sockets');
  t.teardown(() => {
    process.env.PATH = PATH;
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    rmSync(directory, { recursive: true });
  });
  return directory;
}

/** Signed by a key of that name; `target` is the file that it is installed as. */
function makeBundle(directory: string, signer: string, target: string): Buffer {
  const run = (...command: string[]): void => {
    const [program = '', ...args] = command;
    execFileSync(program, args, { cwd: join(directory, 'bundle'), stdio: 'pipe' });
  };
  const key = ['-keyout', `../${signer}.key`, '-out', `../${signer}.crt`];
  const purpose = ['-addext', 'extendedKeyUsage=emailProtection'];
  const kind = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', `/CN=${signer}`];
  run('openssl', 'req', ...kind, ...key, ...purpose);
  writeFileSync(join(directory, 'bundle/image'), image);
  const sha256 = createHash('sha256').update(image).digest('hex');
  const file = `filename = "image"; path = "${target}"; type = "rawfile"; sha256 = "${sha256}";`;
  const text = `software = { version = "2"; hardware-compatibility: [ "1.0" ]; files: ( { ${file} } ); }\n`;
  writeFileSync(join(directory, 'bundle/sw-description'), text);
  const how = ['-sign', '-outform', 'DER', '-nosmimecap', '-binary', '-in', 'sw-description'];
  const by = ['-signer', `../${signer}.crt`, '-inkey', `../${signer}.key`];
  run('openssl', 'cms', ...how, '-out', 'sw-description.sig', ...by);
  const list = 'sw-description\\nsw-description.sig\\nimage\\n';
  run('sh', '-c', `printf '${list}' | cpio --quiet -o -H crc >../file.swu`);
  return readFileSync(join(directory, 'file.swu'));
}

/** The daemon, which trusts `signer` and asks the server. */
function startDaemon(t: Test, directory: string, signer: string, url: string): void {
  const server = `-t ${tenant} -u ${url} -i ${device} -p 1`;
  const args = ['-k', join(directory, `${signer}.crt`), '-H', 'gate:1.0', '-M', '-m', '-u', server];
  // A test that dies does not end it: time does.
  const bounded = [`${daemonSecondsMax}`, 'swupdate', ...args];
  const daemon = spawn('timeout', bounded, { cwd: directory, detached: true, stdio: 'ignore' });
  t.teardown(async () => {
    const ended = once(daemon, 'exit');
    process.kill(-(daemon.pid ?? 0), 'SIGKILL'); // With the processes that it has made.
    await ended;
  });
}

t.test('seen from its begin to its end; ours waits', async (t) => {
  const directory = makeDevice(t);
  const target = join(directory, 'installed');
  const server = await new Hawkbit(makeBundle(directory, 'maker', target)).start(t);
  const installer = new SwupdateInstaller();
  t.teardown(() => installer.close());
  const scene = await startScene(t, { adapter: 'swupdate', loadInstaller: async () => installer });
  const { manager, last, lines } = scene;
  startDaemon(t, directory, 'maker', server.url);
  await until(() => scene.documents.length > 0 && (last().progress?.percent ?? 0) > 0);
  server.hold();
  t.match(last(), { state: 'installing', begunBy: 'other', bundle: null });
  t.match(manager.receiveRefusal(), /^Another program is installing an update/);
  const own = scene.file('own');
  await manager.received(own);
  t.match(manager.install(), /^Another program is installing an update/);
  t.match(last(), { state: 'installing', begunBy: 'other', bundle: { name: 'own' } });
  server.letGo();
  await until(() => last().state !== 'installing');
  t.match(last(), { state: 'installed', begunBy: 'other', error: null, restartNeeded: true });
  t.ok(readFileSync(target).equals(image), 'it is installed');
  t.ok(own.isThere(), 'and ours is kept');
  t.same(
    lines.filter(({ by }) => by !== undefined).map(({ event, by }) => [event, by]),
    [
      ['update_started', 'another program'],
      ['update_installed', 'another program'],
    ],
  );
  await until(() => server.feedback.some((text) => text.includes('All Chunks Installed')));
});

t.test('refused by SWUpdate: failed, and ours need not wait any more', async (t) => {
  const directory = makeDevice(t);
  const target = join(directory, 'installed');
  makeBundle(directory, 'maker', target);
  const server = await new Hawkbit(makeBundle(directory, 'stranger', target)).start(t);
  const installer = new SwupdateInstaller();
  t.teardown(() => installer.close());
  const scene = await startScene(t, { adapter: 'swupdate', loadInstaller: async () => installer });
  startDaemon(t, directory, 'maker', server.url);
  await until(() => scene.documents.at(-1)?.state === 'failed');
  t.match(scene.last(), { begunBy: 'other', error: /SWUpdate's log says why/ });
  t.equal(scene.manager.receiveRefusal(), undefined);
});
