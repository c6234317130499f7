// SPDX-License-Identifier: Apache-2.0
// `spliced doctor` as a whole, on the machine that runs the tests: streams, options, exit codes.

import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ensureDeviceCertificate } from '../../../src/certificates/device.js';
import { runDoctor } from '../../../src/commands/doctor.js';
import { linuxBoard } from '../../../src/doctor/linux-board.js';
import { healthyNative, settings } from './board.js';

async function run(args: string[], terminal: { isTTY?: boolean; columns?: number } = {}) {
  let out = '';
  const code = await runDoctor(args, {
    stdout: {
      write: (text) => {
        out += text;
      },
      ...terminal,
    },
  });
  return { code, out };
}

t.test('wrong usage', async (t) => {
  await t.rejects(run(['--frobnicate']), { message: /--frobnicate.*see spliced doctor --help/ });
  await t.rejects(run(['now']), { message: /unexpected argument "now"/ });
});

t.test('JSON of this machine', async (t) => {
  const stateDir = join(t.testdir(), 'state');
  mkdirSync(stateDir);
  const { code, out } = await run(['--json', '--state-dir', stateDir]);
  const report = JSON.parse(out);
  t.equal(report.exitCode, code);
  t.match(report, { schema: 1, version: /^\d/, experiment: null, benchmark: null });
  const ids = report.findings.map(({ id }: { id: string }) => id);
  t.equal(new Set(ids).size, ids.length, 'each id once');
  for (const id of [
    'kernel.version',
    'kernel.tls',
    'caam.engine',
    'ring.io-uring',
    'runtime.node',
  ]) {
    t.ok(ids.includes(id), id);
  }
  const present = report.findings.find(({ id }: { id: string }) => id === 'certificate.present');
  t.match(present, { level: 'info', detail: new RegExp(stateDir) });
  t.same(readdirSync(stateDir), [], 'it only looks');
});

t.test('the certificate of the service is found where the service keeps it', async (t) => {
  const stateDir = join(t.testdir(), 'state');
  await ensureDeviceCertificate({ stateDir });
  const { out } = await run(['--json', '--state-dir', stateDir]);
  const findings = JSON.parse(out).findings as { id: string; level: string }[];
  const level = (id: string) => findings.find((finding) => finding.id === id)?.level;
  t.equal(level('certificate.validity'), 'ok');
  t.equal(level('certificate.key-mode'), 'ok');
});

t.test('text, on terminals of every kind', async (t) => {
  const plain = await run([]);
  t.notMatch(plain.out, '\x1b');
  t.match(plain.out, /\d+ problems?, \d+ warnings?, \d+ notes?, \d+ ok\n$/);
  const serial = await run([], { isTTY: true, columns: 0 });
  const lines = (text: string) => text.split('\n').length;
  t.equal(lines(serial.out), lines(plain.out), 'a serial console that says 0 columns has 80');
  const narrow = await run([], { isTTY: true, columns: 50 });
  t.ok(lines(narrow.out) > lines(plain.out));
});

t.test('without kernel TLS the experiment and the benchmark say so', async (t) => {
  const { out } = await run(['--json', '--reproduce', '--benchmark']);
  const report = JSON.parse(out);
  const ids = report.findings.map(({ id }: { id: string }) => id);
  const hasTls = report.findings.some(
    ({ id, level }: { id: string; level: string }) => id === 'kernel.tls' && level === 'ok',
  );
  t.equal(ids.includes('experiment.impossible'), !hasTls);
  t.equal(ids.includes('experiment.spliced'), hasTls);
  t.equal(report.experiment !== null, hasTls);
  t.equal(ids.includes('benchmark.impossible'), !hasTls);
  t.equal(ids.includes('benchmark.choice'), hasTls);
  t.equal(report.benchmark !== null, hasTls);
});

t.test('the real board', async (t) => {
  const board = await linuxBoard({ native: healthyNative, settings, buildDateMs: 0 });
  t.match(board.read('/proc/sys/kernel/osrelease'), /^\d+\.\d+/);
  t.match(board.read('/proc/self/status'), /^Name:/, 'files that say they are empty are read');
  t.equal(board.read('/proc/self/no-such-file'), undefined);
  t.equal(board.read('/proc'), undefined, 'a directory');
  t.equal(board.refusal('/proc/self/no-such-file'), 'ENOENT');
  t.equal(board.refusal('/proc/self/status'), '');
  t.same(board.list('/proc/self/no-such-directory'), []);
  t.ok(board.list('/proc/self').includes('status'));
  t.equal(board.stat('/proc/self/no-such-file'), undefined);
  t.equal(board.env.TAP_TIMEOUT, process.env.TAP_TIMEOUT);
});
