// SPDX-License-Identifier: Apache-2.0
// What the cases need of the guest itself: socket buffer limits, the served files, a certificate for
// the naive server. Everything ends with the guest: /dev/shm is a tmpfs, /var/tmp an overlay over one.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const base = '/dev/shm/spliced-test';
export const root = `${base}/www`;
/** The same files where nobody can tell what is in the page cache: overlayfs. */
export const coldRoot = '/var/tmp/spliced-test';
export const certificate = `${base}/certificate.pem`;
export const key = `${base}/key.pem`;
export const mebibyte = 1 << 20;
// 32,700 and 80,000 end in a record of some 15 KB: with a synchronous cipher on 6.1 it is these that a
// hasty close truncates, while whole records or a few bytes survive it.
export const sizes = [0, 1, 16383, 16384, 16385, 32700, 65537, 80000, mebibyte, 16 * mebibyte];
export const pathOf = (size) => `/f${size}`;

let states = 0;
/** A fresh state directory for each server. */
export function newStateDir() {
  states += 1;
  return `${base}/state${states}`;
}

export function run(command, args) {
  const result = spawnSync(command, args, { encoding: 'utf8' });
  if (result.status !== 0) {
    throw new Error(`${command} ${args.join(' ')}: ${result.stderr || result.error}`);
  }
  return result.stdout;
}

/** The served files, of the given sizes in bytes, and the naive server's certificate. */
export function makeFiles(wanted = sizes, directories = [root, coldRoot]) {
  for (const directory of directories) mkdirSync(directory, { recursive: true });
  for (const size of wanted) {
    const body = randomBytes(size);
    for (const directory of directories) writeFileSync(directory + pathOf(size), body);
  }
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const subject = ['-subj', '/CN=localhost', '-days', '30'];
  run('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', certificate]);
}

const limits = ['tcp_wmem', 'tcp_rmem'].map((name) => `/proc/sys/net/ipv4/${name}`);
const defaults = limits.map((path) => readFileSync(path, 'utf8'));

/**
 * Limits TCP's buffers, or gives the kernel's defaults back. A connection inherits its listener's,
 * so this comes before the server's start.
 */
export function setBuffers(buffers) {
  for (const [index, path] of limits.entries()) {
    writeFileSync(path, buffers === 'default' ? defaults[index] : `4096 ${buffers} ${buffers}`);
  }
}
