// SPDX-License-Identifier: Apache-2.0
// The package for boards: what is in it, that it installs without a network, a cache or a compiler,
// that it serves from there, and that its bill of materials is complete.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { prebuildPath, targets } from '../../cross/targets.mjs';
import { startServer } from '../cli/server.js';
import { archive, bill, get, output } from './package.js';

const sum = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

t.test('what is in it', async (t) => {
  const names = String(output(['tar', '-tzf', archive]))
    .trim()
    .split('\n');
  const files = names.map((name) => name.replace(/^package\//, ''));
  const wanted = [
    'LICENSE',
    'README.md',
    'config/spliced.toml',
    'dist/THIRD-PARTY-NOTICES',
    'dist/cli.js',
    'dist/program.js',
    'dist/ui/index.html',
    'docs/CONFIGURATION.md',
    'man/spliced.1',
    'man/spliced.toml.5',
    'package.json',
    'prebuilds/THIRD-PARTY-NOTICES',
    ...targets.map(prebuildPath),
    'public/index.html',
    'systemd/spliced.service',
  ];
  t.same(
    wanted.filter((name) => !files.includes(name)),
    [],
  );
  const expected =
    /^(LICENSE|README\.md|package\.json|dist\/(THIRD-PARTY-NOTICES|(cli|program|index)\.js|package\.json|chunks\/[^/]+\.js|ui\/.*)|docs\/[^/]+\.md|(config|man|prebuilds|public|systemd|types)\/.*)$/;
  t.same(
    files.filter((name) => !expected.test(name)),
    [],
    'and nothing else',
  );
  const manifest = JSON.parse(String(output(['tar', '-xzOf', archive, 'package/package.json'])));
  for (const key of ['scripts', 'dependencies', 'devDependencies', 'optionalDependencies']) {
    t.notOk(key in manifest, `no ${key}`);
  }
});

t.test('the same bytes again', async (t) => {
  const before = [archive, bill].map((path) => sum(readFileSync(path)));
  const command = ['sh', '-c', 'umask 077 && exec "$0" scripts/pack.mjs', process.execPath];
  output(command, { ...process.env, TZ: 'Asia/Tokyo' });
  t.same(
    [archive, bill].map((path) => sum(readFileSync(path))),
    before,
  );
});

t.test('npm install -g --offline, and it serves', async (t) => {
  const directory = t.testdir({ cache: {}, home: {} });
  const prefix = join(directory, 'prefix');
  // No compiler and no tool but Node and a shell; and scripts would run, if there were any.
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  for (const name of ['node', 'npm', 'sh']) {
    const path = name === 'node' ? process.execPath : String(output(['which', name])).trim();
    output(['ln', '-s', path, join(bin, name)]);
  }
  const env = {
    PATH: bin,
    HOME: join(directory, 'home'),
    npm_config_cache: join(directory, 'cache'),
    npm_config_ignore_scripts: 'false',
  };
  output([join(bin, 'npm'), 'install', '-g', '--offline', '--prefix', prefix, archive], env);
  const installed = join(prefix, 'lib/node_modules/spliced');
  t.notOk(existsSync(join(installed, 'node_modules')), 'it brought nothing else');
  t.notOk(existsSync(join(installed, 'build')), 'nothing was compiled');

  const program = join(prefix, 'bin/spliced');
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  t.equal(String(output([program, '--version'], env)), `spliced ${version}\n`);
  const own = ['--listen', '127.0.0.1:0', '--state-dir', join(directory, 'state')];
  const command = [program, 'serve', '--root', join(installed, 'public'), ...own];
  const server = await startServer(command, { PATH: bin });
  t.teardown(() => server.child.kill('SIGKILL'));
  const maps = readFileSync(`/proc/${server.child.pid}/maps`, 'utf8');
  t.match(maps, join(installed, 'prebuilds', `linux-${process.arch}`), 'the prebuild is loaded');
  t.same(get(server.port, '/'), readFileSync('public/index.html'));
  t.match(JSON.parse(String(get(server.port, '/.spliced/status'))), { version });
  server.child.kill('SIGTERM');
  t.equal((await server.ended).code, 0);
});

interface Component {
  'bom-ref': string;
  type: string;
  name: string;
  version?: string;
  licenses?: { license: { id: string } }[];
  hashes?: { alg: string; content: string }[];
}

t.test('the bill of materials', async (t) => {
  const contents = JSON.parse(readFileSync(bill, 'utf8')) as {
    bomFormat: string;
    specVersion: string;
    serialNumber: string;
    metadata: { component: Component };
    components: Component[];
    dependencies: { ref: string; dependsOn: string[] }[];
  };
  t.match(contents, { bomFormat: 'CycloneDX', specVersion: '1.5' });
  t.match(
    contents.serialNumber,
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  const root = contents.metadata.component;
  t.match(root, { name: 'spliced', hashes: [{ content: sum(readFileSync(archive)) }] });
  const refs = contents.components.map((entry) => entry['bom-ref']);
  t.equal(new Set(refs).size, refs.length, 'each component once');
  for (const { name, licenses } of contents.components) t.ok(licenses?.[0]?.license.id, name);

  // Every package whose code esbuild says it took, and those that the prebuilds hold.
  const { outputs } = JSON.parse(readFileSync('build/bundle.json', 'utf8')) as {
    outputs: Record<string, { inputs: Record<string, { bytesInOutput: number }> }>;
  };
  const used = new Set(
    Object.values(outputs)
      .flatMap(({ inputs }) => Object.entries(inputs))
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .map(([path]) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
      .filter((name) => name !== undefined),
  );
  t.ok(used.size > 20, `${used.size} packages`);
  const names = new Set(contents.components.map(({ name }) => name));
  for (const name of [...used, 'node-addon-api', 'mime-db', 'liburing'])
    t.ok(names.has(String(name)), String(name));
  for (const path of targets.map(prebuildPath)) {
    const content = sum(readFileSync(path));
    t.match(
      contents.components.find(({ name }) => name === path),
      { hashes: [{ content }] },
    );
    const inside = contents.dependencies.find(({ ref }) => ref === path)?.dependsOn.join(' ');
    t.match(inside, /^liburing@\S+ node-addon-api@\S+ mime-db@\S+$/);
  }
  const known = new Set([...refs, root['bom-ref']]);
  for (const { ref, dependsOn } of contents.dependencies) {
    t.ok(
      [ref, ...dependsOn].every((entry) => known.has(entry)),
      `${ref} and what it depends on`,
    );
  }

  const notices = readFileSync(join(dirname(archive), 'stage/dist/THIRD-PARTY-NOTICES'), 'utf8');
  for (const name of used) t.match(notices, new RegExp(`^${name} \\d`, 'm'));
});
