// SPDX-License-Identifier: Apache-2.0
// install-service in the root of an image, as npm has put the package there, and what undoes it.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';

const library = '/usr/local/lib/node_modules/spliced';
const units = readdirSync('systemd').sort();
const hasSystemctl = spawnSync('systemctl', ['--version']).status === 0;

interface Image {
  root: string;
  at(path: string): string;
  text(path: string): string;
  put(path: string, text: string): void;
  spliced(...args: string[]): { code: number | null; stdout: string; stderr: string };
}

function newImage(t: Test, systemd = 254): Image {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'spliced-root-')));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const at = (path: string): string => join(root, path);
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  };
  for (const part of ['dist', 'systemd', 'config', 'package.json']) {
    cpSync(part, at(`${library}/${part}`), { recursive: true });
  }
  put('/usr/bin/node', '');
  put('/usr/lib/other-linux-gnu-cpp', '');
  put(`/usr/lib/systemd/libsystemd-shared-${systemd}.so`, '');
  put('/etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n');
  put('/etc/group', 'root:x:0:\n');
  return {
    root,
    at,
    put,
    text: (path) => readFileSync(at(path), 'utf8'),
    spliced: (...args) => {
      const cli = at(`${library}/dist/cli.js`);
      const child = spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8' });
      return { code: child.status, stdout: child.stdout, stderr: child.stderr };
    },
  };
}

const skip = hasSystemctl ? {} : { skip: 'no systemctl here' };

t.test('in an image, again, and undone', skip, async (t) => {
  const { root, at, text, put, spliced } = newImage(t);
  const installed = spliced('install-service', '--root', root);
  t.match(installed, { code: 0, stderr: '' });
  const program = `/usr/bin/node ${library}/dist/cli.js`;
  const unit = text('/etc/systemd/system/spliced.service');
  t.match(unit, new RegExp(`^ExecStart=${program} serve$`, 'm'));
  t.match(unit, new RegExp(`^WorkingDirectory=${library}$`, 'm'));
  t.match(unit, /^Type=notify-reload$/m);
  for (const name of units) {
    const line = `wrote    ${at(`/etc/systemd/system/${name}`)}\n`;
    t.ok(installed.stdout.includes(line), `${name} is told of`);
    t.notMatch(text(`/etc/systemd/system/${name}`), /=\/usr\/(bin|lib)\/spliced\b/, name);
  }
  const wanted = ['sockets.target.wants/spliced.socket', 'multi-user.target.wants/spliced.service'];
  for (const name of ['reboot', 'poweroff']) {
    wanted.push(`multi-user.target.wants/spliced-${name}.path`);
  }
  for (const name of wanted) t.ok(lstatSync(at(`/etc/systemd/system/${name}`)).isSymbolicLink());
  t.match(text('/etc/sysusers.d/spliced.conf'), /^u spliced - /m);
  t.match(text('/etc/passwd'), /^spliced:/m);
  t.equal(text('/etc/spliced/spliced.toml'), readFileSync('config/spliced.toml', 'utf8'));
  t.match(lstatSync(at('/usr/local/bin/spliced')).isSymbolicLink(), true);
  t.match(installed.stdout, /^It starts when the image boots\.$/m);

  put('/etc/spliced/spliced.toml', 'ring = "epoll"\n');
  put('/var/lib/spliced/run.json', '{}');
  const again = spliced('install-service', '--root', root);
  t.match(again, { code: 0, stdout: /^kept +.*spliced\.toml, which was there$/m, stderr: '' });
  t.equal(text('/etc/spliced/spliced.toml'), 'ring = "epoll"\n');

  const undone = spliced('uninstall-service', '--root', root);
  t.match(undone, { code: 0, stderr: '' });
  for (const place of ['/etc/spliced/spliced.toml', '/var/lib/spliced']) {
    t.ok(undone.stdout.includes(`kept     ${at(place)}\n`));
    t.ok(existsSync(at(place)));
  }
  const left = execFileSync(
    'find',
    [at('/etc/systemd'), at('/etc/sysusers.d'), at('/usr/local/bin'), '-name', 'spliced*'],
    { encoding: 'utf8' },
  );
  t.equal(left, '');
  const nothing = spliced('uninstall-service', '--root', root);
  t.match(nothing, { code: 2, stderr: /has made nothing/ });
});

t.test("an image's links lead into the image", skip, async (t) => {
  const { root, at, text, spliced } = newImage(t);
  const name = `spliced-${process.pid}`;
  mkdirSync(at(`/data/${name}`), { recursive: true });
  symlinkSync(`/data/${name}`, at('/etc/spliced'));
  t.match(spliced('install-service', '--root', root), { code: 0, stderr: '' });
  t.match(text(`/data/${name}/spliced.toml`), /^#root/m);
  t.notOk(existsSync(`/data/${name}`), 'not into this machine');
});

t.test('a systemd before Type=notify-reload', skip, async (t) => {
  const { root, text, spliced } = newImage(t, 252);
  t.match(spliced('install-service', '--root', root), { code: 0 });
  const unit = text('/etc/systemd/system/spliced.service');
  t.match(unit, /^Type=notify\nExecReload=\/bin\/kill -HUP \$MAINPID$/m);
  t.notMatch(unit, /^(RestartSteps|RestartMaxDelaySec)=/m);
});

t.test('refused in words, and nothing is written', async (t) => {
  const { root, at, put, spliced } = newImage(t);
  const refused = (reason: RegExp): void => {
    t.match(spliced('install-service', '--root', root), { code: 2, stdout: '', stderr: reason });
    t.notOk(existsSync(at('/etc/sysusers.d')));
  };
  put('/etc/systemd/system/spliced.socket', '[Socket]\n');
  refused(/spliced\.socket was not made by install-service/);
  rmSync(at('/etc/systemd'), { recursive: true });
  put('/usr/lib/systemd/system/spliced.service', '[Unit]\n');
  refused(/a package of the distribution/);
  rmSync(at('/usr/lib/systemd/system'), { recursive: true });
  chmodSync(at(library), 0o700);
  refused(/others may not enter .*node_modules\/spliced: chmod -R a\+rX it/);
  chmodSync(at(library), 0o755);
  rmSync(at('/usr/bin/node'));
  refused(/there is no Node in/);
  const elsewhere = spliced('install-service', '--root', t.testdir());
  t.match(elsewhere, { code: 2, stderr: /is not below .*npm install -g --prefix/ });
  t.match(spliced('install-service', '--root', '/nowhere'), { code: 2, stderr: /no directory/ });
});

t.test('what the system refuses is one line', async (t) => {
  const { root, put, spliced } = newImage(t);
  put('/etc/sysusers.d', 'no directory\n');
  const refused = spliced('install-service', '--root', root);
  t.match(refused, { code: 2, stderr: /^spliced: (EEXIST|ENOTDIR): [^\n]*\n$/ });
});

t.test('a package that the service would not see', async (t) => {
  const { root, at, spliced } = newImage(t);
  const below = at(join('/home', 'me/node_modules/spliced'));
  cpSync(at(library), below, { recursive: true });
  const cli = join(below, 'dist/cli.js');
  const args = [cli, 'install-service', '--root', root];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  t.equal(status, 2);
  t.match(stderr, /the service does not see \/home\//);
  t.match(spliced('uninstall-service', '--root', root), { code: 2 });
});
