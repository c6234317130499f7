// SPDX-License-Identifier: Apache-2.0
// The life of the process: ready, a page, a stop that loses nothing, a second signal, npm start.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { issueCertificate } from '../../src/certificates/issue.js';
import { beginDownload, logLines, startCli, startServer } from './server.js';

// Far more than the socket buffers of both ends of a loopback connection hold.
const largeBytes = 64 * 1024 * 1024;

function rootWithLargeFile(directory: string): string[] {
  const path = join(directory, 'large.bin');
  writeFileSync(path, '');
  truncateSync(path, largeBytes);
  return ['--root', directory];
}

t.test('serves the page, says what it did, ends with 0', async (t) => {
  const server = await startCli(t.testdir());
  t.match(server.ready.listeners, [{ address: '127.0.0.1', port: Number }]);
  const page = await beginDownload(server.port, '/');
  t.equal(page.status, 200);
  t.equal(await page.read(), readFileSync('public/index.html').length);
  server.child.kill('SIGTERM');
  const { code, stdout, stderr } = await server.ended;
  t.equal(code, 0);
  t.equal(stderr, '');
  const lines = logLines(stdout);
  // The API comes up beside all that, and says so if there is time.
  const events = lines.map(({ event }) => event).filter((event) => event !== 'device_unclaimed');
  t.same(events, ['certificate', 'started', 'ready', 'stopping', 'stopped']);
  t.match(lines.at(-1), { aborted: 0, drained: Number, durationMs: Number, requests: 1 });
  t.match(lines[1], { ring: /^(io_uring|epoll)$/, reason: /./ });
  t.notMatch(stdout, /PRIVATE KEY/);
});

t.test('the own certificate stays the same over a restart', async (t) => {
  const directory = t.testdir();
  const fingerprints: unknown[] = [];
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const server = await startCli(directory);
    server.child.kill(signal);
    const { code, stdout } = await server.ended;
    t.equal(code, 0, signal);
    fingerprints.push(logLines(stdout)[0]?.fingerprint);
  }
  t.ok(fingerprints[0]);
  t.equal(fingerprints[0], fingerprints[1]);
});

t.test('a certificate and a key from files', async (t) => {
  const directory = t.testdir();
  const names = { commonName: 'gate', dns: ['gate'], ip: ['127.0.0.1'] };
  const { certificate, privateKey } = await issueCertificate(names, Date.now());
  writeFileSync(join(directory, 'c.pem'), certificate);
  writeFileSync(join(directory, 'k.pem'), privateKey);
  const files = [
    '--certificate',
    join(directory, 'c.pem'),
    '--private-key',
    join(directory, 'k.pem'),
  ];
  const server = await startCli(directory, files);
  const url = `https://127.0.0.1:${server.port}/`;
  const trusted = spawnSync('curl', ['-sS', '--cacert', join(directory, 'c.pem'), url]);
  t.equal(trusted.status, 0, String(trusted.stderr));
  t.notOk(existsSync(join(directory, 'state/certificates')), 'no certificate of its own is made');
  server.child.kill('SIGTERM');
  t.equal((await server.ended).code, 0);
});

t.test('a stop waits for an active download', async (t) => {
  const directory = t.testdir();
  const server = await startCli(directory, rootWithLargeFile(directory));
  const download = await beginDownload(server.port, '/large.bin');
  server.child.kill('SIGTERM');
  await sleep(300);
  t.equal(server.child.exitCode, null, 'still there');
  t.equal(await download.read(), largeBytes, 'nothing is lost');
  const { code, stdout } = await server.ended;
  t.equal(code, 0);
  t.match(logLines(stdout).at(-1), { event: 'stopped', aborted: 0 }, stdout);
});

t.test('an echo of the signal is no second one', async (t) => {
  const directory = t.testdir();
  const server = await startCli(directory, rootWithLargeFile(directory));
  const download = await beginDownload(server.port, '/large.bin');
  server.child.kill('SIGINT');
  await sleep(10);
  server.child.kill('SIGINT');
  await sleep(300);
  t.equal(await download.read(), largeBytes);
  t.equal((await server.ended).code, 0);
});

t.test(
  'a second signal stops at once, and the exit code says that something was lost',
  async (t) => {
    const directory = t.testdir();
    const server = await startCli(directory, rootWithLargeFile(directory));
    const download = await beginDownload(server.port, '/large.bin');
    server.child.kill('SIGTERM');
    await sleep(300);
    const startedMs = Date.now();
    server.child.kill('SIGTERM');
    const { code, stdout } = await server.ended;
    t.ok(Date.now() - startedMs < 3_000, 'at once');
    t.equal(code, 1);
    t.match(logLines(stdout).at(-1), { event: 'stopped', aborted: 1 });
    await t.rejects(download.read(), 'the client can tell that the body is cut short');
  },
);

t.test('the stop time-out is kept', async (t) => {
  const directory = t.testdir();
  const env = { SPLICED_STOP_TIMEOUT_MS: '400' };
  const server = await startCli(directory, rootWithLargeFile(directory), env);
  const download = await beginDownload(server.port, '/large.bin');
  const startedMs = Date.now();
  server.child.kill('SIGTERM');
  const { code } = await server.ended;
  const tookMs = Date.now() - startedMs;
  t.ok(tookMs >= 350 && tookMs < 4_000, `${tookMs} ms`);
  t.equal(code, 1);
  await t.rejects(download.read());
});

t.test('a terminal that is closed stops the server; its SIGHUP is no reload', async (t) => {
  const directory = t.testdir();
  const output = join(directory, 'output');
  // Opens a terminal, runs the server as its session's leader, closes the terminal once it is ready.
  const program = `
import os, pty, signal, sys, time
output = sys.argv[1]
open(output, 'w').close()
pid, terminal = pty.fork()
if pid == 0:
    os.dup2(os.open(output, os.O_WRONLY), 1)
    os.execv(sys.argv[2], sys.argv[2:])
def wait_until(done):
    end = time.monotonic() + 15
    while not done():
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            sys.exit('too late')
        time.sleep(0.02)
wait_until(lambda: '"ready"' in open(output).read())
os.close(terminal)
ended = []
def has_ended():
    ended[:] = os.waitpid(pid, os.WNOHANG)
    return ended[0] == pid
wait_until(has_ended)
print(os.waitstatus_to_exitcode(ended[1]))`;
  const serve = ['dist/cli.js', 'serve', '--listen', '127.0.0.1:0', '--state-dir', directory];
  const ended = spawnSync('python3', ['-c', program, output, process.execPath, ...serve], {
    encoding: 'utf8',
  });
  t.match(ended, { status: 0, stdout: '-1\n' }, 'ended by the signal, as any program would');
  t.match(logLines(readFileSync(output, 'utf8')).at(-1), { event: 'stopped', aborted: 0 });
});

t.test('npm start serves at once when nothing has changed, and passes signals on', async (t) => {
  const directory = t.testdir();
  const made = () =>
    ['build/Release/spliced.node', 'dist/cli.js'].map((path) => statSync(path).mtimeMs);
  const before = made();
  const own = ['--listen', '127.0.0.1:0', '--state-dir', `${directory}/state`];
  const server = await startServer(['npm', 'start', '--silent', '--', ...own]);
  t.same(made(), before, 'nothing was built');
  const page = await beginDownload(server.port, '/');
  t.equal(page.status, 200);
  await page.read();
  server.child.kill('SIGTERM');
  const { code, stdout } = await server.ended;
  t.equal(code, 0);
  t.match(logLines(stdout).at(-1), { event: 'stopped', aborted: 0 });
});
