// SPDX-License-Identifier: Apache-2.0
// A start where nothing comes back over loopback: the interface is down, its packets are dropped, or
// its address is forbidden. In network namespaces of their own.

import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { logLines, startServer } from './server.js';

const works = spawnSync('unshare', [
  '-n',
  'sh',
  '-c',
  'ip link set lo up && tc qdisc add dev lo root bfifo limit 1',
]);
const unusable = works.status === 0 ? {} : { skip: 'no network namespaces here' };

const cases: Record<string, string> = {
  'the interface is down': 'true',
  'its packets are dropped': 'ip link set lo up && tc qdisc add dev lo root bfifo limit 1',
  'its address is forbidden':
    'ip link set lo up && ip rule add pref 1 prohibit && ip rule del pref 0',
};

for (const [name, commands] of Object.entries(cases)) {
  t.test(name, unusable, async (t) => {
    const stateDir = join(t.testdir(), 'state');
    const serve = `"${process.execPath}" dist/cli.js serve --listen 0.0.0.0:8443 --state-dir "${stateDir}"`;
    const script = `${commands} && exec ${serve}`;
    // As under a service manager, which nobody answers for.
    const env = { NOTIFY_SOCKET: '@spliced-test-nobody' };
    const server = await startServer(['unshare', '-n', 'sh', '-c', script], env, 60_000);
    const { child } = server;
    const inside = (...args: string[]) =>
      spawnSync('nsenter', ['-t', String(child.pid), '-n', process.execPath, ...args], {
        encoding: 'utf8',
      });
    const status = inside('dist/cli.js', 'status', '--json', '--state-dir', stateDir);
    const { offload } = JSON.parse(status.stdout);
    t.match(
      offload.kernel,
      /^it is not known whether the kernel has TLS: .*loopback.*127\.0\.0\.1: /,
    );
    const doctor = inside('dist/cli.js', 'doctor', '--json', '--state-dir', stateDir);
    const { findings } = JSON.parse(doctor.stdout) as { findings: { id: string; title: string }[] };
    t.match(
      findings.find(({ id }) => id === 'kernel.tls'),
      { title: 'Whether kernel TLS works could not be found out', advice: /lo up/ },
    );
    child.kill('SIGTERM');
    const { code, stdout } = await server.ended;
    t.equal(code, 0);
    const line = logLines(stdout).find(({ event }) => event === 'self_request_impossible');
    t.match(line, { level: 'warn', reason: /^cannot connect: / });
  });
}

t.test('a signal during such a start ends it', unusable, async (t) => {
  const stateDir = join(t.testdir(), 'state');
  const serve = `"${process.execPath}" dist/cli.js serve --listen 0.0.0.0:8443 --state-dir "${stateDir}"`;
  const script = `${cases['its packets are dropped']} && exec ${serve}`;
  const env = { ...process.env, NOTIFY_SOCKET: '@spliced-test-nobody' };
  const child = spawn('unshare', ['-n', 'sh', '-c', script], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  let isAsked = false;
  child.stdout.on('data', (data) => {
    stdout += data;
    // The request to ourselves is under way, and nothing answers it.
    if (isAsked || !logLines(stdout).some(({ event }) => event === 'started')) return;
    isAsked = child.kill('SIGTERM');
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  t.equal(code, 0);
  t.notOk(logLines(stdout).some(({ event }) => event === 'ready'));
});

t.test('a FIFO where a file is read', async (t) => {
  const directory = t.testdir();
  const fifo = join(directory, 'fifo');
  t.equal(spawnSync('mkfifo', [fifo]).status, 0);
  const run = (...args: string[]) => {
    const own = ['--listen', '127.0.0.1:0', '--state-dir', join(directory, 'state')];
    const options = { encoding: 'utf8' as const, timeout: 20_000, killSignal: 'SIGKILL' as const };
    return spawnSync(process.execPath, ['dist/cli.js', 'serve', ...own, ...args], options);
  };
  const pair = run('--certificate', fifo, '--private-key', fifo);
  t.match(pair, { status: 2, stderr: /cannot read .*fifo: .*is no ordinary file/ });
  t.match(run('--config', fifo), { status: 2, stderr: /fifo: .*no ordinary file/ });
});
