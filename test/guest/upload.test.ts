// SPDX-License-Identifier: Apache-2.0
// A bundle of 1 GiB through kernel TLS into a file, with an asynchronous cipher: whole, without a copy
// in the service, and without memory for it. Its rate is not asserted: bench/upload compares it.

import { spawnSync } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { newPair } from '../contract/service.js';
import { prepare } from './host/prepare.js';

const mib = 1024;
const pieceBytes = 1024 * 1024;
/** What the product promises, docs/UPLOAD.md. */
const moreResidentKibMax = 10 * 1024;

interface Figures {
  rounds: { status: number; body: string; stderr: string; beforeKib: number; peakKib: number }[];
  size: number;
  status: {
    bytes: { received: number; receivedSpliced: number };
    offload: { driver: { async: boolean }; promoted: Record<string, number> };
  };
}

/** Writes the bundle; its SHA-256. */
function writeBundle(path: string): string {
  const hash = createHash('sha256');
  const piece = Buffer.alloc(pieceBytes);
  const file = openSync(path, 'w');
  for (let i = 0; i < mib; i += 1) {
    randomFillSync(piece);
    hash.update(piece);
    writeSync(file, piece);
  }
  closeSync(file);
  return hash.digest('hex');
}

const unable = prepare();
t.test('1 GiB', { skip: unable ?? false }, async (t) => {
  const shared = mkdtempSync(join(tmpdir(), 'spliced-upload-'));
  t.teardown(() => rmSync(shared, { recursive: true }));
  const { chain, privateKey } = await newPair();
  writeFileSync(join(shared, 'certificate.pem'), chain);
  writeFileSync(join(shared, 'key.pem'), privateKey, { mode: 0o600 });
  const sha256 = writeBundle(join(shared, 'bundle'));
  const guest = ['-k', '6.12', '-a', '-M', 'tls', '-m', '768', '-t', '400', '-w', shared];
  const command = [process.execPath, 'test/guest/inside/upload.mjs', shared, String(mib), '1'];
  const run = spawnSync('test/guest/lab/run-guest', [...guest, '--', ...command], {
    encoding: 'utf8',
  });
  if (!t.equal(run.status, 0)) return t.comment(run.stdout + run.stderr);
  const figures = JSON.parse(readFileSync(join(shared, 'figures.json'), 'utf8')) as Figures;
  const [round] = figures.rounds;
  const { bytes, offload } = figures.status;
  t.match(round, { status: 200, body: sha256 }, 'the digest is the answer');
  t.equal(figures.size, mib * pieceBytes);
  t.equal(offload.driver.async, true);
  t.equal(bytes.receivedSpliced, mib * pieceBytes, 'every byte by splice');
  const moreKib = (round?.peakKib ?? 0) - (round?.beforeKib ?? 0);
  t.comment(`${moreKib} KiB more resident memory`);
  t.ok(moreKib <= moreResidentKibMax, `${moreKib} KiB`);
});
