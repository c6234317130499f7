// SPDX-License-Identifier: Apache-2.0
// The kernel's own tests of TLS (tools/testing/selftests/net/tls.c) say the same without and with the
// patches. What Debian's User-Mode Linux has no cipher for fails in both. Ten minutes each.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { buildKernel, prepareKernels } from './host.js';

const passedMin = 600;

/** "ok NAME" and "not ok NAME" of every test. */
function selftests(kernel: string): string[] {
  const guest = ['-k', kernel, '-M', 'tls gcm ccm chacha20poly1305', '-m', '768', '-t', '3000'];
  const { stdout, stderr } = spawnSync(
    'test/guest/lab/run-guest',
    [...guest, '--', join(kernel, 'selftest-tls')],
    { encoding: 'utf8', maxBuffer: 16 << 20 },
  );
  const results = [...stdout.matchAll(/^(ok|not ok) \d+ (\S+)/gm)];
  if (!/^# Totals:/m.test(stdout)) throw new Error(`not run to the end: ${stderr}`);
  return results.map(([, result = '', name = '']) => `${result} ${name}`).sort();
}

t.test('newest', { skip: prepareKernels() ?? false }, async (test) => {
  const before = selftests(buildKernel('newest'));
  const after = selftests(buildKernel('newest', '-p'));
  const passed = before.filter((line) => line.startsWith('ok ')).length;
  test.ok(passed >= passedMin, `${passed} of ${before.length} pass`);
  test.same(after, before, 'the same with the patches');
});
