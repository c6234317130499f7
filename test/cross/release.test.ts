// SPDX-License-Identifier: Apache-2.0
// What the recipe does, without bitbake: a release tarball, unpacked where no checkout is, is
// configured, compiled for 64-bit ARM and installed into an image directory by the script that the
// recipe's tasks call, and the image is looked at. Installed for this machine, too, and the package
// test runs from that image. test/yocto/parse-layer does it with bitbake.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import t from 'tap';
import { targets } from '../../cross/targets.mjs';
import { compilerOf, sysrootOf, toolchainOf } from '../../scripts/prebuild.mjs';
import { hashOf, listFiles, unlessDone } from '../../scripts/setup.mjs';
import {
  makeTarball,
  recipePath,
  releaseName,
  withLicences,
} from '../../scripts/source-tarball.mjs';
import { ensurePackages, findNodeHeaders } from '../../scripts/system.mjs';
import { ownersOf, packagesOf, readRecipe, words } from '../unit/yocto/layer.js';

const recipe = readRecipe('yocto-layer/recipes-spliced/spliced/spliced.inc', recipePath);
const packages = packagesOf(recipe);
const headers = findNodeHeaders();
if (headers === undefined) throw new Error("Node's headers are missing");

const work = mkdtempSync(join(tmpdir(), 'spliced-package-'));
t.teardown(() => rmSync(work, { recursive: true, force: true }));

interface Built {
  source: string;
  image: string;
}

function run(command: string, args: string[], env: NodeJS.ProcessEnv = {}, cwd = work): string {
  const options = { cwd, encoding: 'utf8', env: { ...process.env, ...env }, maxBuffer: 64 << 20 };
  const { status, stdout, stderr } = spawnSync(command, args, options as { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

const addon = 'build/Release/spliced.node';

/** What do_unpack, do_install and do_install_ptest do; `compile` is what lies between. */
async function build(
  name: string,
  compile: (source: string, step: (...args: string[]) => void) => Promise<void>,
  env: NodeJS.ProcessEnv = {},
): Promise<Built> {
  const directory = join(work, name);
  mkdirSync(directory);
  run('tar', ['-xzf', first.tarball, '-C', directory]);
  const source = join(directory, releaseName);
  const image = join(directory, 'image');
  const step = (...args: string[]) => void run(join(source, 'scripts/package.sh'), args, env);
  await compile(source, step);
  step('install', image);
  step('install-ptest', image);
  return { source, image };
}

/** What the recipe gives package.sh for a target. */
function targetEnvironment(arch: string, tools: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    ...tools,
    NODE: process.execPath,
    NODE_GYP: resolve('node_modules/node-gyp/bin/node-gyp.js'),
    NODE_DIR: headers?.nodedir ?? '',
    NODE_ARCH: arch,
    JOBS: '2',
  };
}

/** do_configure and do_compile for another machine, the latter once for the same native sources. */
function crossBuild({ name, arch }: { name: string; arch: string }, tools: NodeJS.ProcessEnv) {
  const env = targetEnvironment(arch, tools);
  const inputs = [
    ...listFiles('native', 'cross'),
    'binding.gyp',
    'package.json',
    'package-lock.json',
  ];
  const hash = hashOf([...inputs, 'scripts/package.sh'], [process.version]);
  const kept = resolve(`build/package-test/${name}.node`);
  const compile = async (source: string, step: (...args: string[]) => void) => {
    step('configure');
    await unlessDone(`build/stamps/package-test-${name}`, hash, [kept], () => {
      step('compile');
      mkdirSync(dirname(kept), { recursive: true });
      cpSync(join(source, addon), kept);
    });
    mkdirSync(dirname(join(source, addon)), { recursive: true });
    cpSync(kept, join(source, addon));
  };
  return build(name, compile, env);
}

/** Every path of an image from its root on, directories too. */
function pathsIn(image: string, below = ''): string[] {
  return readdirSync(join(image, below), { withFileTypes: true }).flatMap((entry) => {
    const path = `${below}/${entry.name}`;
    return entry.isDirectory() ? [path, ...pathsIn(image, path)] : [path];
  });
}

const isFile = (image: string, path: string) => lstatSync(join(image, path)).isFile();
const addonPath = `/usr/lib/spliced/${addon}`;

const first = await makeTarball(join(work, 'first'));
const again = await makeTarball(join(work, 'again'));
// For this machine the checkout's own addon.
const native = await build('native', async (source) => {
  mkdirSync(dirname(join(source, addon)), { recursive: true });
  cpSync(addon, join(source, addon));
});

t.test('the same sources give the same bytes', async (t) => {
  const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
  t.equal(digest(again.tarball), digest(first.tarball));
  const listing = run('tar', ['-tvzf', first.tarball]).trim().split('\n');
  t.same([...new Set(listing.map((line) => line.split(/\s+/)[1]))], ['0/0'], 'owners');
  t.same(
    [...new Set(listing.map((line) => line.split(/\s+/)[0]))].sort(),
    ['-rw-r--r--', '-rwxr-xr-x', 'drwxr-xr-x'],
    'modes',
  );
});

t.test('the recipe names the licences that the tarball has', async (t) => {
  const text = readFileSync(recipePath, 'utf8');
  t.equal(text, withLicences(text, first.licences), 'else: npm run tarball, and look at them');
  t.match(
    readFileSync(join(native.source, 'dist/THIRD-PARTY-NOTICES'), 'utf8'),
    /^pino \S+ \(MIT\)$/m,
  );
});

t.test('installed for this machine, it passes its package test', async (t) => {
  const { image } = native;
  const runPtest = join(image, '/usr/lib/spliced/ptest/run-ptest');
  const path = `${dirname(process.execPath)}:${process.env.PATH}`;
  const { status, stdout } = spawnSync(runPtest, { encoding: 'utf8', env: { PATH: path } });
  t.equal(status, 0, stdout);
  const verdicts = stdout.split('\n').filter((line) => /^(PASS|FAIL|SKIP): /.test(line));
  t.equal(verdicts.length, 7);
  t.match(stdout, /^PASS: every byte of a large file/m);
  // It would say so if something were wrong.
  rmSync(join(image, addonPath));
  const broken = spawnSync(runPtest, { encoding: 'utf8', env: { PATH: path } });
  t.equal(broken.status, 1);
  t.match(broken.stdout, /^FAIL: every byte of a large file/m);
});

const [target] = targets.filter(({ name }) => name === 'arm64');
if (target === undefined || process.arch !== 'x64') {
  t.test('for 64-bit ARM', { skip: 'cross builds are made on x86-64' }, async () => {});
} else {
  ensurePackages([compilerOf(target)]);
  const tools = toolchainOf(target, sysrootOf(target), headers.nodedir);
  const cross = await crossBuild(target, tools);
  const paths = pathsIn(cross.image);

  t.test('the addon is for the target and holds no path of the build', async (t) => {
    const elf = run('readelf', ['-W', '-h', '-d', join(cross.image, addonPath)]);
    t.match(elf, /Machine: +AArch64/);
    t.notMatch(elf, /RPATH|RUNPATH/);
    t.notMatch(elf, /libssl|libcrypto|liburing/, "OpenSSL is the process's, liburing inside");
    t.match(elf, /BIND_NOW|FLAGS_1.*NOW/);
    // The tools' prefix is in no file either, unless it is where a target has things, too.
    const onTarget = ['/usr', '/usr/local'];
    const hosts = [work, process.cwd(), headers.nodedir].filter((path) => !onTarget.includes(path));
    for (const path of paths.filter((path) => isFile(cross.image, path))) {
      const content = readFileSync(join(cross.image, path), 'latin1');
      for (const host of hosts) t.notOk(content.includes(host), `${path}: ${host}`);
    }
  });

  t.test('without io_uring nothing of it is built', async (t) => {
    const makefile = (ring: string) => {
      const env = { ...targetEnvironment(target.arch, tools), SPLICED_IO_URING: ring };
      run(join(cross.source, 'scripts/package.sh'), ['configure'], env);
      return readFileSync(join(cross.source, 'build/spliced.target.mk'), 'utf8');
    };
    t.match(makefile('1'), /liburing/);
    const without = makefile('0');
    t.notMatch(without, /liburing|ring\/uring\.o/);
    t.match(without, /ring\/no_uring\.o/);
  });

  t.test('modes and owners', async (t) => {
    const me = process.getuid?.();
    for (const path of paths) {
      const status = lstatSync(join(cross.image, path));
      t.equal(status.uid, me, path);
      if (status.isSymbolicLink()) continue;
      const isProgram = /\/cli\.js$|\.node$|\/run-ptest$/.test(path);
      const expected = status.isDirectory() || isProgram ? 0o755 : 0o644;
      t.equal(status.mode & 0o7777, expected, path);
    }
    t.equal(readlinkSync(join(cross.image, '/usr/bin/spliced')), '../lib/spliced/dist/cli.js');
  });

  t.test('each file is of exactly one package, and no package is empty', async (t) => {
    const seen = new Set<string>();
    for (const path of paths.filter((path) => !lstatSync(join(cross.image, path)).isDirectory())) {
      const owners = ownersOf(packages, path);
      t.equal(owners.length, 1, `${path}: ${owners.join(', ') || 'nobody'}`);
      for (const owner of owners) seen.add(owner);
    }
    t.same([...packages.keys()].sort(), [...seen].sort());
    for (const path of words(recipe.get('CONFFILES:spliced'))) {
      t.ok(isFile(cross.image, path), path);
    }
  });

  t.test('what the units name is there', async (t) => {
    const unitDirectory = '/usr/lib/systemd/system';
    const enabled = [...packages.keys()].flatMap((name) =>
      words(recipe.get(`SYSTEMD_SERVICE:${name}`)),
    );
    const there = readdirSync(join(cross.image, unitDirectory));
    t.same(
      there.filter((name) => !enabled.includes(name)),
      ['spliced-http.socket', 'spliced-poweroff.service', 'spliced-reboot.service'],
      'the rest is enabled',
    );
    t.same(
      enabled.filter((name) => !there.includes(name)),
      [],
    );
    const text = readFileSync(join(cross.image, unitDirectory, 'spliced.service'), 'utf8');
    const named = [...text.matchAll(/^(?:ExecStart|WorkingDirectory)=(\S+)|file:\/\/(\S+)/gm)];
    t.equal(named.length, 3);
    for (const [, path = '', document = ''] of named) {
      t.ok(existsSync(join(cross.image, path || document)), path || document);
    }
  });
}
