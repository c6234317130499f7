// SPDX-License-Identifier: Apache-2.0
// A device of two slots out of a guest: the slots, the data partition and the boot loader's variables
// are files that outlive the boot, in a directory of the host. The boot loader is a script in place of
// U-Boot's: it takes the first slot of the order that has an attempt left, and each attempt is counted
// down until the slot is marked good. RAUC's backend "custom" is its other half.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { must, putStateOnData } from '../systemd/service.mjs';

export const compatible = 'spliced-test';
/** While it is there, an installation stays in its middle. */
export const holdPath = '/run/test-hold';
const slotMib = 32;
const dataMib = 160;
const attempts = 3;

const backend = `#!/bin/sh
# What "bootloader=custom" asks for: RAUC's docs/reference, "custom backend".
d=/data/boot
case $1 in
  get-primary) read -r first _ <$d/order; echo "$first" ;;
  set-primary) [ "$2" = A ] && o=B || o=A; echo "$2 $o" >$d/order; echo 1 >$d/left-$2 ;;
  get-current) cat $d/current ;;
  get-state) read -r left <$d/left-$2; [ "$left" -gt 0 ] && echo good || echo bad ;;
  set-state) [ "$3" = good ] && echo ${attempts} >$d/left-$2 || echo 0 >$d/left-$2 ;;
esac
`;

const systemConf = (keyring) => `[system]
compatible=${compatible}
bootloader=custom
bundle-formats=-plain
statusfile=/data/rauc.status

[handlers]
bootloader-custom-backend=/usr/libexec/test-bootloader
pre-install=/usr/libexec/test-pre-install

[keyring]
path=${keyring}

[slot.rootfs.0]
device=/dev/loop0
type=raw
bootname=A

[slot.rootfs.1]
device=/dev/loop1
type=raw
bootname=B
`;

const variable = (name) => readFileSync(`/data/boot/${name}`, 'utf8').trim();

/** The boot loader's variables as they are. */
export const bootVariables = () => ({
  order: variable('order'),
  leftA: Number(variable('left-A')),
  leftB: Number(variable('left-B')),
});

/** What the boot loader does at power-on: its choice. */
function chooseSlot() {
  const slot = variable('order')
    .split(' ')
    .find((name) => Number(variable(`left-${name}`)) > 0);
  if (slot === undefined) throw new Error('the boot loader finds no slot with an attempt left');
  writeFileSync(`/data/boot/left-${slot}`, `${Number(variable(`left-${slot}`)) - 1}\n`);
  writeFileSync('/data/boot/current', `${slot}\n`);
  return slot;
}

function makeParts(store) {
  const part = (name, mib) => must('truncate', '--size', `${mib}M`, `${store}/${name}`);
  part('slot0', slotMib);
  part('slot1', slotMib);
  part('data', dataMib);
  must('mkfs.ext4', '-q', '-O', '^has_journal', `${store}/data`);
}

/** Boots the device that lies in `store`; the answer is the slot. */
export function boot(store) {
  const isNew = !existsSync(`${store}/data`);
  if (isNew) makeParts(store);
  must('losetup', '/dev/loop0', `${store}/slot0`);
  must('losetup', '/dev/loop1', `${store}/slot1`);
  must('losetup', '/dev/loop2', `${store}/data`);
  mkdirSync('/data');
  must('mount', '/dev/loop2', '/data');
  if (isNew) {
    mkdirSync('/data/boot');
    for (const [name, value] of [
      ['order', 'A B'],
      ['left-A', attempts],
      ['left-B', attempts],
    ]) {
      writeFileSync(`/data/boot/${name}`, `${value}\n`);
    }
  }
  const slot = chooseSlot();
  // RAUC knows the slot that was booted by the kernel's command line.
  writeFileSync(
    '/run/cmdline',
    `${readFileSync('/proc/cmdline', 'utf8').trim()} rauc.slot=${slot}\n`,
  );
  must('mount', '--bind', '/run/cmdline', '/proc/cmdline');
  mkdirSync('/usr/libexec', { recursive: true });
  writeFileSync('/usr/libexec/test-bootloader', backend, { mode: 0o755 });
  const preInstall = `#!/bin/sh\nsleep 6\nwhile [ -e ${holdPath} ]; do sleep 0.2; done\n`;
  writeFileSync('/usr/libexec/test-pre-install', preInstall, { mode: 0o755 });
  mkdirSync('/etc/rauc', { recursive: true });
  writeFileSync('/etc/rauc/system.conf', systemConf(`${store}/good.crt`));
  // docs/UPDATES.md, "The user of the service".
  mkdirSync('/etc/sysusers.d', { recursive: true });
  writeFileSync('/etc/sysusers.d/spliced.conf', 'u spliced - "spliced, HTTPS service"\n');
  must('systemd-sysusers');
  putStateOnData();
  return slot;
}

function makeKey(store, name, ...more) {
  const files = ['-keyout', `${store}/${name}.key`, '-out', `${store}/${name}.crt`];
  const kind = ['-newkey', 'rsa:2048', '-nodes', '-days', '30'];
  must('openssl', 'req', '-x509', ...kind, '-subj', `/O=test/CN=${name}`, ...files, ...more);
}

function makeBundle(store, name, { key = 'good', device = compatible, mib = 1 } = {}) {
  const directory = `${store}/in`;
  must('rm', '-rf', directory);
  mkdirSync(directory);
  must('sh', '-c', `head -c ${mib}M /dev/urandom >${directory}/rootfs.img`);
  const manifest =
    `[update]\ncompatible=${device}\nversion=2026.11\n\n[bundle]\nformat=verity\n\n` +
    '[image.rootfs]\nfilename=rootfs.img\n';
  writeFileSync(`${directory}/manifest.raucm`, manifest);
  const signed = [`--cert=${store}/${key}.crt`, `--key=${store}/${key}.key`];
  must('rauc', ...signed, 'bundle', directory, `${store}/${name}.raucb`);
}

/** What the firmware's maker builds, and what others try. */
export function makeBundles(store) {
  makeKey(store, 'good');
  makeKey(store, 'stranger');
  makeBundle(store, 'good', { mib: 24 });
  makeBundle(store, 'stranger', { key: 'stranger' });
  makeBundle(store, 'other-device', { device: 'toaster' });
  makeBundle(store, 'too-large', { mib: slotMib + 4 });
  must('sh', '-c', `head -c 1000000 ${store}/good.raucb >${store}/truncated.raucb`);
  must('truncate', '--size', `${2 * dataMib}M`, `${store}/no-room.raucb`);
}

function makeSwu(store, name, { key = 'swu-good', mib = 1 } = {}) {
  const directory = `${store}/in`;
  must('rm', '-rf', directory);
  mkdirSync(directory);
  must('sh', '-c', `head -c ${mib}M /dev/urandom >${directory}/image`);
  const sha256 = must('sha256sum', `${directory}/image`).slice(0, 64);
  const image = `filename = "image"; device = "/dev/loop1"; type = "raw"; sha256 = "${sha256}";`;
  writeFileSync(
    `${directory}/sw-description`,
    `software = { version = "1"; hardware-compatibility: [ "1.0" ]; images: ( { ${image} } ); }\n`,
  );
  const signer = ['-signer', `${store}/${key}.crt`, '-inkey', `${store}/${key}.key`];
  const how = ['-sign', '-outform', 'DER', '-nosmimecap', '-binary'];
  const files = ['-in', `${directory}/sw-description`, '-out', `${directory}/sw-description.sig`];
  must('openssl', 'cms', ...how, ...files, ...signer);
  const list = 'sw-description\\nsw-description.sig\\nimage\\n';
  const pack = `cd ${directory} && printf '${list}' | cpio --quiet -o -H crc >${store}/${name}.swu`;
  must('sh', '-c', pack);
}

/** The same for SWUpdate; its certificates have a purpose (CMS). */
export function makeSwus(store) {
  const purpose = ['-addext', 'extendedKeyUsage=emailProtection'];
  for (const name of ['swu-good', 'swu-stranger']) makeKey(store, name, ...purpose);
  makeSwu(store, 'swu-stranger', { key: 'swu-stranger', mib: 2 });
  makeSwu(store, 'swu-too-large', { mib: slotMib + 4 });
  makeSwu(store, 'swu-good', { mib: 8 });
  must('cp', `${store}/in/image`, `${store}/swu-image`);
  must('sh', '-c', `head -c 1000000 ${store}/swu-good.swu >${store}/swu-truncated.swu`);
}
