// SPDX-License-Identifier: Apache-2.0
// A start whose state directory is on a file system that is mounted read-only, and on one that is
// full: real ones, in a mount namespace of their own.

import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { fresh, isTold, makeDue, root } from './faults.js';
import { beginDownload, type Ended, logLines, runCli, startServer } from './server.js';

const due = await makeDue();
const canMount = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;
const unmountable = canMount ? {} : { skip: 'no mount namespaces here' };

/** Starts in a mount namespace, with the state directory after `commands`. */
function startMounted(directory: string, commands: string, env: NodeJS.ProcessEnv = {}) {
  const serve = `"${process.execPath}" dist/cli.js serve --listen 127.0.0.1:0 --root "${root}"`;
  const script = `cd / && state="${directory}/state" && ${commands} && cd "$OLDPWD" && exec ${serve} --state-dir "$state"`;
  return startServer(['unshare', '-m', 'sh', '-c', script], env);
}

t.test('a state directory that is mounted read-only', unmountable, async (t) => {
  const directory = fresh(due);
  const commands = 'mount --bind "$state" "$state" && mount -o remount,bind,ro "$state"';
  const server = await startMounted(directory, commands);
  t.equal(await (await beginDownload(server.port, '/')).read(), 5);
  server.child.kill('SIGTERM');
  const { code, stdout } = await server.ended;
  t.equal(code, 0);
  const failed = logLines(stdout).filter(({ event }) => event === 'housekeeping_failed');
  t.match(failed[0], { level: 'warn', what: /\w/, reason: /^EROFS: / });
  t.ok(failed.length >= 2);
  const empty = fresh('');
  const onTop = `mkdir -p "$state" && mount -t tmpfs -o ro none "$state" && state="$state/new"`;
  await t.rejects(startMounted(empty, onTop), {
    message: /ended with 2 .*: spliced: --state-dir: cannot be used: EROFS: .*\/state\/new'/,
  });
});

/** The API is there soon after READY. */
async function statusWithin(runDir: string): Promise<Ended> {
  const ask = () => runCli(['status', '--json', '--state-dir', runDir]);
  let told = await ask();
  for (let i = 0; i < 50 && told.code !== 0; i += 1) told = await ask();
  return told;
}

t.test('operators are let in all the same', unmountable, async (t) => {
  const directory = fresh(due);
  const runtime = join(directory, 'run');
  mkdirSync(runtime, { mode: 0o700 });
  const commands = 'mount --bind "$state" "$state" && mount -o remount,bind,ro "$state"';
  const server = await startMounted(directory, commands, { RUNTIME_DIRECTORY: runtime });
  const told = await statusWithin(runtime);
  const { housekeeping } = JSON.parse(told.stdout);
  t.match(JSON.stringify(housekeeping), /EROFS/);
  // The page's way.
  t.equal((await beginDownload(server.port, '/.spliced/api/v1/status')).status, 200);
  server.child.kill('SIGTERM');
  const { code, stdout } = await server.ended;
  t.equal(code, 0);
  t.same(
    logLines(stdout).filter(({ event }) => event === 'api_unavailable'),
    [],
  );
});

t.test('the commands find it in /run/spliced', unmountable, async (t) => {
  const directory = fresh(due);
  // The places of the installed service, in a mount namespace of its own.
  const commands =
    'mount -t tmpfs none /run && mount -t tmpfs none /var/lib && mkdir -m 700 /run/spliced && ' +
    'cp -a "$state" /var/lib/spliced && mount --bind /var/lib/spliced /var/lib/spliced && ' +
    'mount -o remount,bind,ro /var/lib/spliced && state=/var/lib/spliced';
  const server = await startMounted(directory, commands, { RUNTIME_DIRECTORY: '/run/spliced' });
  // With its root, too: the namespace's own is not ours where we run in a chroot.
  const into = ['-t', String(server.child.pid), '-m', '-r'];
  const there = ['sh', '-c', 'cd / && exec "$@"', '-', process.execPath, resolve('dist/cli.js')];
  const ask = () => spawnSync('nsenter', [...into, ...there, 'status'], { encoding: 'utf8' });
  let told = ask();
  for (let i = 0; i < 50 && told.status !== 0; i += 1) told = ask();
  t.match(told, { status: 0, stderr: /about the installed service/ });
  server.child.kill('SIGTERM');
  t.equal((await server.ended).code, 0);
});

t.test('a state directory that is full, until somebody makes room', unmountable, async (t) => {
  const directory = fresh('');
  const commands =
    `mkdir -p "$state" && mount -t tmpfs -o size=256k none "$state" && cp -a "${due}/." "$state" && ` +
    '{ dd if=/dev/zero of="$state/filler" bs=4k 2>/dev/null || true; }';
  const server = await startMounted(directory, commands);
  let stdout = '';
  const isThere = (event: string, what: string) =>
    logLines(stdout).some((line) => line.event === event && line.what === what);
  const said = new Promise<void>((resolve) => {
    server.child.stdout?.on('data', (data) => {
      stdout += data;
      if (isThere('housekeeping_done', 'writing service.json')) resolve();
    });
  });
  t.equal(await (await beginDownload(server.port, '/')).read(), 5);
  rmSync(`/proc/${server.child.pid}/root${directory}/state/filler`);
  await said;
  server.child.kill('SIGTERM');
  const ended = await server.ended;
  t.equal(ended.code, 0);
  const lines = logLines(ended.stdout);
  t.ok(isTold(lines, 'ENOSPC'));
  const renewal = lines.find(({ event }) => event === 'certificate_not_renewed');
  t.match(renewal, { level: 'error', reason: /cannot store a certificate: ENOSPC/ });
});
