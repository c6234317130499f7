// SPDX-License-Identifier: Apache-2.0
// The built server under a service manager: what it tells it, sockets of a socket unit, and
// listeners that outlive a restart in the descriptor store.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Manager } from './manager.js';
import { beginDownload, runCli } from './server.js';

let names = 0;
const freshName = (): string => {
  names += 1;
  return `@spliced-test-${process.pid}-${names}`;
};

async function newManager(
  t: Test,
  sockets: [string, number][],
  args: string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Manager> {
  // Not t.testdir(), of which a test has but one.
  const directory = mkdtempSync(join(tmpdir(), 'spliced-test-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const own = ['--state-dir', join(directory, 'state')];
  const manager = await Manager.create(freshName(), sockets, [...own, ...args], env);
  t.teardown(() => manager.end());
  return manager;
}

function get(port: number, path = '/'): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false };
    request(options, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
      response.on('error', reject);
    })
      .on('error', reject)
      .end();
  });
}

const portOf = (manager: Manager): number =>
  (manager.event('ready')?.listeners as { port: number }[] | undefined)?.[0]?.port ?? 0;

t.test('READY and STATUS, RELOADING, STOPPING', async (t) => {
  const manager = await newManager(t, [], ['--listen', '127.0.0.1:0']);
  const beforeUsec = process.hrtime.bigint() / 1000n;
  const [ready] = await manager.start();
  t.match(ready?.told, {
    READY: '1',
    STATUS:
      /^Serving https:\/\/127\.0\.0\.1:\d+\/: \d connections?, .*TLS.*, certificate valid for 36\d days$/,
  });
  const environment = readFileSync(`/proc/${manager.pid}/environ`, 'latin1');
  t.match(environment, 'NOTIFY_SOCKET', 'it was there at the start');

  manager.command('signal SIGHUP');
  await manager.until(
    'the second READY',
    () => manager.told.filter((m) => m.told.READY).length > 1,
  );
  const reloading = manager.told.find(({ told }) => told.RELOADING)?.told;
  const usec = BigInt(reloading?.MONOTONIC_USEC ?? 0);
  t.ok(usec > beforeUsec && usec < process.hrtime.bigint() / 1000n, 'CLOCK_MONOTONIC, in us');
  const order = manager.told.map(({ told }) =>
    told.RELOADING ? 'RELOADING' : told.READY && 'READY',
  );
  t.same(order.filter(Boolean), ['READY', 'RELOADING', 'READY']);
  const again = manager.told.findLast(({ told }) => told.READY)?.told;
  t.match(again, { MAINPID: String(manager.pid) }, 'that of a reload is by systemd-notify');

  t.equal(await manager.signal('SIGTERM'), 0);
  t.match(manager.told.at(-1)?.told, { STOPPING: '1', STATUS: 'Finishing active responses' });
});

t.test('without the program systemd-notify it is a datagram', async (t) => {
  const manager = await newManager(t, [], ['--listen', '127.0.0.1:0'], { PATH: t.testdir() });
  const [ready] = await manager.start();
  t.match(ready?.told, { READY: '1', STATUS: /^Serving/ });
  const before = manager.told.length;
  manager.command('signal SIGHUP');
  await manager.until('READY', () => manager.told.slice(before).some((m) => m.told.READY));
  t.match(manager.told.at(-1)?.told, { READY: '1', STATUS: /^Serving/ });
  t.match(manager.event('notify_failed'), { reason: /systemd-notify/ });
});

t.test('a refused configuration is told, and what waits for a restart', async (t) => {
  const directory = t.testdir({ 'spliced.toml': '' });
  const file = join(directory, 'spliced.toml');
  const manager = await newManager(t, [], ['--listen', '127.0.0.1:0', '--config', file]);
  await manager.start();
  for (const [text, status] of [
    ['log.level = 1', /refused \(1 error in the log\)$/],
    ['ring = "epoll"', /days; ring waits for a restart$/],
    ['ring = "epoll"\nengines = 1', /days; ring, engines wait for a restart$/],
    ['log.level = 1', /refused \(1 error in the log\); ring, engines wait for a restart$/],
    ['', /days$/],
  ] as const) {
    writeFileSync(file, text);
    const before = manager.told.length;
    manager.command('signal SIGHUP');
    await manager.until('READY', () => manager.told.slice(before).some((m) => m.told.READY));
    t.match(manager.told.at(-1)?.told.STATUS, status);
  }
});

t.test('sockets by name: served, or closed and told; the setting has no effect', async (t) => {
  const sockets: [string, number][] = [
    ['https', 0],
    ['https-service', 0],
    ['telnet', 0],
  ];
  const manager = await newManager(t, sockets, ['--listen', '192.0.2.1:1']);
  await manager.start();
  const [first = 0, second = 0] = manager.ports;
  t.match(manager.event('socket_activation'), { sockets: ['https', 'https-service'] });
  t.match(manager.event('socket_unknown'), { name: 'telnet' });
  t.match(manager.event('ready')?.listeners, [{ port: first }, { port: second }]);
  t.equal(await get(first), 200);
  t.equal(await get(second), 200);
  t.notOk(
    manager.told.some(({ told }) => told.FDSTORE),
    'the socket unit keeps them',
  );
  t.equal(await manager.signal('SIGTERM'), 0);
});

/** The status of a plain HTTP request, and where it leads. */
function getPlain(port: number): Promise<{ status: number; location: string }> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, agent: false, headers: { Host: 'gate' } };
    plainRequest(options, (response) => {
      response.resume();
      const { statusCode: status = 0, headers } = response;
      response.on('end', () => resolve({ status, location: headers.location ?? '' }));
    })
      .on('error', reject)
      .end();
  });
}

t.test('plain HTTP on a socket of the name http', async (t) => {
  const sockets: [string, number][] = [
    ['https', 0],
    ['http', 0],
  ];
  // An address that could not be bound: the setting has no effect.
  const env = { SPLICED_LISTEN_HTTP: '192.0.2.1:1' };
  const manager = await newManager(t, sockets, [], env);
  await manager.start();
  const [https = 0, http = 0] = manager.ports;
  t.match(manager.event('plain_http')?.listeners, [{ port: http }]);
  t.same(await getPlain(http), { status: 308, location: `https://gate:${https}/` });
  t.notOk(manager.event('socket_unknown'));
  t.notOk(manager.told.some(({ told }) => told.FDSTORE));
  t.equal(await manager.signal('SIGTERM'), 0);
  const waiting = getPlain(http); // Into the queue: nobody accepts.
  await manager.start();
  t.equal((await waiting).status, 308, 'came while nobody served');
  t.equal(await manager.signal('SIGTERM'), 0);
});

t.test('the store keeps plain HTTP, too', async (t) => {
  const probe = await newManager(t, [['x', 0]]);
  const port = probe.ports[0] ?? 0;
  await probe.end();
  const env = { SPLICED_LISTEN_HTTP: `127.0.0.1:${port}` };
  const manager = await newManager(t, [], ['--listen', '127.0.0.1:0'], env);
  await manager.start();
  const stored = manager.told.find(({ told }) => told.FDSTORE);
  t.match(stored, { told: { FDNAME: `listen_http-127.0.0.1-${port}` }, fds: 1 });
  t.equal(await manager.signal('SIGTERM'), 0);
  const waiting = getPlain(port);
  await manager.start();
  t.equal((await waiting).status, 308, 'came while nobody served');
  t.match(manager.event('listeners_kept'), { kept: [`listen_http-127.0.0.1-${port}`] });
  t.equal(manager.told.filter(({ told }) => told.FDSTORE).length, 1, 'stored once');
  t.equal(await manager.signal('SIGTERM'), 0);
});

t.test('READY waits for an answer to ourselves', async (t) => {
  // The only place for a connection is taken by one that came before the server, and says nothing.
  const env = { SPLICED_CONNECTIONS_MAX: '1', SPLICED_HANDSHAKE_TIMEOUT_MS: '1500' };
  const manager = await newManager(t, [['https', 0]], [], env);
  const silent = connect({ host: '127.0.0.1', port: manager.ports[0] ?? 0 });
  silent.on('error', () => {});
  t.teardown(() => silent.destroy());
  const closed = new Promise((resolve) => silent.on('close', resolve));
  let isClosed = false;
  void closed.then(() => {
    isClosed = true;
  });
  await manager.start();
  // One engine closed it and another answered: READY may be here before the end of the connection is.
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 300))]);
  t.ok(isClosed, 'not before there was a place');
  t.equal(await manager.signal('SIGTERM'), 0);
});

t.test('what is no listening TCP socket is refused', async (t) => {
  const directory = t.testdir();
  const program = `import os, socket
fd = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
os.dup2(fd.fileno(), 3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="https")
os.execvp("${process.execPath}", ["node", "dist/cli.js", "serve", "--state-dir", "${directory}"])`;
  const ended = spawnSync('python3', ['-c', program], { encoding: 'utf8' });
  t.equal(ended.status, 2);
  t.match(ended.stderr, /^spliced: descriptor 3 from the service manager is not a listening/);
});

t.test('sockets for another process are not ours', async (t) => {
  const env = { LISTEN_PID: '1', LISTEN_FDS: '1', LISTEN_FDNAMES: 'https' };
  const manager = await newManager(t, [], ['--listen', '127.0.0.1:0'], env);
  await manager.start();
  t.equal(manager.event('socket_activation'), undefined);
  t.equal(await get(portOf(manager)), 200);
});

t.test('the store: a restart refuses nobody, a changed address is given up', async (t) => {
  const probe = await newManager(t, [['x', 0]]);
  const port = probe.ports[0] ?? 0;
  await probe.end();
  const directory = t.testdir({ 'spliced.toml': `listen = ["127.0.0.1:${port}"]` });
  const file = join(directory, 'spliced.toml');
  const manager = await newManager(t, [], ['--config', file]);
  await manager.start();
  const stored = manager.told.find(({ told }) => told.FDSTORE);
  t.match(stored, { told: { FDNAME: `listen-127.0.0.1-${port}` }, fds: 1 });

  t.equal(await manager.signal('SIGTERM'), 0);
  const waiting = get(port); // Into the queue: nobody accepts.
  const before = manager.told.length;
  await manager.start();
  t.equal(await waiting, 200, 'came while nobody served');
  t.match(manager.event('listeners_kept'), { kept: [`listen-127.0.0.1-${port}`], dropped: [] });
  t.notOk(
    manager.told.slice(before).some(({ told }) => told.FDSTORE),
    'what is kept is not stored again',
  );

  t.equal(await manager.signal('SIGTERM'), 0);
  writeFileSync(file, `listen = ["0.0.0.0:${port}"]`);
  await manager.start();
  t.match(manager.event('listeners_kept'), { kept: [], dropped: [`listen-127.0.0.1-${port}`] });
  t.ok(manager.told.some(({ told }) => told.FDSTOREREMOVE && told.FDNAME));
  t.equal(await get(port), 200, 'the port was free at once');
  t.equal(await manager.signal('SIGTERM'), 0);
});

t.test('spliced drain --wait', async (t) => {
  const directory = t.testdir();
  const state = ['--state-dir', join(directory, 'state')];
  const nothing = await runCli(['drain', '--wait', ...state]);
  t.match(nothing, { code: 2, stderr: /^spliced: nothing serves with the state directory/ });

  const manager = await Manager.create(freshName(), [], [...state, '--listen', '127.0.0.1:0']);
  t.teardown(() => manager.end());
  await manager.start();
  const download = await beginDownload(portOf(manager), '/');
  const drained = runCli(['drain', '--wait', ...state]);
  await manager.until('the stop', () => manager.event('stopping') !== undefined);
  t.ok((await download.read()) > 0);
  const { code, stdout } = await drained;
  t.equal(code, 0);
  t.match(JSON.parse(stdout), { pid: manager.pid, aborted: 0, requests: Number });
  t.match(
    await runCli(['drain', ...state]),
    { code: 2 },
    'a record of a dead process is no process',
  );
});
