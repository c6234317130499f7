// SPDX-License-Identifier: Apache-2.0
// `spliced doctor --cipher-check` over the stand-in for CAAM (caam-standin/): silent over an engine that is
// slow, has a short ring and completes out of order; and it finds the one that now and then has a wrong bit,
// fails a job, refuses one, or stops, with an input that Node's own cipher can judge.

import { spawnSync } from 'node:child_process';
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { prepare } from './host/prepare.js';

interface Difference {
  fault: string;
  error: string;
  cipher: string;
  isDecrypting: boolean;
  offset: number;
  how: string;
  key: string;
  nonce: string;
  additional: string;
  input: string;
  expected: string;
  got: string;
}

interface Report {
  exitCode: number;
  findings: { id: string; level: string; title: string }[];
  cipherCheck: {
    records: number;
    lanes: number;
    hanging: number;
    driver: { name: string; async: boolean };
    difference: Difference | null;
  };
}

// Knobs of the engine, and the seconds of the check.
const runs: Record<string, [knobs: string, seconds: number]> = {
  good: ['latency_us=300 jitter_us=600 serial=N reorder=Y ring_depth=4', 6],
  corrupt: ['corrupt_ppm=2000', 30],
  'corrupt-open': ['corrupt_open_ppm=2000', 30],
  fail: ['fail_ppm=2000', 30],
  refuse: ['refuse_ppm=2000', 30],
  stall: ['stall=Y', 3],
};
const neutral =
  'latency_us=100 jitter_us=0 serial=Y reorder=N ring_depth=497 corrupt_ppm=0 corrupt_open_ppm=0 fail_ppm=0 refuse_ppm=0 stall=N';

function scriptOf(module: string, shared: string): string {
  const turn = (knobs: string): string =>
    knobs
      .split(' ')
      .map((knob) => knob.split('='))
      .map(([name, value]) => `echo ${value} >/sys/module/caam_standin/parameters/${name}`)
      .join('; ');
  const one = ([name, [knobs, seconds]]: [string, [string, number]]): string => {
    const doctor = `"${process.execPath}" dist/cli.js doctor --cipher-check --seconds ${seconds} --json`;
    const report = `${doctor} >${join(shared, name)} 2>${join(shared, `${name}.err`)}`;
    // A process whose threads hang ends when the engine goes on.
    const goOn = name === 'stall' ? `(sleep 50; ${turn(neutral)}) & ` : '';
    return `${turn(neutral)}; ${turn(knobs)}; ${goOn}${report}`;
  };
  return [`insmod ${module}`, ...Object.entries(runs).map(one), 'true'].join('\n');
}

/** By a cipher that is neither the kernel's nor called by the addon. */
function sealByNode({ cipher, key, nonce, additional, input }: Difference): string {
  const [, bits = ''] = /^AES-(128|256)-GCM$/.exec(cipher) ?? [];
  const bytes = (text: string): Buffer => Buffer.from(text, 'hex');
  const node = createCipheriv(`aes-${bits}-gcm` as 'aes-128-gcm', bytes(key), bytes(nonce));
  node.setAAD(bytes(additional));
  // TLS 1.3: the record's header is the additional data, and the content's type is behind it.
  const isTls13 = additional.length === 10;
  const sealed = node.update(Buffer.concat([bytes(input), Buffer.from(isTls13 ? [23] : [])]));
  return Buffer.concat([sealed, node.final(), node.getAuthTag()]).toString('hex');
}

/** The content of a record that the kernel has opened: its head, in TLS 1.2 a nonce of 8 bytes, and its tag are around it. */
function openByNode({ cipher, key, nonce, additional, input }: Difference): string {
  const [, bits = ''] = /^AES-(128|256)-GCM$/.exec(cipher) ?? [];
  const bytes = (text: string): Buffer => Buffer.from(text, 'hex');
  const node = createDecipheriv(`aes-${bits}-gcm` as 'aes-128-gcm', bytes(key), bytes(nonce));
  const isTls13 = additional.length === 10;
  const record = bytes(input);
  node.setAAD(bytes(additional));
  node.setAuthTag(record.subarray(-16));
  const opened = node.update(record.subarray(isTls13 ? 5 : 13, -16));
  const content = Buffer.concat([opened, node.final()]);
  return content.subarray(0, isTls13 ? -1 : undefined).toString('hex'); // without the content's type
}

function hasOneWrongBit(t: Test, { expected, got, offset }: Difference): void {
  const [one, other] = [Buffer.from(expected, 'hex'), Buffer.from(got, 'hex')];
  t.equal(one.length, other.length);
  const wrong = [...one.keys()].filter((at) => one[at] !== other[at]);
  t.same(wrong, [offset]);
  t.equal(
    one.findIndex((byte, at) => byte !== other[at]),
    offset,
  );
  const bits = (one[offset] ?? 0) ^ (other[offset] ?? 0);
  t.ok(bits !== 0 && (bits & (bits - 1)) === 0, 'one bit');
}

const unable = prepare();
t.test('the check of the cipher, 6.12', { skip: unable ?? false }, async (t) => {
  const standin = spawnSync('test/guest/lab/get-standin', ['6.12'], { encoding: 'utf8' });
  if (standin.status !== 0) throw new Error(standin.stderr);
  const shared = mkdtempSync(join(tmpdir(), 'spliced-check-'));
  t.teardown(() => rmSync(shared, { recursive: true }));
  const script = scriptOf(standin.stdout.trim(), shared);
  const guest = ['-k', '6.12', '-M', 'tls gcm', '-m', '768', '-t', '400', '-w', shared];
  const run = spawnSync('test/guest/lab/run-guest', [...guest, '--', 'bash', '-c', script], {
    encoding: 'utf8',
    env: { ...process.env, UV_USE_IO_URING: '0' },
  });
  t.equal(run.status, 0) || t.comment(run.stderr);
  const reportOf = (name: string): Report => {
    const text = readFileSync(join(shared, name), 'utf8');
    if (text === '') throw new Error(readFileSync(join(shared, `${name}.err`), 'utf8'));
    return JSON.parse(text);
  };

  const good = reportOf('good').cipherCheck;
  t.equal(good.difference, null, 'an engine that is only slow is none to complain of');
  t.match(good.driver, { name: 'gcm-aes-caam-standin', async: true });
  t.ok(good.records > 200 && good.lanes >= 8, `${good.records} records over ${good.lanes} lanes`);

  const corrupt = reportOf('corrupt');
  t.equal(corrupt.exitCode, 1);
  const { difference } = corrupt.cipherCheck;
  if (!difference) throw new Error('the wrong bit was not found');
  t.match(difference, { fault: 'wrong_bytes', isDecrypting: false });
  t.ok(difference.expected.endsWith(sealByNode(difference)), 'Node agrees with what is expected');
  hasOneWrongBit(t, difference);
  t.comment(`${difference.cipher}, ${difference.how}`);

  const opening = reportOf('corrupt-open').cipherCheck.difference;
  if (!opening) throw new Error('the wrong bit of what was opened was not found');
  t.match(opening, { fault: 'wrong_bytes', isDecrypting: true });
  // One read may bring more than the record, whose first byte it is that is wrong.
  const content = openByNode(opening);
  const expected = opening.expected.slice(2 * opening.offset, 2 * opening.offset + content.length);
  t.ok(expected !== '' && content.startsWith(expected), 'Node agrees with what is expected');
  hasOneWrongBit(t, opening);
  t.comment(`${opening.cipher}, ${opening.how}`);

  for (const name of ['fail', 'refuse']) {
    const report = reportOf(name);
    t.match(report.cipherCheck.difference, { fault: 'refused' }, name);
    t.not(report.cipherCheck.difference?.error, '');
    t.ok(report.findings.some((one) => one.title === "The kernel's cipher failed"));
  }

  const { cipherCheck: stalled, findings } = reportOf('stall');
  t.ok(stalled.hanging > 0, `${stalled.hanging} threads hung`);
  t.ok(findings.some(({ id, level }) => id === 'cipher-check.hanging' && level === 'problem'));
});
