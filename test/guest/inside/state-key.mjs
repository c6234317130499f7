// SPDX-License-Identifier: Apache-2.0
// A device whose data partition (/dev/vda) is on dm-crypt with a trusted key of its TPM: one boot of it, reported.
//   node test/guest/inside/state-key.mjs REPORT.json MODULES PROVIDER CASE
// Started by state-key.test.ts through run-smp, in the project's directory.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { connect } from 'node:tls';
import { root, run } from './guest.mjs';
import { runCases } from './report.mjs';
import { Server } from './server.mjs';

const [reportPath, modules, provider, chosen] = process.argv.slice(2);
const unlock = 'yocto-layer/recipes-spliced/spliced-data/files/spliced-data-unlock';
const device = '/dev/vda';
const data = '/data';
const stateDir = `${data}/private/spliced`;
const secret = `${data}/secret`;
const mapped = '/dev/mapper/spliced-data';
/** From one copy of the key's blob to the next. */
const copyBytes = 64 << 10;

// As the unit starts it: with a session keyring of its own.
function open(source = 'tpm', env = process.env) {
  const { status, stderr } = spawnSync('keyctl', ['session', '-', unlock, device, source], {
    encoding: 'utf8',
    env,
  });
  return { status, said: stderr.replace(/^Joined session keyring: .*\n/, '') };
}

const mount = () => run('mount', ['-t', 'ext4', mapped, data]);
function close() {
  run('umount', [data]);
  run('dmsetup', ['remove', 'spliced-data']);
}

/** Something of somebody else at the partition's beginning. */
function overwrite(bytes) {
  const fd = openSync(device, 'r+');
  writeSync(fd, Buffer.alloc(bytes, 'another'));
  fsyncSync(fd);
  closeSync(fd);
}

const digest = () => createHash('sha256').update(readFileSync(device)).digest('hex');

const isOpen = () => spawnSync('dmsetup', ['info', 'spliced-data']).status === 0;

/** The certificate that the service has made, or has found, on the partition. */
async function serve() {
  const server = await Server.product({ root, stateDir });
  const socket = connect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false });
  const served = await new Promise((resolve, reject) => {
    socket.on('secureConnect', () => resolve(socket.getPeerCertificate().fingerprint256));
    socket.on('error', reject);
  });
  socket.destroy();
  return { served, exitCode: await server.stop() };
}

/** What doctor says of the keys. */
function doctor() {
  const args = ['dist/cli.js', 'doctor', '--json', '--state-dir', stateDir];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (!stdout.startsWith('{')) return stderr;
  return JSON.parse(stdout).findings.filter(({ id }) => id === 'keys.protection');
}

/** A key in the TPM, by the kernel's resource manager. */
function tpmKey() {
  const handle = '0x81000010';
  const attributes = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign';
  const [context, publicPart, privatePart] = ['key.ctx', 'key.pub', 'key.priv'].map(
    (name) => `/run/${name}`,
  );
  const parts = ['-u', publicPart, '-r', privatePart];
  run('tpm2_create', ['-Q', '-C', '0x81000001', '-G', 'ecc256:ecdsa', ...parts, '-a', attributes]);
  run('tpm2_load', ['-Q', '-C', '0x81000001', ...parts, '-c', context]);
  run('tpm2_evictcontrol', ['-Q', '-C', 'o', '-c', context, handle]);
  const args = [
    'dist/cli.js',
    'certificate',
    'request',
    '--key',
    `handle:${handle}`,
    'gate.example',
  ];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  writeFileSync('/run/request.pem', stdout);
  const verified = spawnSync('openssl', ['req', '-in', '/run/request.pem', '-noout', '-verify'], {
    encoding: 'utf8',
  });
  return { status, stderr, verified: verified.status };
}

const cases = {
  async first() {
    // Nothing is left of a start that failed half-way: the next one begins anew.
    mkdirSync('/run/broken');
    writeFileSync('/run/broken/mkfs.ext4', '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    const env = { ...process.env, PATH: `/run/broken:${process.env.PATH}` };
    const broken = { opened: open('tpm', env), isOpen: isOpen() };
    const opened = open();
    if (opened.status !== 0) throw new Error(opened.said);
    mount();
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    const service = await serve();
    // What the host then looks for on the disk.
    writeFileSync(secret, 'nobody reads this on the flash\n'.repeat(1000));
    run('sync', []);
    const table = run('dmsetup', ['table', 'spliced-data']);
    const keyring = run('keyctl', ['session', '-', 'keyctl', 'show', '@s']);
    const again = open();
    const said = doctor();
    const request = tpmKey();
    close();
    return { broken, opened, again, service, table, keyring, doctor: said, request };
  },
  async closed() {
    return { opened: open(), isOpen: isOpen() };
  },
  async reopened() {
    const other = { opened: open('caam'), isOpen: isOpen() };
    const opened = open();
    if (opened.status !== 0) throw new Error(opened.said);
    mount();
    const kept = readFileSync(secret, 'utf8').length;
    const service = await serve();
    close();
    overwrite(copyBytes);
    const halved = open();
    mount();
    const keptThen = readFileSync(secret, 'utf8').length;
    close();
    overwrite(2 * copyBytes);
    const before = digest();
    const foreign = { opened: open(), isOpen: isOpen(), isKept: digest() === before };
    return { other, opened, kept, service, halved, keptThen, foreign };
  },
};

process.env.TPM2TOOLS_TCTI = 'device:/dev/tpmrm0';
process.env.OPENSSL_MODULES = provider;
for (const name of ['asn1_encoder', 'trusted', 'dm-crypt'])
  run('insmod', [`${modules}/${name}.ko`]);
for (const directory of [data, root]) mkdirSync(directory, { recursive: true });
await runCases(reportPath, cases, [chosen]);
