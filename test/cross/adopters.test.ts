// SPDX-License-Identifier: Apache-2.0
// Three people who have never seen it, each with npm's package and an empty directory: a firmware
// engineer without Yocto makes an image, an operator works on the device that boots it, an application
// developer serves with the library. What each of them types, and what they then see.

import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { connect } from 'node:tls';
import t, { type Test } from 'tap';
import { type Server, startServer } from '../cli/server.js';
import { newPair } from '../contract/service.js';
import { EmptyRoot } from './empty-root.js';
import { archive, get } from './package.js';
import { type Ended, run } from './programs.js';

const startTimeoutMs = 90_000;

async function emptyDirectory(t: Test, name: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), `spliced-${name}-`));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** npm as somebody else has it: no cache, no registry. */
const npm = (cwd: string, ...args: string[]): Promise<Ended> =>
  run(['npm', ...args, '--offline', '--no-audit', '--no-fund'], {
    cwd,
    env: { ...process.env, npm_config_cache: join(cwd, '.npm'), npm_config_prefix: undefined },
  });

/** The unit that the engineer has made, started as systemd does. */
function bootService(root: EmptyRoot): Promise<Server> {
  const unit = readFileSync(root.at('/etc/systemd/system/spliced.service'), 'utf8');
  const [, command = ''] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
  const [, directory = ''] = /^WorkingDirectory=(.*)$/m.exec(unit) ?? [];
  const set = [...unit.matchAll(/^Environment=(.*)$/gm)].map(([, text = '']) =>
    text.replace('%S', '/var/lib'),
  );
  const own = ['/usr/bin/env', '-i', `--chdir=${directory}`, ...set];
  const runtime = ['RUNTIME_DIRECTORY=/run/spliced', 'SPLICED_LISTEN=127.0.0.1:0'];
  return startServer(root.command([...own, ...runtime, ...command.split(' ')]), {}, startTimeoutMs);
}

const fingerprintAt = (port: number): Promise<string> =>
  new Promise((done, failed) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      done(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on('error', failed);
  });

async function operate(t: Test, root: EmptyRoot, server: Server): Promise<void> {
  const { port } = server;
  const spliced = (...args: string[]): Promise<Ended> => root.run('spliced', ...args);
  const which = /about the installed service, which runs/;
  t.match(String(get(port, '/')), /<title>/, 'the page that comes with the package');
  t.match(String(get(port, '/.spliced/ui/')), /<main id="main"/, "the operators' page");

  t.match(await spliced('status'), { code: 0, stdout: /^kernel TLS/m, stderr: which });
  t.match(await spliced('log', '--lines', '50'), { code: 0, stdout: /"event":"ready"/ });
  const config = await spliced('config', 'check');
  t.equal(config.code, 0, config.stderr);
  const shown = await spliced('certificate', 'show');
  t.match(shown, { code: 0, stderr: which });
  t.ok(shown.stdout.includes(await fingerprintAt(port)), 'of the certificate that is served');

  const authority = await spliced('certificate', 'ca');
  t.match(authority, { code: 0, stdout: /^-----BEGIN CERTIFICATE-----/ });
  const ca = root.at('/tmp/ca.pem');
  writeFileSync(ca, authority.stdout);
  const api = `https://127.0.0.1:${port}/.spliced/api/v1`;
  const ask = (path: string, ...more: string[]): Promise<Ended> =>
    run(['curl', '-sS', '--cacert', ca, '-w', '%{http_code}', ...more, api + path]);
  t.match(await ask('/device'), { code: 0, stdout: /401$/ }, 'trusted, and not signed in');
  const token = (await spliced('token')).stdout.trim();
  const bearer = ['-H', `Authorization: Bearer ${token}`];
  t.match(await ask('/device', ...bearer), { stdout: /^\{"state":"running".*\}200$/ });

  const { chain, privateKey } = await newPair();
  writeFileSync(root.at('/tmp/chain.pem'), chain);
  writeFileSync(root.at('/tmp/key.pem'), privateKey, { mode: 0o600 });
  const installed = await spliced('certificate', 'install', '/tmp/chain.pem', '/tmp/key.pem');
  t.equal(installed.code, 0, installed.stderr);
  const now = await fingerprintAt(port);
  t.ok((await spliced('certificate', 'show')).stdout.includes(now), 'one source of truth');

  const nowhere = await spliced('update', 'install', '/nope');
  t.match(nowhere, { code: 2, stderr: 'spliced: /nope: there is no such file\n' });
  writeFileSync(root.at('/etc/spliced/spliced.d/typo.toml'), 'lissten = "0.0.0.0:443"\n');
  const typo = /typo\.toml:1: lissten: .*did you mean "?listen/;
  t.match(await spliced('config', 'check'), { code: 2, stderr: typo });
  rmSync(root.at('/etc/spliced/spliced.d/typo.toml'));

  const doctor = await spliced('doctor');
  t.notMatch(doctor.stdout + doctor.stderr, /\.\/(state|public)\b/, 'nothing of its directory');
  const left = await root.run('node', '-p', 'require("fs").readdirSync("/root").join()');
  t.equal(left.stdout, '\n', 'nor anything left there');

  t.match(await spliced('drain', '--wait'), { code: 0 });
  t.equal((await server.ended).code, 0, 'nothing was lost');
  t.match(await spliced('status'), { code: 2, stderr: /nothing serves/ });
  t.match(await spliced('certificate', 'ca'), { code: 0, stdout: authority.stdout });
}

const hasSystemctl = spawnSync('systemctl', ['--version']).status === 0;
const skip = hasSystemctl ? {} : { skip: 'no systemctl here' };

t.test('a firmware engineer without Yocto, and the operator of the device', skip, async (t) => {
  const root = new EmptyRoot(await emptyDirectory(t, 'root'));
  const prefix = ['--prefix', root.at('/usr/local')];
  t.match(await npm(root.path, 'install', '-g', ...prefix, archive), { code: 0 });
  rmSync(root.at('.npm'), { recursive: true, force: true });
  const program = root.at('/usr/local/bin/spliced');
  const made = await run([program, 'install-service', '--root', root.path]);
  t.match(made, { code: 0, stdout: /^It starts when the image boots\.$/m, stderr: '' });
  const unit = readFileSync(root.at('/etc/systemd/system/spliced.service'), 'utf8');
  t.notOk(unit.includes(root.path), 'as the device will see it');

  const unable = root.unable();
  if (unable !== undefined) {
    t.test('the operator', { skip: unable }, () => {});
    return;
  }
  for (const path of ['/var/lib/spliced', '/run/spliced']) {
    await mkdir(root.at(path), { mode: 0o700, recursive: true });
  }
  const server = await bootService(root);
  t.teardown(() => server.child.kill('SIGKILL'));
  await t.test('the operator', (t) => operate(t, root, server));
  t.match(await run([program, 'uninstall-service', '--root', root.path]), { code: 0, stderr: '' });
});

const program = `
import { readFileSync } from 'node:fs';
import { createServer } from 'spliced';
const [port = '0', ...files] = process.argv.slice(2);
const [cert, key] = files.map((file) => readFileSync(file));
const server = createServer({ cert, key }, (request, response) => response.end('mine'));
server.on('error', ({ code, message }) => console.log(JSON.stringify({ code, message })));
server.listen(Number(port), '127.0.0.1', () => {
  console.log(JSON.stringify({ event: 'ready', listeners: [server.address()] }));
});
process.on('SIGTERM', () => server.close());
`;

t.test('an application developer with the library', async (t) => {
  const directory = await emptyDirectory(t, 'application');
  writeFileSync(join(directory, 'package.json'), '{"name": "mine", "type": "module"}\n');
  const installed = await npm(directory, 'install', archive);
  t.equal(installed.code, 0, installed.stderr);
  writeFileSync(join(directory, 'server.mjs'), program);
  const { chain, privateKey } = await newPair();
  writeFileSync(join(directory, 'cert.pem'), chain);
  writeFileSync(join(directory, 'key.pem'), privateKey);
  const files = ['cert.pem', 'key.pem'].map((name) => join(directory, name));
  const node = (...args: string[]): Promise<Ended> =>
    run([process.execPath, join(directory, 'server.mjs'), ...args], { cwd: directory });

  const command = [process.execPath, join(directory, 'server.mjs'), '0', ...files];
  const server = await startServer(command, {}, startTimeoutMs);
  t.teardown(() => server.child.kill('SIGKILL'));
  t.equal(String(get(server.port, '/')), 'mine');
  const busy = await node(String(server.port), ...files);
  t.match(busy, { code: 0, stdout: /"code":"EADDRINUSE"/ }, 'and the program ends by itself');
  const missing = await node('0');
  t.match(missing, { code: 1, stderr: /ERR_MISSING_OPTION/ });
  server.child.kill('SIGTERM');
  t.equal((await server.ended).code, 0);

  // The example, with the package in its place.
  await cp('examples/express', join(directory, 'example'), { recursive: true });
  const express = resolve('node_modules/express');
  symlinkSync(express, join(directory, 'node_modules/express'));
  const example = (...args: string[]): Promise<Ended> =>
    run([process.execPath, join(directory, 'example/server.mjs'), ...args], { cwd: directory });
  t.match(await example(), { code: 2, stderr: /^usage: / }, 'without arguments it says which');

  writeFileSync(
    join(directory, 'typed.ts'),
    "import { createServer, type Server } from 'spliced';\n" +
      "export const server: Server = createServer({ cert: '', key: '' });\n",
  );
  const types = ['--typeRoots', resolve('node_modules/@types'), '--types', 'node'];
  const tsc = [
    'node_modules/typescript/bin/tsc',
    '--noEmit',
    '--ignoreConfig',
    '--strict',
    '--module',
    'nodenext',
  ];
  const checked = await run([process.execPath, ...tsc, ...types, join(directory, 'typed.ts')]);
  t.match(checked, { code: 0, stdout: '' }, 'its types are found');
});
