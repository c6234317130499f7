// SPDX-License-Identifier: Apache-2.0
// The API of a real service: what each route does to it, and the commands that use it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { ask, from, post } from '../unit/api/client.js';
import { descriptionOf, judgeBy } from '../unit/api/described.js';
import { socketOf, startWithApi } from './api.js';
import { beginDownload, logLines, runCli, startCli } from './server.js';

// More than the sockets' buffers hold.
const largeBytes = 24 << 20;

t.test('status, metrics, log and description', async (t) => {
  const { server, local, proxy, own } = await startWithApi(t);
  await (await beginDownload(server.port, '/index.html')).read();
  const status = await ask(local, '/status');
  t.match(status.json, { version: String, requests: { total: 1, byStatus: { 200: 1 } } });
  const onDevice = await ask(proxy, '/status', { headers: from('127.0.0.1') });
  t.equal(onDevice.status, 200);
  t.match((await ask(local, '/metrics')).text, /^spliced_responses_total\{code="200"\} 1$/m);
  t.match((await ask(local, '/log?follow=false')).text, /^data: \{.*"event":"ready"/m);
  const { problemOf } = judgeBy(await descriptionOf(local));
  const more = ['/certificates/authority', '/certificates/requests', '/openapi.json'];
  for (const path of ['/status', '/metrics', '/certificates', '/configuration', ...more]) {
    t.equal(problemOf('get', path, await ask(local, path)), '', `${path} is as described`);
  }

  const table = await runCli(['status', ...own]);
  t.match(table, { code: 0, stderr: '' });
  for (const row of [
    /^version +\d+\.\d+\.\d+, up \d+ s, (io_uring|epoll)$/m,
    /^kernel TLS +\S/m,
    /^requests +1 \(200: 1\)$/m,
    /^certificates +CN=.*, 36\d days left, until \d{4}-\d\d-\d\d \(device\)$/m,
  ]) {
    t.match(table.stdout, row);
  }
  const whole = await runCli(['status', '--json', ...own]);
  t.match(JSON.parse(whole.stdout), { version: String, drains: {} });
  const lines = logLines((await runCli(['log', '--lines', '2', ...own])).stdout);
  t.equal(lines.length, 2);
  t.same(
    lines.map(({ event }) => event),
    ['ready', 'device_unclaimed'],
  );
  const wrong = await runCli(['log', '--lines', '1001', ...own]);
  t.match(wrong, { code: 2, stderr: /^spliced: --lines: must be .* 0 to 1000; it is 1001\n$/ });
});

t.test('the log goes on until the service ends', async (t) => {
  const { server, local, own } = await startWithApi(t);
  const args = ['dist/cli.js', 'log', '--follow', '--lines', '0', ...own];
  const reader = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => reader.kill('SIGKILL'));
  const lines = createInterface({ input: reader.stdout });
  const next = async () => JSON.parse(String((await once(lines, 'line'))[0]));
  const first = next();
  // Until the reader is there, nothing of this is for it.
  let isThere = false;
  void first.then(() => {
    isThere = true;
  });
  while (!isThere) {
    await post(local, '/reload');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.match((await first).event, /^(reloaded|api_changed)$/);
  const exit = once(reader, 'exit');
  server.child.kill('SIGTERM');
  t.same((await exit)[0], 0);
  t.match(await server.ended, { code: 0 });
});

t.test('configuration and reload', async (t) => {
  const directory = t.testdir({ root: {} });
  const config = join(directory, 'spliced.toml');
  writeFileSync(config, `root = "${directory}/root"\n`);
  const server = await startCli(directory, ['--config', config]);
  t.teardown(() => server.child.kill('SIGKILL'));
  await socketOf(join(directory, 'state'));
  const local = join(directory, 'state/api.sock');
  const root = { value: `${directory}/root`, origin: { kind: 'file', path: config, line: 1 } };
  t.match((await ask(local, '/configuration')).json, { files: [config], settings: { root } });
  const check = (body: string) => {
    const headers = { 'content-type': 'application/toml' };
    return ask(local, '/configuration/check', { method: 'POST', headers, body });
  };
  t.same((await check(`root = "${directory}/root"`)).json, {
    valid: true,
    errors: [],
    warnings: [],
  });
  t.match((await check('rooot = 1\n[log]\nlevel = "loud"\nx = = 1\n')).json, {
    valid: false,
    errors: [
      { line: 1, key: 'rooot', message: /^there is no such key; did you mean root\?$/ },
      { line: 3, key: 'log.level', message: /^must be one of/ },
      { line: 4, message: /^is not TOML/ },
    ],
  });
  t.match((await check('\nroot = "/nowhere"\n')).json, {
    errors: [{ line: 2, key: 'root', message: /^cannot be served: ENOENT/ }],
  });

  writeFileSync(config, `root = "${directory}/root"\nring = "epoll"\nlog.level = "warn"\n`);
  t.same((await post(local, '/reload')).json, {
    applied: ['log.level'],
    restartRequired: ['ring'],
  });
  t.match((await ask(local, '/configuration')).json, {
    settings: { ring: { value: 'auto' }, 'log.level': { value: 'warn' } },
  });
  writeFileSync(config, 'rooot = 1\n');
  t.match(await post(local, '/reload'), {
    status: 422,
    json: { errors: [{ line: 1, key: 'rooot' }], detail: /^Nothing was changed/ },
  });
});

t.test('drain, with what is active', async (t) => {
  const { server, directory, stateDir, local } = await startWithApi(t);
  writeFileSync(join(directory, 'root/big'), Buffer.alloc(largeBytes));
  const download = await beginDownload(server.port, '/big');
  t.match(await post(local, '/drain'), { status: 202, json: { draining: true } });
  // A second signal would end it at once, unless it follows within 100 ms (commands/serve.ts).
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.equal((await post(local, '/drain')).status, 202, 'again, which does not hurry it');
  t.equal((await ask(local, '/status')).status, 200, 'it still answers');
  t.match(await post(local, '/reload'), { status: 503 });
  t.equal(await download.read(), largeBytes);
  const { code, stdout } = await server.ended;
  t.equal(code, 0);
  const stopped = logLines(stdout).at(-1);
  t.match(stopped, { event: 'stopped', aborted: 0 });
  for (const name of ['api.sock', 'proxy.sock']) t.notOk(existsSync(join(stateDir, name)));
});

t.test('two services with one state directory', async (t) => {
  const { server, stateDir, local, own } = await startWithApi(t);
  t.equal(statSync(local).mode & 0o777, 0o600);
  const second = await startCli(join(stateDir, '..'), ['--root', join(stateDir, '../root')]);
  t.teardown(() => second.child.kill('SIGKILL'));
  const uptimeMs = async () => Number((await ask(local, '/status')).json.uptimeMs);
  const total = await uptimeMs();
  second.child.kill('SIGTERM');
  const { stdout, code } = await second.ended;
  t.equal(code, 0, 'it served nevertheless');
  const reason = /another process listens on .*api\.sock: end it, or give .*--state-dir/;
  t.match(
    logLines(stdout).find(({ event }) => event === 'api_unavailable'),
    { level: 'error', reason },
  );
  t.ok((await uptimeMs()) > total, 'the first keeps its own');
  // As after a power cut: the next one replaces the sockets.
  server.child.kill('SIGKILL');
  await server.ended;
  t.ok(existsSync(local));
  const third = await startCli(join(stateDir, '..'), ['--root', join(stateDir, '../root')]);
  t.teardown(() => third.child.kill('SIGKILL'));
  let status = 0;
  while (status !== 200) {
    ({ status } = await ask(local, '/status').catch(() => ({ status: 0 })));
  }
  t.equal((await runCli(['status', ...own])).code, 0);
  third.child.kill('SIGTERM');
  await third.ended;
});

t.test('nobody to ask', async (t) => {
  const own = ['--state-dir', t.testdir()];
  for (const command of ['status', 'log', 'token']) {
    const ended = await runCli([command, ...own]);
    t.match(ended, {
      code: 2,
      stdout: '',
      stderr: /^spliced: nothing (serves|has ever served) with/,
    });
  }
  t.match(await runCli(['status', '--help']), { code: 0, stdout: /^Usage: spliced status/ });
  t.match(await runCli(['log', '--help']), { code: 0, stdout: /at most 1000/ });
  t.match(await runCli(['token', '--help']), { code: 0, stdout: /--revoke/ });
  const state = { pid: process.pid, startTicks: ticksOfThis() };
  writeFileSync(join(own[1] ?? '', 'service.json'), JSON.stringify(state));
  t.match(await runCli(['status', ...own]), {
    code: 2,
    stderr: /api\.sock: the service has no API/,
  });
});

/** proc_pid_stat(5), field 22. */
function ticksOfThis(): string {
  const text = readFileSync('/proc/self/stat', 'latin1');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
