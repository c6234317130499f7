// SPDX-License-Identifier: Apache-2.0
// The kernel's own tests of TLS (tools/testing/selftests/net/tls.c) say the same without and with the
// patches: those of the newest sources, on the newest kernel and on 6.12, whose own do not compile (a call
// with an argument too many in 6.12.117). What a kernel cannot do yet, or Debian's User-Mode Linux has no cipher for,
// fails in both. Ten minutes each.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { buildKernel, prepareKernels } from './host.js';

/** Of 6.12 more fail: it has no new keys, no limit of the payload. */
const passedMin = { newest: 600, '6.12': 500 };

/** "ok NAME" and "not ok NAME" of every test. */
function selftests(program: string, kernel: string): string[] {
  const guest = ['-k', kernel, '-M', 'tls gcm ccm chacha20poly1305', '-m', '768', '-t', '3000'];
  const { stdout, stderr } = spawnSync('test/guest/lab/run-guest', [...guest, '--', program], {
    encoding: 'utf8',
    maxBuffer: 16 << 20,
  });
  const results = [...stdout.matchAll(/^(ok|not ok) \d+ (\S+)/gm)];
  if (!/^# Totals:/m.test(stdout)) throw new Error(`not run to the end: ${stderr}`);
  return results.map(([, result = '', name = '']) => `${result} ${name}`).sort();
}

t.test('the kernel and its patches', { skip: prepareKernels() ?? false }, async (test) => {
  const program = join(buildKernel('newest'), 'selftest-tls');
  for (const [kernel, min] of Object.entries(passedMin)) {
    const before = selftests(program, buildKernel(kernel));
    const after = selftests(program, buildKernel(kernel, '-p'));
    const passed = before.filter((line) => line.startsWith('ok ')).length;
    test.ok(passed >= min, `${kernel}: ${passed} of ${before.length} pass`);
    test.same(after, before, `${kernel}: the same with the patches`);
  }
});
