// SPDX-License-Identifier: Apache-2.0
// What forbids io_uring, and Node's own ring.

import t from 'tap';
import { probeNodeRing, probeRing } from '../../../src/doctor/probes/ring.js';
import { boardOf, healthyNative, only } from './board.js';

const refused = (detail: string, files: Record<string, string> = {}) => {
  const native = { ...healthyNative, ring: { backend: 'epoll', detail } };
  return only(probeRing(boardOf({ native, files })));
};
const eperm = 'io_uring_setup: EPERM: forbidden by kernel.io_uring_disabled or a seccomp filter';
const sysctl = '/proc/sys/kernel/io_uring_disabled';
const status = (mode: number) => ({
  '/proc/self/status': `Name:\tnode\nNoNewPrivs:\t1\nSeccomp:\t${mode}\nSeccomp_filters:\t${mode}\n`,
});

t.test('io_uring', async (t) => {
  t.match(only(probeRing(boardOf())), { level: 'ok', title: /single_issuer/ });
  t.same(probeRing(boardOf({ native: { error: 'gone' } })), []);
  t.match(refused('io_uring_setup: ENOSYS: this kernel is built without io_uring'), {
    level: 'info',
    advice: /CONFIG_IO_URING/,
  });
  t.match(refused(eperm, { [sysctl]: '2\n' }), { detail: /is 2: nobody/, advice: /=0/ });
  t.match(refused(eperm, { [sysctl]: '1\n' }), { detail: /is 1/, advice: /io_uring_group/ });
  t.match(refused(eperm, { [sysctl]: '0\n', ...status(2) }), { detail: /seccomp filter/ });
  t.match(refused(eperm, { [sysctl]: '0\n', ...status(0) }), { detail: /security module/ });
  const limits = {
    '/proc/self/limits':
      'Max locked memory         65536                65536                bytes\n',
  };
  t.match(refused('io_uring_setup: ENOMEM: RLIMIT_MEMLOCK is too small', limits), {
    detail: 'The limit of locked memory is 65536.',
    advice: /LimitMEMLOCK/,
  });
  t.match(refused('the kernel is older than 5.13: no multishot poll'), { detail: /5\.13/ });
  const native = { ...healthyNative, ring: { backend: '', detail: 'epoll: Too many open files' } };
  t.match(only(probeRing(boardOf({ native }))), { level: 'problem', detail: /Too many/ });
});

t.test("Node's own ring", async (t) => {
  const level = (uv: string, node: string, value?: string) => {
    const env = value === undefined ? {} : { UV_USE_IO_URING: value };
    return only(probeNodeRing(boardOf({ env, versions: { uv, node } }))).level;
  };
  t.equal(level('1.46.0', '20.20.2'), 'ok');
  t.equal(level('1.46.0', '20.20.2', '0'), 'ok');
  t.equal(level('1.46.0', '20.20.2', '1'), 'warning');
  t.equal(level('1.46.0', '20.10.0'), 'warning', 'on by default before the security release');
  t.equal(level('1.46.0', '20.10.0', '0'), 'ok');
  t.equal(level('1.47.0', '21.6.1'), 'warning');
  t.equal(level('1.47.0', '21.6.2'), 'ok');
  t.equal(level('1.44.2', '20.2.0'), 'ok', 'libuv has none yet');
  t.equal(level('1.51.0', '24.1.0'), 'ok');
});
