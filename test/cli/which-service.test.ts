// SPDX-License-Identifier: Apache-2.0
// Which service the operator's commands speak of: the installed one, whatever the current directory
// holds; the checkout's own; the one that is named.

import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import { type Ended, type Server, startServer } from './server.js';

const cli = resolve('dist/cli.js');

const startTimeoutMs = 90_000; // Two of them on a busy machine.

function startIn(directory: string): Promise<Server> {
  const options = ['--listen', '127.0.0.1:0', '--state-dir', `${directory}/state`];
  return startServer([process.execPath, cli, 'serve', ...options], {}, startTimeoutMs);
}

interface Device {
  directory: string;
  /** A directory with another state in it, which was never served by the device. */
  elsewhere: string;
  env: NodeJS.ProcessEnv;
  installed: Server;
  other: Server;
}

function collected(command: string[], cwd: string, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env } });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  return new Promise((settle) => {
    child.on('close', (code, signal) => settle({ code, signal, stdout, stderr }));
  });
}

const run = (args: string[], cwd: string, env: NodeJS.ProcessEnv = {}): Promise<Ended> =>
  collected([process.execPath, cli, ...args], cwd, env);

/** A service manager that knows the unit, with its variables and its working directory. */
function writeManager(directory: string, unit?: (state: string) => string[]): string {
  const bin = join(directory, 'bin');
  const page = join(directory, 'package');
  mkdirSync(bin);
  mkdirSync(join(page, 'public'), { recursive: true });
  writeFileSync(join(page, 'public/index.html'), 'page\n');
  const state = join(directory, 'device/state');
  const lines = [
    'LoadState=loaded',
    `WorkingDirectory=${page}`,
    ...(unit?.(state) ?? [
      `Environment=SPLICED_STATE_DIR=${state} UV_USE_IO_URING=0 "SPLICED_CONNECTIONS_MAX=7"`,
    ]),
  ];
  const script = `#!/bin/sh\ncat <<'END'\n${lines.join('\n')}\nEND\n`;
  writeFileSync(join(bin, 'systemctl'), script, { mode: 0o755 });
  return bin;
}

async function newDevice(t: Test): Promise<Device> {
  const directory = t.testdir({ elsewhere: {} });
  const elsewhere = join(directory, 'elsewhere');
  const installed = await startIn(join(directory, 'device'));
  const other = await startIn(elsewhere);
  for (const { child } of [installed, other]) t.teardown(() => child.kill('SIGKILL'));
  const env = { PATH: `${writeManager(directory)}:${process.env.PATH}` };
  return { directory, elsewhere, env, installed, other };
}

async function authorityOf(directory: string, stateDir: string): Promise<string> {
  return (await run(['certificate', 'ca', '--state-dir', stateDir], directory)).stdout;
}

t.test('the installed service, in a directory with the state of another', async (t) => {
  const { directory, elsewhere, env, installed, other } = await newDevice(t);
  const own = await authorityOf(directory, join(directory, 'device/state'));
  const wrong = await authorityOf(directory, join(elsewhere, 'state'));
  t.match(own, /^-----BEGIN CERTIFICATE/);
  t.not(own, wrong);
  const about =
    /^spliced: about the installed service, which runs; its state is in .*device\/state\n$/;
  for (const cwd of [elsewhere, directory]) {
    const ca = await run(['certificate', 'ca'], cwd, env);
    t.match(ca, { code: 0, stdout: own, stderr: about }, `ca in ${cwd}`);
    const show = await run(['certificate', 'show', '--json'], cwd, env);
    t.match(show, { code: 0, stderr: about });
    t.match(JSON.parse(show.stdout), [{ source: 'device' }, { source: 'authority' }]);
    const config = await run(['config', 'show', '--json'], cwd, env);
    t.match(config, { code: 0, stderr: about });
    t.match(JSON.parse(config.stdout).settings, {
      state_dir: { value: join(directory, 'device/state') },
      'limits.connections_max': { value: 7 },
    });
    t.match(await run(['config', 'check'], cwd, env), { code: 0, stderr: about });
    const doctor = JSON.parse((await run(['doctor', '--json'], cwd, env)).stdout);
    const found = doctor.findings.find(({ id }: { id: string }) => id === 'certificate.validity');
    t.match(found, { level: 'ok' });
  }
  const status = await run(['status'], elsewhere, env);
  t.match(status, { code: 0, stderr: about }, 'also the commands that ask the service');
  for (const { child, ended } of [installed, other]) {
    child.kill('SIGTERM');
    await ended;
  }
  const after = await run(['certificate', 'ca'], elsewhere, env);
  t.match(after, { code: 0, stdout: own, stderr: /installed service, which does not run/ });
});

t.test('one that is named is meant, and nothing is said', async (t) => {
  const { directory, elsewhere, env } = await newDevice(t);
  const wanted = await authorityOf(directory, join(elsewhere, 'state'));
  const byOption = ['certificate', 'ca', '--state-dir', 'state'];
  t.match(await run(byOption, elsewhere, env), { code: 0, stdout: wanted, stderr: '' });
  const variables = { ...env, SPLICED_STATE_DIR: join(elsewhere, 'state') };
  t.match(await run(['certificate', 'ca'], directory, variables), { stdout: wanted, stderr: '' });
  const file = join(directory, 'own.toml');
  writeFileSync(file, `state_dir = "${elsewhere}/state"\n`);
  const byFile = await run(['certificate', 'ca', '--config', file], directory, env);
  t.match(byFile, { code: 0, stdout: wanted, stderr: '' });
});

t.test(
  'an option means the current directory, the configuration that of the service',
  async (t) => {
    const { elsewhere, env } = await newDevice(t);
    const check = await run(['config', 'check', '--root', 'public'], elsewhere, env);
    t.match(check, { code: 2, stderr: /--root: cannot be served: .*elsewhere\/public/ });
  },
);

const execStart = (options: string): string[] => [
  'Environment=UV_USE_IO_URING=0',
  `ExecStart={ path=/usr/bin/spliced ; argv[]=/usr/bin/spliced serve ${options} ; ignore_errors=no }`,
];

t.test('one whose command line or file says where its state is', async (t) => {
  const directory = t.testdir({ elsewhere: {} });
  const elsewhere = join(directory, 'elsewhere');
  const installed = await startIn(join(directory, 'device'));
  t.teardown(() => installed.child.kill('SIGKILL'));
  const wanted = await authorityOf(directory, join(directory, 'device/state'));
  const file = join(directory, 'unit.toml');
  writeFileSync(file, `state_dir = "${directory}/device/state"\n`);
  const units = [
    (state: string) => execStart(`--state-dir ${state} --listen 0.0.0.0:443`),
    () => execStart(`--config=${file}`),
    () => [`Environment=SPLICED_CONFIG=${file}`],
  ];
  for (const [i, unit] of units.entries()) {
    const place = join(directory, `manager-${i}`);
    mkdirSync(place);
    const bin = writeManager(place, () => unit(join(directory, 'device/state')));
    const env = { PATH: `${bin}:${process.env.PATH}` };
    const ca = await run(['certificate', 'ca'], elsewhere, env);
    t.match(ca, { code: 0, stdout: wanted, stderr: /about the installed service, which runs/ });
  }
});

t.test('a mistake in the configuration hides no service', async (t) => {
  const { elsewhere, env } = await newDevice(t);
  const wrong = { ...env, SPLICED_LISTEN: 'here' };
  const about = /about the installed service, which runs/;
  t.match(await run(['status'], elsewhere, wrong), { code: 0, stderr: about });
  t.match(await run(['certificate', 'ca'], elsewhere, wrong), { code: 0, stderr: about });
  const check = await run(['config', 'check'], elsewhere, wrong);
  t.match(check, { code: 2, stderr: /SPLICED_LISTEN: "here" is not ADDRESS:PORT/ });
});

t.test('an installed service that has never run, and no guess at all', async (t) => {
  const directory = t.testdir({ elsewhere: {} });
  const elsewhere = join(directory, 'elsewhere');
  const other = await startIn(elsewhere);
  t.teardown(() => other.child.kill('SIGKILL'));
  const env = { PATH: `${writeManager(directory)}:${process.env.PATH}` };
  const ca = await run(['certificate', 'ca'], elsewhere, env);
  t.match(ca, { code: 1, stdout: '', stderr: /no authority in .*device\/state yet/ });
  const status = await run(['status'], elsewhere, env);
  t.match(status, { code: 2, stdout: '', stderr: /nothing serves with the state directory/ });
});

t.test('a checkout, and where nothing is installed', async (t) => {
  const directory = t.testdir({ checkout: { scripts: { 'start.mjs': '' } }, bin: {} });
  const checkout = join(directory, 'checkout');
  cpSync('dist', join(checkout, 'dist'), { recursive: true });
  symlinkSync(resolve('build'), join(checkout, 'build'));
  cpSync('package.json', join(checkout, 'package.json'));
  const server = await startIn(checkout);
  t.teardown(() => server.child.kill('SIGKILL'));
  const wanted = await authorityOf(directory, join(checkout, 'state'));
  const own = [process.execPath, 'dist/cli.js', 'certificate', 'ca'];
  const manager = writeManager(join(directory, 'bin'));
  const beside = await collected(own, checkout, { PATH: `${manager}:${process.env.PATH}` });
  t.match(beside, { code: 0, stdout: wanted, stderr: /about the service of this checkout/ });
  const alone = await run(['certificate', 'ca'], checkout);
  t.match(alone, { code: 0, stdout: wanted, stderr: /about the service of this directory/ });
});

const canMount = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;
const unmountable = canMount ? {} : { skip: 'no mount namespaces here' };

t.test('by its directory, where no service manager answers', unmountable, async (t) => {
  const { directory, elsewhere } = await newDevice(t);
  const wanted = await authorityOf(directory, join(directory, 'device/state'));
  const places = `mount -t tmpfs none /var/lib && mkdir /var/lib/spliced && mount --bind "${directory}/device/state" /var/lib/spliced`;
  const script = `${places} && exec "${process.execPath}" "${cli}" certificate ca`;
  const ca = await collected(['unshare', '-m', 'sh', '-c', script], elsewhere);
  t.match(ca, { code: 0, stdout: wanted, stderr: /installed service.* in \/var\/lib\/spliced\n$/ });
});
