// SPDX-License-Identifier: Apache-2.0
// A device with the Yocto layer's spliced-data, as files to be laid over a guest's root: what its recipe installs with
// SPLICED_DATA_KEY = "tpm", the line of fstab of its image, and spliced as its package installs it. Used by
// state-key-boot.test.ts, with the project as working directory.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

const recipe = 'yocto-layer/recipes-spliced/spliced-data';
const units = 'usr/lib/systemd/system';

/** What run-smp -D is for udev. */
const device = '/dev/disk/by-id/virtio-disk';

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** The recipe's do_install, with its variables as bitbake expands them. */
function installData(root: string): void {
  const text = readFileSync(`${recipe}/spliced-data_1.0.bb`, 'utf8');
  const [, body = ''] = /^do_install\(\) \{\n(.*?)^\}/ms.exec(text) ?? [];
  const values: Record<string, string | undefined> = {
    D: root,
    S: `${recipe}/files`,
    systemd_system_unitdir: `/${units}`,
    localstatedir: '/var',
    libexecdir: '/usr/libexec',
    SPLICED_DATA_DIR: /^SPLICED_DATA_DIR \?= "(.*)"$/m.exec(text)?.[1],
    SPLICED_DATA_KEY: 'tpm',
    SPLICED_DATA_RAW_DEVICE: device,
  };
  const script = body.replace(/\$\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`do_install: what is ${name}?`);
    return value;
  });
  const { status, stderr } = spawnSync('sh', ['-euc', script], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`do_install: ${stderr}`);
}

function enable(root: string, unit: string, target: string): void {
  const wants = join(root, `etc/systemd/system/${target}.wants`);
  mkdirSync(wants, { recursive: true });
  symlinkSync(`/${units}/${unit}`, join(wants, unit));
}

function installSpliced(root: string): void {
  const library = join(root, 'usr/lib/spliced');
  for (const part of ['dist', 'public', 'package.json', 'build/Release/spliced.node'])
    cpSync(part, join(library, part), { recursive: true });
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  symlinkSync('../lib/spliced/dist/cli.js', join(root, 'usr/bin/spliced'));
  for (const name of readdirSync('systemd'))
    if (/\.(service|socket|path)$/.test(name)) cpSync(`systemd/${name}`, join(root, units, name));
  // Seconds are minutes on an emulated processor.
  const patience = '[Service]\nWatchdogSec=0\nTimeoutStartSec=10min\nTimeoutStopSec=10min\n';
  write(join(root, `etc/systemd/system/spliced.service.d/patience.conf`), patience);
}

/** `modules` has trusted.ko and dm-crypt.ko of the guest's kernel, `release`. */
export function makeDevice(root: string, modules: string, release: string): void {
  cpSync(modules, join(root, `usr/lib/modules/${release}/extra`), { recursive: true });
  installSpliced(root);
  installData(root);
  enable(root, 'spliced.service', 'multi-user.target');
  enable(root, 'spliced.socket', 'sockets.target');
  enable(root, 'var-lib-private.mount', 'local-fs.target');
  // As test/unit/yocto/layer.test.ts has found the image's.
  const [line = ''] =
    /\/dev\/mapper\/spliced-data .* 0 2/.exec(readFileSync('docs/YOCTO.md', 'utf8')) ?? [];
  write(join(root, 'etc/fstab'), `${line}\n`);
  chmodSync(root, 0o755);
}
