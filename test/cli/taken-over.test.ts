// SPDX-License-Identifier: Apache-2.0
// What root does on a service that was taken over: whatever its user puts into its directory, and
// whenever, no file and no process of root's is touched, and the command says what is wrong.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runCli } from './server.js';
import { isRoot, type TakenOver, takeOver, ticksOf, userId } from './taken-over.js';

const needsRoot = isRoot ? {} : { skip: 'root is what it is about' };

const link = (path: string, to: string): void => {
  symlinkSync(to, path);
  lchownSync(path, userId, userId);
};

const bundleBytes = 32 * 1024 * 1024;

function bundleOf({ directory }: TakenOver): string {
  const bundle = join(directory, 'bundle');
  // The service could not read it itself. Its copy takes long enough for a race.
  writeFileSync(bundle, Buffer.alloc(bundleBytes, 'the bundle '), { mode: 0o600 });
  return bundle;
}

const install = (scene: TakenOver) => runCli(['update', 'install', bundleOf(scene), ...scene.own]);

t.test('update install: the copy is the service user’s', needsRoot, async (t) => {
  const scene = takeOver(t);
  const child = await scene.start({
    'POST /update/install': `
      const found = 'update/' + JSON.parse(body).file;
      fs.writeFileSync('seen', fs.statSync(found).size + ' ' + fs.statSync(found).uid);`,
  });
  t.match(await install(scene), { code: 0, stdout: /^installed/, stderr: '' });
  t.equal(readFileSync(join(scene.stateDir, 'seen'), 'utf8'), `${bundleBytes} ${userId}`);
  t.equal(lstatSync(join(scene.stateDir, 'update')).uid, userId);
  child.kill();
});

const swapDirectory = `
  fs.rmSync('update', { recursive: true, force: true });
  fs.symlinkSync(path.dirname(victim), 'update');`;

// Until the end of the process: every name that appears there is a link at once.
const swapFiles = `
  fs.mkdirSync('update', { recursive: true });
  const swap = () => {
    const until = Date.now() + 20;
    while (Date.now() < until) {
      for (const name of fs.readdirSync('update')) {
        try {
          if (fs.lstatSync('update/' + name).isSymbolicLink()) continue;
          fs.unlinkSync('update/' + name);
          fs.symlinkSync(victim, 'update/' + name);
        } catch {}
      }
    }
    setImmediate(swap);
  };
  setImmediate(swap);`;

const swapAtInstall = (end: string) => `
  const name = 'update/' + JSON.parse(body).file;
  fs.unlinkSync(name);
  fs.symlinkSync(victim, name);
  return '${end}';`;

const moments: Record<string, Record<string, string>> = {
  'the directory is a link from the start': { start: swapDirectory },
  'the directory becomes a link when it is asked for': { 'GET /configuration': swapDirectory },
  'each file is swapped for a link at once': { start: swapFiles },
  'the file is swapped before the installation': {
    'POST /update/install': swapAtInstall('installed'),
  },
  'and before its removal': { 'POST /update/install': swapAtInstall('failed') },
};

for (const [moment, on] of Object.entries(moments)) {
  t.test(`update install: ${moment}`, needsRoot, async (t) => {
    const scene = takeOver(t);
    await scene.start(on);
    const { signal } = await install(scene);
    t.equal(signal, null, 'it came to an end');
    scene.assertIntact();
    t.same(readdirSync(scene.directory).sort(), ['bundle', 'state', 'victim']);
  });
}

t.test('a file that the service’s user can turn is not read for him', needsRoot, async (t) => {
  const scene = takeOver(t);
  await scene.start();
  const planted = join(scene.stateDir, 'new');
  link(planted, scene.victim);
  for (const command of [
    ['update', 'install', planted],
    ['certificate', 'install', planted],
  ]) {
    const refused = await runCli([...command, ...scene.own]);
    t.match(refused, { code: 2, stderr: /new: "new" is a symbolic link of user 65534 there/ });
  }
  t.notOk(existsSync(join(scene.stateDir, 'update')), 'no copy was begun');
});

/** A process of root's that goes on until its test is over. */
function bystander(t: Test): ChildProcess & { pid: number } {
  const child = spawn('sleep', ['600']);
  t.teardown(() => child.kill('SIGKILL'));
  return child as ChildProcess & { pid: number };
}

const record = (scene: TakenOver, pid: number, uid = userId): void => {
  const file = join(scene.stateDir, 'service.json');
  writeFileSync(file, JSON.stringify({ pid, startTicks: ticksOf(pid), listeners: [] }));
  chownSync(file, uid, uid);
};

t.test('drain signals the service and nobody else', needsRoot, async (t) => {
  const drain = (scene: TakenOver, ...more: string[]) => runCli(['drain', ...scene.own, ...more]);
  await t.test('the service', async (t) => {
    const scene = takeOver(t);
    const child = await scene.start();
    t.match(await drain(scene, '--wait'), {
      code: 0,
      stderr: '',
      stdout: `{"pid":${child.pid}}\n`,
    });
  });
  await t.test('a process of root’s that its record names', async (t) => {
    const scene = takeOver(t);
    const other = bystander(t);
    record(scene, other.pid);
    const refused = await drain(scene);
    t.match(refused, { code: 2, stderr: /names process \d+, which is not the service/ });
    t.match(refused.stderr, /it belongs to user 0,.*nothing was signalled/);
    t.equal(other.exitCode ?? other.signalCode, null, 'it goes on');
  });
  await t.test('while the service listens', async (t) => {
    const scene = takeOver(t);
    await scene.start();
    const other = bystander(t);
    record(scene, other.pid);
    const refused = await drain(scene);
    t.match(refused, { code: 2, stderr: /and process \d+ listens on its api\.sock: nothing was/ });
    t.equal(other.exitCode ?? other.signalCode, null, 'it goes on');
  });
  await t.test('another program in a directory of root’s own', async (t) => {
    const scene = takeOver(t);
    chownSync(scene.stateDir, 0, 0);
    const other = bystander(t);
    record(scene, other.pid, 0);
    t.match(await drain(scene), {
      code: 2,
      stderr: /it is another program.*nothing was signalled/,
    });
    t.equal(other.exitCode ?? other.signalCode, null, 'it goes on');
  });
  await t.test('a process of another user that its record names', async (t) => {
    const scene = takeOver(t);
    const other = spawn('sleep', ['600'], { uid: userId - 1 });
    t.teardown(() => other.kill('SIGKILL'));
    record(scene, other.pid ?? 0);
    t.match(await drain(scene), { code: 2, stderr: /it belongs to user 65533,/ });
    t.equal(other.exitCode ?? other.signalCode, null, 'it goes on');
  });
});

t.test('its record is a link, a pipe or another user’s', needsRoot, async (t) => {
  const scene = takeOver(t);
  const file = join(scene.stateDir, 'service.json');
  link(file, scene.victim);
  t.match(await runCli(['status', ...scene.own]), { code: 2, stderr: /ELOOP/ });
  const other = takeOver(t);
  spawnSync('mkfifo', [join(other.stateDir, 'service.json')]);
  chownSync(join(other.stateDir, 'service.json'), userId, userId);
  t.match(await runCli(['status', ...other.own]), { code: 2 }, 'it does not wait for a writer');
  const third = takeOver(t);
  record(third, process.pid, userId - 1);
  const refused = await runCli(['status', ...third.own]);
  t.match(refused, { code: 2, stderr: /service\.json belongs to user 65533/ });
});

t.test('its api.sock leads elsewhere', needsRoot, async (t) => {
  const [scene, other] = [takeOver(t), takeOver(t)];
  const child = await other.start();
  record(scene, child.pid ?? 0);
  link(join(scene.stateDir, 'api.sock'), join(other.stateDir, 'api.sock'));
  t.match(await runCli(['status', ...scene.own]), {
    code: 2,
    stderr: /api\.sock: it is no socket/,
  });
});

t.test('token: planted links are replaced, not followed', needsRoot, async (t) => {
  const scene = takeOver(t);
  await scene.start();
  const [token, made] = ['api-token', 'api-token.new'].map((name) => join(scene.stateDir, name));
  link(token ?? '', scene.victim);
  link(made ?? '', scene.victim);
  t.match(await runCli(['token', ...scene.own]), { code: 0, stdout: /^spliced_/ });
  scene.assertIntact();
  t.match(lstatSync(token ?? ''), { uid: userId, gid: userId, mode: 0o100600 });
  t.match(await runCli(['token', '--revoke', ...scene.own]), { code: 0 });
  scene.assertIntact();
});

t.test('certificate renew, ca and show', needsRoot, async (t) => {
  const scene = takeOver(t);
  const device = join(scene.stateDir, 'certificates', 'device');
  mkdirSync(device, { recursive: true });
  for (const path of [join(device, '..'), device]) chownSync(path, userId, userId);
  link(join(device, 'renew-now'), scene.victim);
  t.match(await runCli(['certificate', 'renew', ...scene.own]), { code: 0, stdout: /device/ });
  scene.assertIntact();
  link(join(scene.stateDir, 'certificates', 'authority'), '/');
  t.match(await runCli(['certificate', 'ca', ...scene.own]), { code: 1, stderr: /no authority/ });
  t.match(await runCli(['certificate', 'show', ...scene.own]), { code: 0 });
});

t.test('the directory itself', needsRoot, async (t) => {
  const scene = takeOver(t);
  await scene.start();
  const planted = join(scene.stateDir, 'elsewhere');
  link(planted, scene.directory);
  const followed = await runCli(['status', '--state-dir', join(planted, 'state')]);
  t.match(followed, { code: 2, stderr: /"elsewhere" is a symbolic link of user 65534/ });
  const trusted = join(scene.directory, 'link');
  symlinkSync(scene.stateDir, trusted);
  t.match(
    await runCli(['log', '--lines', '0', '--state-dir', trusted]),
    { stderr: '' },
    'root’s is',
  );
  chmodSync(scene.stateDir, 0o777);
  const open = await runCli(['token', ...scene.own]);
  t.match(open, {
    code: 2,
    stderr: /users other than its owner may write there \(mode 777\).*chmod go-w/,
  });
});
