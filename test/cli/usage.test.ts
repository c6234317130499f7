// SPDX-License-Identifier: Apache-2.0
// What is refused before anything is served: one line on standard error, exit code 2.

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import { issueCertificate } from '../../src/certificates/issue.js';
import { type Ended, runCli } from './server.js';

function refused(t: Test, ended: Ended, reason: RegExp, name: string): void {
  t.equal(ended.code, 2, `${name}: exit code`);
  t.match(ended.stderr, reason, name);
  t.match(ended.stderr, /^spliced: [^\n]+\n$/, `${name}: exactly one line`);
  t.notMatch(ended.stdout, /"event":"(started|ready)"/, `${name}: nothing is served`);
}

t.test('--help and --version', async (t) => {
  const commands = await runCli(['--help']);
  t.equal(commands.code, 0);
  for (const name of ['serve', 'status', 'log', 'config', 'certificate', 'token'])
    t.match(commands.stdout, new RegExp(`^  ${name} `, 'm'));
  const config = await runCli(['config', '--help']);
  t.match(config, { code: 0, stdout: /^Usage: spliced config check/, stderr: '' });
  const help = await runCli(['serve', '--help']);
  t.equal(help.code, 0);
  for (const option of [
    'root',
    'listen',
    'state-dir',
    'certificate',
    'private-key',
    'tls-offload',
    'config',
  ]) {
    t.match(help.stdout, `--${option} `);
  }
  t.equal(help.stderr, '');
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  t.match(await runCli(['--version']), { code: 0, stdout: `spliced ${version}\n`, stderr: '' });
});

interface Output {
  inputs: Record<string, unknown>;
  imports: { path: string; kind: string }[];
  entryPoint?: string;
}

/** The sources in a file of the bundle, and in all that it imports at once. */
function loadedBy(
  outputs: Record<string, Output>,
  path: string,
  seen = new Set<string>(),
): string[] {
  const output = outputs[path];
  if (output === undefined || seen.has(path)) return [];
  seen.add(path);
  const atOnce = output.imports.filter(({ kind }) => kind === 'import-statement');
  const further = atOnce.flatMap(({ path }) => loadedBy(outputs, path, seen));
  return [...Object.keys(output.inputs), ...further];
}

t.test('what a command does not need is not loaded', async (t) => {
  const { outputs } = JSON.parse(readFileSync('build/bundle.json', 'utf8')) as {
    outputs: Record<string, Output>;
  };
  const has = (files: string[], path: string): boolean =>
    files.some((file) => file.startsWith(path));
  const entry = loadedBy(outputs, 'dist/cli.js');
  t.ok(has(entry, 'src/base/start-error.ts'));
  for (const path of ['src/commands/', 'src/config/', 'src/daemon/daemon.ts', 'node_modules/']) {
    t.notOk(has(entry, path), `cli.js: ${path}`);
  }
  const chunk = Object.keys(outputs).find((path) => path.startsWith('dist/chunks/serve-')) ?? '';
  const serve = loadedBy(outputs, chunk);
  t.ok(has(serve, 'src/daemon/daemon.ts') && has(serve, 'src/config/toml.ts'));
  for (const path of [
    'node_modules/@peculiar/',
    'node_modules/acme-client/',
    'node_modules/reflect-metadata/',
    'node_modules/hono/',
    'src/api/',
    'src/certificates/enrolment.ts',
    'src/commands/config.ts',
    'src/doctor/',
    'src/plain-http/',
  ]) {
    t.notOk(has(serve, path), `serve: ${path}`);
  }
});

t.test('wrong usage', async (t) => {
  const cases: [string[], RegExp][] = [
    [[], /give a command: spliced serve/],
    [['server'], /no command "server"/],
    [['toString'], /no command "toString"/],
    [['--root', 'x', 'serve'], /give a command: spliced serve, before --root/],
    [['config'], /say which: spliced config check, spliced config show/],
    [['config', 'chekc'], /say which/],
    [['config', 'check', 'x'], /unexpected argument "x"; see spliced config --help/],
    [['config', 'check', '--json'], /--json belongs to config show/],
    [['config', 'show', '--rot', 'x'], /Unknown option '--rot'; did you mean --root\?/],
    [['serve', 'public'], /unexpected argument "public"/],
    [['serve', '--rot', 'x'], /Unknown option '--rot'/],
    [['serve', '--root'], /'--root <value>' argument missing/],
    [['serve', '--help=x'], /'--help' does not take an argument/],
    [['serve', '--listen', 'localhost:1'], /--listen: "localhost:1" needs a numeric address/],
    [['serve', '--tls-offload', 'yes'], /--tls-offload: must be one of/],
    [['serve', '--certificate', 'x'], /must be given together/],
  ];
  for (const [args, reason] of cases) refused(t, await runCli(args), reason, args.join(' '));
  const env = { SPLICED_CONNECTIONS_MAX: '0' };
  refused(
    t,
    await runCli(['serve'], env),
    /^spliced: SPLICED_CONNECTIONS_MAX: must be/,
    'variable',
  );
  const absent = /^spliced: \/nonexistent\/x\.toml: the file cannot be read: ENOENT/;
  refused(t, await runCli(['serve', '--config', '/nonexistent/x.toml']), absent, 'no file');
});

t.test('in a directory that has been removed', async (t) => {
  const directory = join(t.testdir({ gone: {} }), 'gone');
  const script = 'cd "$1" && rmdir "$1" && shift && exec "$@"';
  for (const args of [['status'], ['config', 'check'], ['certificate', 'show']]) {
    const { stdout, stderr } = spawnSync(
      'sh',
      ['-c', script, '-', directory, process.execPath, resolve('dist/cli.js'), ...args],
      { encoding: 'utf8' },
    );
    t.notMatch(stdout + stderr, /unexpected|uv_cwd/, args.join(' '));
    t.not(stdout + stderr, '');
    mkdirSync(directory);
  }
});

t.test('a file with several errors: a line for each', async (t) => {
  const config = join(t.testdir(), 'spliced.toml');
  writeFileSync(config, 'rooot = "x"\n[timeouts]\nidle_ms = 0\n');
  const { code, stdout, stderr } = await runCli(['serve', '--config', config]);
  t.equal(code, 2);
  t.equal(stdout, '');
  const lines = stderr.split('\n');
  t.equal(lines.length, 3);
  t.ok(lines[0]?.startsWith(`spliced: ${config}:1: rooot: `), stderr);
  t.ok(lines[1]?.startsWith(`spliced: ${config}:3: timeouts.idle_ms: `), stderr);
});

t.test('what the system refuses is told at the place of the setting', async (t) => {
  const directory = t.testdir({ file: 'text' });
  const absent = join(directory, 'absent.toml');
  writeFileSync(absent, `state_dir = "${directory}/state"\nroot = "/absent"\n`);
  const unserved = await runCli(['serve', '--listen', '127.0.0.1:0', '--config', absent]);
  refused(t, unserved, new RegExp(`^spliced: ${absent}:2: root: cannot serve "/absent"`), 'root');
  const config = join(directory, 'spliced.toml');
  writeFileSync(config, `\nstate_dir = "${join(directory, 'file')}"\n`);
  const ended = await runCli(['serve', '--listen', '127.0.0.1:0', '--config', config]);
  refused(t, ended, new RegExp(`^spliced: ${config}:2: state_dir: cannot be used: `), 'place');
});

t.test('what cannot be served', async (t) => {
  const directory = t.testdir({ file: 'text', root: {} });
  const serve = (...args: string[]) => {
    const own = ['--listen', '127.0.0.1:0', '--state-dir', join(directory, 'state')];
    return runCli(['serve', ...own, ...args]);
  };
  const absent = join(directory, 'absent');
  refused(t, await serve('--root', absent), /absent.*No such file/i, 'a root that is absent');
  const file = join(directory, 'file');
  refused(t, await serve('--root', file), /file.*Not a directory/i, 'a root that is a file');
  refused(t, await serve('--state-dir', file), /--state-dir: cannot be used/, 'state is a file');
  // An address of TEST-NET-1 (RFC 5737) is no address of this machine.
  refused(t, await serve('--listen', '192.0.2.1:0'), /192\.0\.2\.1/, 'an address of no interface');
  if (process.getuid?.() !== 0) {
    const closed = join(directory, 'root');
    chmodSync(closed, 0);
    refused(t, await serve('--root', closed), /root.*Permission denied/i, 'an unreadable root');
  }
});

t.test('a busy port', async (t) => {
  const holder = createServer();
  const port = await new Promise<number>((resolve) => {
    holder.listen(0, '127.0.0.1', () => resolve((holder.address() as { port: number }).port));
  });
  t.teardown(() => holder.close());
  const args = ['serve', '--state-dir', join(t.testdir(), 'state'), '--listen'];
  const ended = await runCli([...args, `127.0.0.1:${port}`]);
  refused(t, ended, new RegExp(`127\\.0\\.0\\.1:${port}.*in use`, 'i'), 'port');
});

t.test('a key that does not match the certificate', async (t) => {
  const directory = t.testdir();
  const names = { commonName: 'gate', dns: ['gate'], ip: [] };
  const [one, two] = [
    await issueCertificate(names, Date.now()),
    await issueCertificate(names, Date.now()),
  ];
  const certificate = join(directory, 'one.pem');
  const privateKey = join(directory, 'two.key');
  writeFileSync(certificate, one.certificate);
  writeFileSync(privateKey, two.privateKey);
  const files = ['--certificate', certificate, '--private-key', privateKey];
  const ended = await runCli(['serve', '--listen', '127.0.0.1:0', ...files]);
  refused(
    t,
    ended,
    /--certificate: .*one\.pem .*two\.key cannot be used: .* does not match the certificate/,
    'mismatch',
  );
  t.notMatch(ended.stdout + ended.stderr, /BEGIN|MIG/, 'no part of a key is shown');
});
