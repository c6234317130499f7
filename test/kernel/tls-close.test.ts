// SPDX-License-Identifier: Apache-2.0
// What a close of a kernel-TLS socket loses (tls_close.c): on Debian's kernels, and on the same
// with net/tls built anew from Debian's source, without and with the patches that the Yocto layer
// carries. Without them each hasty close loses, with them none; what nothing is pending for is alike.
import t, { type Test } from 'tap';
import { buildKernel, builtKernels, prepareKernels, type Reproduction, reproduce } from './host.js';

const ciphers = ['synchronous', 'cryptd'];
const calls = ['send', 'sendmsg', 'splice', 'sendfile'];
const hasty = ciphers.flatMap((cipher) => [
  ...['2', '3'].flatMap((tls) => calls.map((call) => `${cipher}, TLS 1.${tls}, ${call}: close`)),
  ...[
    'killed',
    'shutdown',
    'close with an open record',
    'close with TCP_NOTSENT_LOWAT',
    'SO_LINGER 10',
  ].map((how) => `${cipher}, TLS 1.3, sendmsg: ${how}`),
]);
// Whether a signal meets the right moment is luck: these lose on some runs.
const uncertain = ciphers.flatMap((cipher) =>
  ['sendmsg', 'splice'].map((call) => `${cipher}, TLS 1.3, ${call}: blocking call, signal, close`),
);
const harmless = ciphers.flatMap((cipher) =>
  ['SO_LINGER 0', 'peer never reads', 'close of a drained socket'].map(
    (how) => `${cipher}, TLS 1.3, sendmsg: ${how}`,
  ),
);
const all = [...hasty, ...uncertain, ...harmless].sort();

function checkLosing(test: Test, { exitCode, failed, passed, lostBytes, output }: Reproduction) {
  test.equal(exitCode, 1, 'the reproducer ran to its end, and lost') || test.comment(output);
  test.same(
    hasty.filter((name) => !failed.includes(name)),
    [],
    'every hasty close lost',
  );
  test.same(
    harmless.filter((name) => !passed.includes(name)),
    [],
    'nothing else did',
  );
  test.ok(lostBytes > 0, `${lostBytes} bytes lost`);
}

// Before af0e5cdd031f (6.1.183, which bookworm's User-Mode Linux has not) a signal that ends a blocking
// call ends the connection as well, long before the close.
const notOurs: Record<string, string[]> = { '6.1': uncertain };

function checkWhole(test: Test, kernel: string, { exitCode, passed, ...result }: Reproduction) {
  const except = notOurs[kernel] ?? [];
  test.same(
    all.filter((name) => !passed.includes(name) && !except.includes(name)),
    [],
    'every test is ok',
  ) || test.comment(result.output);
  if (except.length > 0) return;
  test.equal(exitCode, 0, 'the reproducer ran to its end, and lost nothing');
  test.equal(result.lostBytes, 0, 'bytes lost');
}

const unable = prepareKernels();
t.test("Debian's kernels", { skip: unable ?? false }, async (test) => {
  for (const kernel of builtKernels) {
    test.test(kernel, async (kernelTest) => checkLosing(kernelTest, reproduce(kernel)));
  }
});
for (const kernel of builtKernels) {
  t.test(`${kernel}, net/tls built anew`, { skip: unable ?? false }, async (test) => {
    checkLosing(test, reproduce(buildKernel(kernel)));
  });
  t.test(`${kernel}, patched`, { skip: unable ?? false }, async (test) => {
    checkWhole(test, kernel, reproduce(buildKernel(kernel, '-p')));
  });
}
