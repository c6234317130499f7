// SPDX-License-Identifier: Apache-2.0
// The built server under a watchdog: attested while it works; withheld while its engine's thread or
// its event loop is frozen from outside (freeze.py), of which the other half of it knows nothing.

import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Manager } from './manager.js';

// Short for a test; a unit has 30 s or more.
const periodMs = 2_000;

let names = 0;

async function startWatched(t: Test): Promise<Manager> {
  const directory = mkdtempSync(join(tmpdir(), 'spliced-test-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  names += 1;
  const args = ['--state-dir', join(directory, 'state'), '--listen', '127.0.0.1:0'];
  const env = { WATCHDOG_USEC: String(periodMs * 1_000) };
  const name = `@spliced-watchdog-${process.pid}-${names}`;
  const manager = await Manager.create(name, [], args, env);
  t.teardown(() => manager.end());
  await manager.start();
  return manager;
}

const attested = ({ told }: Manager): number => told.filter((m) => m.told.WATCHDOG === '1').length;
const events = ({ log }: Manager, event: string) => log.filter((line) => line.event === event);

const portOf = (manager: Manager): number =>
  (manager.event('ready')?.listeners as { port: number }[] | undefined)?.[0]?.port ?? 0;

async function attestsAgain(manager: Manager, times = 3): Promise<void> {
  const before = attested(manager);
  await manager.until('WATCHDOG=1', () => attested(manager) >= before + times);
}

/** The id of the thread of that name; of the process itself is the event loop's. */
function threadOf(pid: number, name: string): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const isIt = (tid: string): boolean =>
    readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8').startsWith(name);
  return Number(tasks.find(isIt));
}

/** Freezes a thread; the answer lets it go. Undefined with the reason when this is not allowed. */
async function freeze(t: Test, thread: number): Promise<(() => Promise<void>) | string> {
  const child = spawn('python3', ['test/cli/freeze.py', String(thread)]);
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  t.teardown(() => child.kill('SIGKILL'));
  const said = await new Promise<string>((resolve) => {
    child.stdout.once('data', (data: Buffer) => resolve(data.toString().trim()));
    child.on('close', () => resolve('freeze.py ended without a word'));
  });
  if (said !== 'frozen') return said;
  return () => {
    child.stdin.end();
    return ended;
  };
}

function status(port: number): Promise<Record<string, Record<string, unknown>>> {
  return new Promise((resolve, reject) => {
    const path = '/.spliced/status';
    const options = { host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false };
    const outgoing = request(options, (response) => {
      let text = '';
      response.on('data', (data) => {
        text += data;
      });
      response.on('end', () => resolve(JSON.parse(text)));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

t.test('attested while it works, and until the end of a stop', async (t) => {
  const manager = await startWatched(t);
  await attestsAgain(manager, 5);
  const port = portOf(manager);
  const { canary, watchdog, accelerator } = await status(port);
  t.match(canary, { failed: 0, lastError: '' });
  t.ok(Number(canary?.ok) > 0);
  t.match(watchdog, { periodMs, withheld: 0, missing: [] });
  t.match(accelerator, { suspended: false });
  t.equal(await manager.signal('SIGTERM'), 0);
  const [stopped] = events(manager, 'stopped');
  t.match(stopped, { aborted: 0 });
  t.equal(manager.log.at(-1), stopped, 'the last line has the figures');
});

t.test('withheld while the engine thread is frozen', async (t) => {
  const manager = await startWatched(t);
  await attestsAgain(manager);
  // One of them is enough: each is attested.
  const thaw = await freeze(t, threadOf(manager.pid, 'spliced-engine'));
  if (typeof thaw === 'string') {
    t.plan(0, `ptrace is not allowed here: ${thaw}`);
    return;
  }
  await manager.until('watchdog_withheld', () => events(manager, 'watchdog_withheld').length > 0);
  t.match(events(manager, 'watchdog_withheld')[0], {
    level: 'error',
    securityEvent: 'SPLICED-WATCHDOG-WITHHELD',
  });
  t.match(String(events(manager, 'watchdog_withheld')[0]?.missing), /engine/);
  const before = attested(manager);
  await sleep(periodMs * 2);
  t.equal(attested(manager), before, 'systemd would have killed it by now');
  t.match(manager.told.at(-1)?.told.STATUS, /watchdog withheld: .*engine/);
  await thaw();
  await attestsAgain(manager);
  t.ok(events(manager, 'watchdog_resumed').length > 0);
  t.equal(await manager.signal('SIGTERM'), 0);
});

t.test('nothing is sent while the event loop is frozen, though the engine serves', async (t) => {
  const manager = await startWatched(t);
  const port = portOf(manager);
  await attestsAgain(manager);
  const thaw = await freeze(t, manager.pid);
  if (typeof thaw === 'string') {
    t.plan(0, `ptrace is not allowed here: ${thaw}`);
    return;
  }
  t.ok((await status(port)).connections, 'the data plane does not need it');
  await sleep(100); // What was on its way.
  const before = attested(manager);
  await sleep(periodMs * 2);
  t.equal(attested(manager), before, 'systemd would have killed it by now');
  await thaw();
  await attestsAgain(manager);
  t.match(events(manager, 'watchdog_withheld')[0]?.missing, ['event_loop']);
  t.equal(await manager.signal('SIGTERM'), 0);
});
