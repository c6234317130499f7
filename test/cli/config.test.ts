// SPDX-License-Identifier: Apache-2.0
// `spliced config check` and `spliced config show` as an operator runs them, and SIGHUP on a server
// that is serving: good, bad and impossible configurations, and certificates swapped under it.

import { mkdirSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from 'node:tls';
import t, { type Test } from 'tap';
import { issueCertificate } from '../../src/certificates/issue.js';
import { beginDownload, type LogLine, logLines, runCli, startServer } from './server.js';

// Far more than the socket buffers of both ends of a loopback connection hold.
const largeBytes = 64 * 1024 * 1024;
const names = { commonName: 'gate', dns: ['gate'], ip: ['127.0.0.1'] };

async function writePair(directory: string, name: string): Promise<string> {
  const { certificate, privateKey } = await issueCertificate(names, Date.now());
  writeFileSync(join(directory, `${name}.pem`), certificate);
  writeFileSync(join(directory, `${name}.key`), privateKey);
  return certificate;
}

t.test('check', async (t) => {
  const directory = t.testdir({ 'spliced.d': {}, root: {} });
  const config = join(directory, 'spliced.toml');
  const dropIn = join(directory, 'spliced.d/50-site.toml');
  const check = (...args: string[]) => runCli(['config', 'check', '--config', config, ...args]);
  writeFileSync(config, `root = "${directory}/root"\nstate_dir = "${directory}/state"\n`);
  writeFileSync(dropIn, 'ring = "epoll"\n');
  const authority = `${directory}/state/certificates/authority/current/key.pem`;
  const own = `${directory}/state/certificates/device/current/key.pem`;
  const good = await check();
  t.match(good, { code: 0, stderr: '' });
  t.same(good.stdout.split('\n'), [
    `ok: ${config}, ${dropIn}`,
    `key of the certificate (device): a file, ${own}`,
    `key of the device's authority: a file, ${authority}`,
    '',
  ]);

  writeFileSync(dropIn, 'ring = "poll"\n[timeouts]\nidle = 5\n');
  const bad = await check('--listen', 'here');
  t.equal(bad.code, 2);
  t.equal(bad.stdout, '');
  t.same(bad.stderr.split('\n'), [
    `${dropIn}:1: ring: must be one of "auto", "epoll"; it is "poll"`,
    `${dropIn}:3: timeouts.idle: there is no such key; did you mean timeouts.idle_ms?`,
    '--listen: "here" is not ADDRESS:PORT, such as 0.0.0.0:8443 or [::]:8443',
    '',
  ]);

  writeFileSync(dropIn, '');
  writeFileSync(
    config,
    `root = "${config}"\ntls.certificate = "/absent"\ntls.private_key = "/k"\n`,
  );
  const impossible = await check();
  t.equal(impossible.code, 2);
  t.same(impossible.stderr.split('\n').slice(0, 2), [
    `${config}:1: root: cannot be served: ${config} is not a directory`,
    `${config}:2: tls.certificate: cannot read /absent: ENOENT: no such file or directory, open '/absent'`,
  ]);
});

t.test('check looks at the program that installs updates', async (t) => {
  const directory = t.testdir({ script: 'exit 0\n' });
  const config = join(directory, 'spliced.toml');
  const cases: [string, RegExp | ''][] = [
    ['/bin/true', ''],
    [
      '/nonexistent/install',
      /^.*spliced\.toml:3: update\.command: .*: there is no such program\n$/,
    ],
    [directory, /it is no program/],
    [join(directory, 'script'), /it may not be executed/],
  ];
  for (const [program, stderr] of cases) {
    writeFileSync(config, `[update]\nadapter = "command"\ncommand = ["${program}", "--now"]\n`);
    const ended = await runCli(['config', 'check', '--config', config]);
    t.match(ended, { code: stderr === '' ? 0 : 2, stderr }, program);
  }
});

t.test('check warns of a variable that looks misspelt', async (t) => {
  const config = join(t.testdir(), 'spliced.toml');
  writeFileSync(config, '');
  const ended = await runCli(['config', 'check', '--config', config], { SPLICED_ROTT: 'x' });
  const stderr = 'warning: SPLICED_ROTT: there is no such variable; did you mean SPLICED_ROOT?\n';
  t.match(ended, { code: 0, stdout: `ok: ${config}\n`, stderr });
});

t.test('show', async (t) => {
  const config = join(t.testdir(), 'spliced.toml');
  writeFileSync(config, '[log]\nlevel = "warn"\n');
  const env = { SPLICED_CONFIG: config, SPLICED_RING: 'epoll' };
  const text = await runCli(['config', 'show', '--root', '/srv'], env);
  t.equal(text.code, 0);
  t.match(text.stdout, /^root = "\/srv" +# --root$/m);
  t.match(text.stdout, /^ring = "epoll" +# SPLICED_RING$/m);
  t.match(text.stdout, new RegExp(`^level = "warn" +# ${config}:2$`, 'm'));
  const json = await runCli(['config', 'show', '--json'], env);
  t.match(JSON.parse(json.stdout).settings, {
    root: { value: './public', origin: { kind: 'default' } },
  });
  writeFileSync(config, 'x = 1\n');
  const refused = await runCli(['config', 'show'], env);
  t.match(refused, { code: 2, stdout: '', stderr: new RegExp(`^spliced: ${config}:1: x: `) });
});

interface Reloading {
  port: number;
  /** Sends SIGHUP and waits for the line that answers it. */
  reload(): Promise<LogLine>;
  write(text: string): void;
  stop(): Promise<{ code: number | null; lines: LogLine[] }>;
}

async function startReloading(t: Test, directory: string, text: string): Promise<Reloading> {
  const config = join(directory, 'spliced.toml');
  const write = (content: string): void => {
    writeFileSync(`${config}.new`, content);
    renameSync(`${config}.new`, config);
  };
  write(text);
  const args = ['dist/cli.js', 'serve', '--config', config, '--listen', '127.0.0.1:0'];
  const { child, port, ended } = await startServer([process.execPath, ...args]);
  t.teardown(() => child.kill('SIGKILL'));
  if (child.stdout === null) throw new Error('no standard output');
  const answers: ((line: LogLine) => void)[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [entry] = logLines(line);
    if (entry && /^reload/.test(entry.event)) answers.shift()?.(entry);
  });
  const reload = (): Promise<LogLine> =>
    new Promise((resolve, reject) => {
      answers.push(resolve);
      void ended.then(({ code, stderr }) => reject(new Error(`ended with ${code}: ${stderr}`)));
      child.kill('SIGHUP');
    });
  const stop = async () => {
    child.kill('SIGTERM');
    const { code, stdout } = await ended;
    return { code, lines: logLines(stdout) };
  };
  return { port, reload, write, stop };
}

/** The certificate that a new connection sees. */
function servedCertificate(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()?.toString() ?? '');
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

t.test('SIGHUP: certificates are swapped, and an open download goes on', async (t) => {
  const directory = t.testdir();
  const one = await writePair(directory, 'one');
  const two = await writePair(directory, 'two');
  const root = join(directory, 'root');
  mkdirSync(root);
  writeFileSync(join(root, 'large.bin'), '');
  truncateSync(join(root, 'large.bin'), largeBytes);
  const pair = (name: string, key = name): string =>
    `root = "${root}"\n[tls]\ncertificate = "${directory}/${name}.pem"\nprivate_key = "${directory}/${key}.key"\n`;
  const server = await startReloading(t, directory, pair('one'));
  t.equal(await servedCertificate(server.port), one);
  const download = await beginDownload(server.port, '/large.bin');

  server.write(`${pair('two')}[log]\nlevel = "debug"\n[timeouts]\nstop_ms = 7000\nidle_ms = 9\n`);
  t.match(await server.reload(), {
    event: 'reloaded',
    applied: ['tls.certificate', 'tls.private_key', 'timeouts.stop_ms', 'log.level'],
    restart_required: ['timeouts.idle_ms'],
  });
  t.equal(await servedCertificate(server.port), two);

  server.write(pair('one', 'two'));
  const mismatch = await server.reload();
  t.match(mismatch, { level: 'error', event: 'reload_failed' });
  t.match(mismatch.errors, [
    /: tls\.certificate: .*one\.pem .*two\.key cannot be used: .* does not match the certificate/,
  ]);
  t.equal(await servedCertificate(server.port), two, 'as before');

  server.write('\n[tls]\nofload = 1\n[log\n');
  t.match((await server.reload()).errors, [
    /:3: tls\.ofload: .*did you mean tls\.offload/,
    /:4: is not/,
  ]);
  t.equal(await servedCertificate(server.port), two, 'as before');

  server.write(pair('two'));
  renameSync(join(directory, 'one.pem'), join(directory, 'two.pem'));
  renameSync(join(directory, 'one.key'), join(directory, 'two.key'));
  t.match(await server.reload(), { event: 'reloaded', restart_required: [] });
  t.equal(await servedCertificate(server.port), one, 'the same names, other files');

  t.equal(await download.read(), largeBytes, 'nothing is lost');
  const { code, lines } = await server.stop();
  t.equal(code, 0);
  t.match(lines.at(-1), { event: 'stopped', aborted: 0 });
});

t.test('SIGHUP: a new time for the stop counts, and one without changes is none', async (t) => {
  const directory = t.testdir();
  const state = `state_dir = "${directory}/state"\n`;
  const server = await startReloading(t, directory, state);
  const own = await servedCertificate(server.port);
  t.match(await server.reload(), { event: 'reloaded', applied: [], restart_required: [] });
  server.write(`${state}[timeouts]\nstop_ms = 1234\n`);
  t.match(await server.reload(), { applied: ['timeouts.stop_ms'] });
  await writePair(directory, 'new');
  const files = `certificate = "${directory}/new.pem"\nprivate_key = "${directory}/new.key"\n`;
  server.write(`${state}timeouts.stop_ms = 1234\n[tls]\n${files}`);
  t.match(await server.reload(), { applied: ['tls.certificate', 'tls.private_key'] });
  t.not(await servedCertificate(server.port), own);
  server.write(`${state}timeouts.stop_ms = 1234\n`);
  t.match(await server.reload(), { applied: ['tls.certificate', 'tls.private_key'] });
  t.equal(await servedCertificate(server.port), own, "the device's own again");
  const { code, lines } = await server.stop();
  t.equal(code, 0);
  t.match(
    lines.find(({ event }) => event === 'stopping'),
    { timeoutMs: 1234 },
  );
});
