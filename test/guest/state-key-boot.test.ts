// SPDX-License-Identifier: Apache-2.0
// The units of the Yocto layer's spliced-data with a key of the TPM, as its recipe installs them, over boots of a
// device with systemd and udev (QEMU, swtpm): the partition is opened, checked and mounted before the service starts.
// With another TPM, and with none, nothing is mounted or started, and nothing on the partition changes.

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeDevice } from './host/data-partition.js';
import { directoryFrom, prepareSmp } from './host/prepare.js';
import { runGuest } from './host/run-guests.js';
import { prepareSystemd } from './host/systemd-guest.js';

const kernel = '6.12';
const diskBytes = 64 << 20;
const timeoutS = 420;
const programs = ['keyctl', 'dmsetup', 'mkfs.ext4', 'fsck.ext4'];
const tpmPrograms = ['tpm2_getcap', 'tpm2_createprimary', 'tpm2_evictcontrol'];
const library = '/usr/lib/x86_64-linux-gnu/libtss2-tcti-device.so.0';

interface Unit {
  active: string;
  result: string;
  beganUs: number;
  endedUs: number;
  /** Units whose end it waits for. */
  after: string;
}

interface Boot {
  error?: string;
  units: Record<'unlock' | 'check' | 'mount' | 'state' | 'local' | 'service' | 'emergency', Unit>;
  log: string;
  mounted: { data: boolean; state: boolean };
  isOpen: boolean;
  served: string;
  journal: string;
}

const work = mkdtempSync(join(tmpdir(), 'spliced-state-boot-'));
t.teardown(() => rmSync(work, { recursive: true, force: true }));
const disk = join(work, 'disk');
const device = join(work, 'device');
const digest = (): string => createHash('sha256').update(readFileSync(disk)).digest('hex');

/** Boots it once, with the TPM whose state is in that directory, or with none. */
async function boot(t: Test, layers: string[], tpm?: string): Promise<Boot> {
  const { cases, output } = await runGuest<Boot>({
    launcher: 'test/guest/smp/run-smp',
    kernel,
    options: [
      ...['-c', '1', '-S', '-D', disk, '-f', library],
      ...layers.flatMap((layer) => ['-L', layer]),
      ...(tpm === undefined ? [] : ['-T', tpm]),
      ...[...programs, ...tpmPrograms].flatMap((program) => ['-p', program]),
    ],
    script: (report) => ['state-key-boot.mjs', report, 'boot'],
    directory: join(mkdtempSync(join(work, 'report-')), 'out'),
    timeoutS,
  });
  const result = cases.boot;
  if (result === undefined || result.error !== undefined)
    throw new Error(`${result?.error ?? 'no report'}\n${output}`);
  t.teardown(() => {
    if (!t.passing()) t.comment(JSON.stringify(result, null, 1));
  });
  return result;
}

/** Each ended before the next began. */
function checkOrder(t: Test, { units }: Boot): void {
  const { unlock, check, mount, state, service } = units;
  const steps = { unlock, check, mount, state, service };
  let last = 0;
  for (const [name, unit] of Object.entries(steps)) {
    t.equal(unit.active, 'active', name);
    t.ok(unit.beganUs >= last, `${name} begins at ${unit.beganUs}, after ${last}`);
    last = unit.endedUs;
  }
  // By chance a check of what has no file system yet may come late enough.
  for (const one of [check, mount]) t.match(one.after, 'spliced-data-unlock.service');
  t.equal(units.emergency.active, 'inactive');
}

function checkRefused(t: Test, result: Boot): void {
  t.match(result.units.unlock, { active: 'failed', result: 'exit-code' });
  for (const name of ['mount', 'state', 'service'] as const)
    t.match(result.units[name], { active: 'inactive', beganUs: 0 }, `${name} never began`);
  t.match(result, { mounted: { data: false, state: false }, isOpen: false, served: '' });
  t.equal(result.units.emergency.active, 'active', 'a line of fstab without nofail');
}

const { unable, directory: systemd } = prepareSystemd();
const why = unable ?? prepareSmp([kernel]);
t.test('the units of a data partition with a key of the TPM', { skip: why ?? false }, async (t) => {
  const trusted = directoryFrom('test/guest/smp/get-trusted-keys');
  const guestKernel = directoryFrom('test/guest/smp/get-kernel', kernel);
  makeDevice(device, trusted, readFileSync(join(guestKernel, 'release'), 'utf8').trim());
  const layers = [...(systemd === undefined ? [] : [systemd]), device];
  const [own = '', others = ''] = ['own', 'others'].map((name) => join(work, name));
  for (const directory of [own, others]) mkdirSync(directory);
  writeFileSync(disk, '');
  truncateSync(disk, diskBytes);

  let made = '';
  await t.test('the first boot', async (t) => {
    const first = await boot(t, layers, own);
    checkOrder(t, first);
    t.match(first.log, /made a key \(tpm\) and a file system on \/dev\/disk\/by-id\/virtio-disk/);
    t.match(first.served, /^[0-9A-F:]{95}$/);
    t.same(first.mounted, { data: true, state: true });
    made = first.served;
  });
  await t.test('the next one', async (t) => {
    const next = await boot(t, layers, own);
    checkOrder(t, next);
    t.equal(next.served, made, 'the same certificate');
  });
  const before = digest();
  await t.test('with the TPM of another device', async (t) => {
    const result = await boot(t, layers, others);
    checkRefused(t, result);
    t.match(
      result.log,
      /this device's tpm does not open the key of .*: it is another device's, or the tpm was cleared/,
    );
    t.equal(digest(), before, 'nothing was changed');
  });
  await t.test('without a TPM', async (t) => {
    const result = await boot(t, layers);
    checkRefused(t, result);
    t.match(result.log, /no \/dev\/tpmrm0 after 30 s: is its driver in the kernel/);
    t.equal(digest(), before, 'nothing was changed');
  });
});
