// SPDX-License-Identifier: Apache-2.0
// The state on dm-crypt with a trusted key of a TPM, as the Yocto layer's spliced-data has it: boots of a guest with
// QEMU's TPM (swtpm) over one disk. The key is made at the first boot; a later one opens it; with another TPM nobody
// does, and nothing is changed. docs/KEYS.md

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { directoryFrom, prepareSmp } from './host/prepare.js';
import { runGuest } from './host/run-guests.js';

const diskBytes = 64 << 20;
const timeoutS = 420;
const unlock = 'yocto-layer/recipes-spliced/spliced-data/files/spliced-data-unlock';
const programs = ['keyctl', 'dmsetup', 'mkfs.ext4', 'tpm2_getcap', 'tpm2_createprimary'];
const tpmPrograms = ['tpm2_create', 'tpm2_load', 'tpm2_evictcontrol'];
const library = '/usr/lib/x86_64-linux-gnu/libtss2-tcti-device.so.0';

// biome-ignore lint/suspicious/noExplicitAny: what a case answers is its own; tap compares it.
type Result = Record<string, any>;

const work = mkdtempSync(join(tmpdir(), 'spliced-state-'));
t.teardown(() => rmSync(work, { recursive: true, force: true }));
const disk = join(work, 'disk');
const digest = (): string => createHash('sha256').update(readFileSync(disk)).digest('hex');

async function boot(name: string, tpm: string, trusted: string, provider: string): Promise<Result> {
  const more = [unlock, library, trusted, provider];
  const { cases, output } = await runGuest<Result>({
    launcher: 'test/guest/smp/run-smp',
    kernel: '6.12',
    options: [
      ...['-c', '1', '-D', disk, '-T', tpm, '-M', 'dm-mod xts'],
      ...more.flatMap((path) => ['-f', path]),
      ...[...programs, ...tpmPrograms].flatMap((program) => ['-p', program]),
    ],
    script: (report) => ['state-key.mjs', report, trusted, provider, name],
    directory: join(mkdtempSync(join(work, 'report-')), 'out'),
    timeoutS,
  });
  return cases[name] ?? { error: `No report:\n${output}` };
}

const unable = prepareSmp(['6.12']);
t.test('the state on dm-crypt with a key of the TPM', { skip: unable ?? false }, async (t) => {
  const trusted = directoryFrom('test/guest/smp/get-trusted-keys');
  const provider = directoryFrom('test/contract/get-tpm2');
  const [own = '', others = ''] = ['own', 'others'].map((name) => join(work, name));
  for (const directory of [own, others]) mkdirSync(directory);
  writeFileSync(disk, '');
  truncateSync(disk, diskBytes);
  const run = (name: string, tpm: string) => boot(name, tpm, trusted, provider);

  const first = await run('first', own);
  await t.test('the first boot makes the key, and the service its own', (t) => {
    const noFileSystem = { status: 1, said: /no file system can be made on \/dev\/vda/ };
    t.match(first.broken, { opened: noFileSystem, isOpen: false });
    t.match(first.opened, {
      status: 0,
      said: /made a key \(tpm\) and a file system on \/dev\/vda/,
    });
    t.match(first.again, { status: 0, said: '' }, 'what is open stays so');
    t.match(first.service, { served: /^[0-9A-F:]{95}$/, exitCode: 0 });
    t.match(first.table, /aes-xts-plain64 :64:trusted:spliced-data 0 .* 2048/, 'no key to be read');
    t.notMatch(first.keyring, /trusted/, 'nobody else has it');
    const protection = {
      level: 'info',
      detail: /dm-crypt.*only the TPM of this device opens its key/,
    };
    t.match(first.doctor, [protection, protection], "also the authority's");
    t.match(
      first.request,
      { status: 0, verified: 0 },
      'a key by the resource manager of the kernel',
    );
    t.end();
  });
  if (!t.passing()) return t.comment(JSON.stringify(first, null, 1));

  const bytes = readFileSync(disk);
  t.match(bytes.subarray(0, 4096).toString('latin1'), /^spliced-data 1 tpm [0-9a-f]{200,} end\n\0/);
  t.notOk(bytes.includes('nobody reads this'), 'what was written is not to be read on the flash');
  t.notOk(bytes.includes('BEGIN'), 'and no key of the service');

  await t.test('another TPM does not open it, and changes nothing', async (t) => {
    const before = digest();
    const said = /this device's tpm does not open the key of \/dev\/vda/;
    t.match(await run('closed', others), { opened: { status: 1, said }, isOpen: false });
    t.equal(digest(), before);
  });

  const next = await run('reopened', own);
  await t.test('the next boot opens it', (t) => {
    t.match(next.other, { opened: { status: 1, said: /is of tpm, not of caam/ }, isOpen: false });
    t.match(next.opened, { status: 0, said: '' });
    t.equal(next.kept, 31_000);
    t.same(next.service, first.service, 'the same certificate');
    t.match(next.halved, { status: 0, said: '' }, 'also when the first copy of the key is gone');
    t.equal(next.keptThen, 31_000);
    const refused = { status: 1, said: /is not empty, and not ours/ };
    t.match(
      next.foreign,
      { opened: refused, isOpen: false, isKept: true },
      'and not when both are',
    );
    t.end();
  });
  if (!t.passing()) t.comment(JSON.stringify(next, null, 1));
});
