// SPDX-License-Identifier: Apache-2.0
// What the check of the kernel's cipher says of each outcome, and the usage of its options. What it finds
// is tested with a driver that is wrong: test/guest/standin.test.ts.

import t from 'tap';
import { runDoctor } from '../../../src/commands/doctor.js';
import {
  type CheckFigures,
  type Difference,
  describeCheck,
  judgeCheck,
} from '../../../src/doctor/cipher-check.js';
import { loadNative } from '../../../src/engine/native.js';

const driver = { name: 'gcm-aes-caam', async: true };
const figures: CheckFigures = {
  records: 1_200,
  bytes: 3 * 1_048_576,
  sockets: 24,
  lanes: 12,
  hanging: 0,
  durationMs: 20_004,
  difference: null,
};
const difference: Difference = {
  fault: 'wrong_bytes',
  error: '',
  version: 'TLSv1.3',
  cipher: 'AES-128-GCM',
  isDecrypting: false,
  sequence: 7,
  offset: 6,
  how: 'sendmsg 1+2',
  key: Buffer.alloc(16, 0xaa),
  nonce: Buffer.alloc(12, 0xbb),
  additional: Buffer.from('1703030014', 'hex'),
  input: Buffer.from('abc'),
  expected: Buffer.from('17030300140102', 'hex'),
  got: Buffer.from('17030300140103', 'hex'),
};
const judged = (change: Partial<CheckFigures>) =>
  judgeCheck(describeCheck({ ...figures, ...change }, driver, 42));

t.test('nothing was found', async (t) => {
  t.match(judged({}), [
    {
      level: 'ok',
      detail:
        /1200 records with 3\.0 MiB in 20 s, .*24 connections, 12 at a time, by gcm-aes-caam \(async\)/,
    },
  ]);
});

t.test('a difference, with all that is needed to see it again', async (t) => {
  const [finding] = judged({ difference });
  t.match(finding, { level: 'problem', title: /wrong bytes/, advice: /tls_offload = "off"/ });
  t.match(finding?.detail, /TLSv1\.3 AES-128-GCM, sealing record 7 .*, 3 bytes \(sendmsg 1\+2\)/);
  t.match(finding?.detail, /From byte 6 on it gave 03 where software gives 02\. Key (aa){16}, /);
  const { difference: shown } = describeCheck({ ...figures, difference }, driver, 42);
  t.match(shown, { input: '616263', additional: '1703030014', got: '17030300140103' });
});

t.test('a call that fails, no answer, and threads that hang', async (t) => {
  const none = { expected: Buffer.alloc(0), got: Buffer.alloc(0), nonce: Buffer.alloc(0) };
  const refused = { ...difference, ...none, fault: 'refused' as const, error: 'Bad message' };
  t.match(judged({ difference: refused }), [
    { title: /cipher failed/, detail: /The kernel said: Bad message\..* nonce not reached/ },
  ]);
  const silent = { ...difference, ...none, fault: 'no_answer' as const, isDecrypting: true };
  t.match(judged({ difference: silent, hanging: 2 }), [
    { title: /does not answer/, detail: /opening record/ },
    { level: 'problem', title: '2 threads hang in the kernel' },
  ]);
  t.match(judged({ hanging: 1 }), [{ level: 'problem', title: /1 threads hang/ }]);
});

t.test('its time is bounded, and belongs to it', async (t) => {
  const io = { stdout: { write: () => true } };
  for (const seconds of ['0', '-1', '86401', '1.5', 'x', '']) {
    await t.rejects(runDoctor(['--cipher-check', `--seconds=${seconds}`], io), /from 1 to 86400/);
  }
  await t.rejects(runDoctor(['--seconds', '5'], io), /--seconds belongs to --cipher-check/);
});

t.test('without kernel TLS it says so, and the addon rejects', async (t) => {
  const module = loadNative();
  const { attachable } = JSON.parse(module.boardReport()).kernelTls;
  if (attachable) {
    t.match(await module.checkCiphers({ durationMs: 200, seed: 1 }), { difference: null });
    return;
  }
  await t.rejects(module.checkCiphers({ durationMs: 200, seed: 1 }), /the kernel takes no cipher/);
  const texts: string[] = [];
  const io = { stdout: { write: (text: string) => texts.push(text) } };
  await runDoctor(['--cipher-check', '--json'], io);
  const report = JSON.parse(texts.join(''));
  t.equal(report.cipherCheck, null);
  t.ok(report.findings.some(({ id }: { id: string }) => id === 'cipher-check.impossible'));
});
