// SPDX-License-Identifier: Apache-2.0
// The kernel's version as boards and distributions write it, the table of bugs, and TLS.

import t from 'tap';
import { kernelBugs, stateOf } from '../../../src/doctor/kernel-bugs.js';
import { kernelVersion } from '../../../src/doctor/kernel-version.js';
import {
  probeAsyncBugs,
  probeClose,
  probeKernelTls,
  probeTlsCounters,
  probeVersion,
} from '../../../src/doctor/probes/kernel.js';
import { boardOf, cryptoEntry, healthyNative, type Machine, only } from './board.js';

const asyncCrypto = cryptoEntry('gcm(aes)', 'gcm-aes-caam', { priority: 3000, async: 'yes' });
const syncCrypto = cryptoEntry('gcm(aes)', 'gcm-aes-ce', { priority: 300 });

const kernel = (release: string, version = '#1 SMP PREEMPT') => ({
  '/proc/sys/kernel/osrelease': `${release}\n`,
  '/proc/sys/kernel/version': `${version}\n`,
});

const machine = (release: string, crypto: string, version?: string): Machine => ({
  files: { ...kernel(release, version), '/proc/crypto': crypto },
});

t.test('versions as they are written', async (t) => {
  const cases: [string, string, string, string, string][] = [
    ['6.12.101', '#1', '', '6.12.101', 'upstream'],
    ['6.6.36-lts-next-g9a2f0e1d3b5c', '#1 SMP PREEMPT', '', '6.6.36', 'vendor'],
    ['6.12.20+', '#7 SMP PREEMPT', '', '6.12.20', 'vendor'],
    ['6.12.20-lts-next+gdfaf2136deb2', '#1', '', '6.12.20', 'vendor'],
    ['6.1.0-28-amd64', '#1 SMP Debian 6.1.119-1 (2024-11-22)', '', '6.1.119', 'Debian'],
    ['6.12.101+deb13-arm64', '#1 SMP Debian 6.12.101-1 (2026-05-01)', '', '6.12.101', 'Debian'],
    ['6.6.51+rpt-rpi-v8', '#1 SMP Debian 1:6.6.51-1+rpt3 (2024-10-08)', '', '6.6.51', 'Debian'],
    ['6.8.0-49-generic', '#49-Ubuntu SMP', 'Ubuntu 6.8.0-49.49-generic 6.8.12', '6.8.12', 'Ubuntu'],
    ['7.1.0-rc3', '#1', '', '7.1-rc', 'upstream'],
    ['7.1.0-rc3-g12345', '#1', '', '7.1-rc', 'vendor'],
    ['6.12', '#1', '', '6.12.0', 'upstream'],
  ];
  for (const [release, version, signature, name, origin] of cases) {
    const found = kernelVersion(release, version, signature);
    t.match(found, { name, origin }, release);
  }
  t.equal(kernelVersion('mystery'), undefined);
});

t.test('which kernels have which bugs', async (t) => {
  const cases: [string, string, string][] = [
    ['CVE-2024-26583', '6.1.78', 'affected'],
    ['CVE-2024-26583', '6.1.79', 'absent'],
    ['CVE-2024-26583', '5.15.100', 'unfixed'],
    ['CVE-2024-26583', '5.4.100', 'absent'],
    ['CVE-2024-26583', '6.8.0', 'absent'],
    ['CVE-2024-26583', '6.8.0-rc1', 'unknown'],
    ['CVE-2024-26584', '6.6.17', 'affected'],
    ['CVE-2024-26584', '6.6.18', 'absent'],
    ['CVE-2024-26585', '6.1.84', 'absent'],
    ['CVE-2024-26800', '6.6.17', 'absent'],
    ['CVE-2024-26800', '6.6.18', 'affected'],
    ['CVE-2024-26800', '6.6.21', 'absent'],
    ['CVE-2024-26800', '6.1.10', 'absent'],
    ['54001d0f2fdb', '6.1.157', 'affected'],
    ['54001d0f2fdb', '6.1.158', 'absent'],
    ['54001d0f2fdb', '6.6.113', 'affected'],
    ['54001d0f2fdb', '6.6.114', 'absent'],
    ['54001d0f2fdb', '5.15.196', 'absent'],
    ['54001d0f2fdb', '6.11.9', 'unfixed'],
    ['54001d0f2fdb', '6.12.0', 'absent'],
    ['54001d0f2fdb', '4.19.300', 'absent'],
    ['7f846c65ca11', '6.12.54', 'affected'],
    ['7f846c65ca11', '6.6.52', 'unknown'],
    ['7f846c65ca11', '6.18.3', 'absent'],
    ['CVE-2026-23240', '6.1.192', 'unfixed'],
    ['CVE-2026-23240', '6.12.74', 'affected'],
    ['CVE-2026-23240', '6.12.75', 'absent'],
    ['CVE-2026-23240', '6.18.16', 'absent'],
    ['CVE-2026-23240', '7.0.0', 'absent'],
    ['CVE-2026-31533', '6.1.168', 'affected'],
    ['CVE-2026-31533', '6.12.82', 'absent'],
    ['CVE-2026-31533', '6.17.4', 'unfixed'],
    ['af0e5cdd031f', '6.12.103', 'affected'],
    ['af0e5cdd031f', '6.1.183', 'absent'],
    ['af0e5cdd031f', '7.2.0', 'absent'],
  ];
  for (const [id, release, state] of cases) {
    const bug = kernelBugs.find((candidate) => candidate.id === id);
    const version = kernelVersion(release);
    if (!bug || !version) throw new Error(`${id} ${release}`);
    t.equal(stateOf(bug, version), state, `${id} in ${release}`);
  }
});

t.test(
  'the recommended releases have no bug that an update of their series would cure',
  async (t) => {
    for (const [release, level] of [
      ['6.12.104', 'ok'],
      ['6.12.103', 'problem'],
      ['6.1.183', 'warning'],
      ['6.1.182', 'problem'],
      ['7.2.7', 'ok'],
    ] as const) {
      t.equal(only(probeAsyncBugs(boardOf(machine(release, asyncCrypto)))).level, level, release);
    }
  },
);

t.test('what a close loses, and what the fix does not cover', async (t) => {
  for (const [release, words] of [
    ['6.12.0', /^This version waits for the cipher .* \(54001d0f2fdb\)\./],
    ['6.1.157', /does not wait .*; an update does \(54001d0f2fdb\)/],
    ['6.11.1', /does not wait .* a send \(54001d0f2fdb\)/],
  ] as const) {
    const finding = only(probeClose(boardOf(machine(release, asyncCrypto))));
    t.match(finding, { id: 'kernel.close', level: 'info', detail: words });
    t.match(finding.detail, /not a client that reads slowly: where the send buffer is full/);
  }
  const without = {
    ...healthyNative,
    kernelTls: { ...healthyNative.kernelTls, attachable: false },
  };
  t.same(probeClose(boardOf({ ...machine('6.12.0', ''), native: without })), []);
});

t.test('kernel TLS that could not be tried', async (t) => {
  const kernelTls = {
    tried: false,
    attachable: false,
    reason: 'it is not known',
    keyUpdates: false,
    ciphers: [],
  };
  const board = boardOf({ native: { ...healthyNative, kernelTls } });
  t.match(only(probeKernelTls(board)), {
    level: 'warning',
    title: /could not be found out/,
    detail: /^It is not known\. /,
    advice: /ip link set lo up/,
  });
});

t.test('a board with CAAM and an old BSP', async (t) => {
  const release = '6.6.36-lts-next-g9a2f0e1d3b5c';
  const finding = only(probeAsyncBugs(boardOf(machine(release, asyncCrypto))));
  t.equal(finding.level, 'problem');
  t.match(finding.title, /^3 known bugs of asynchronous kernel TLS, and AES-GCM is asynchronous/);
  t.match(finding.detail, /CVE-2026-31533 \(.*CVE-2026-23240|CVE-2026-23240 \(.*CVE-2026-31533/);
  t.match(finding.detail, /Not known for this series: 7f846c65ca11/);
  t.match(finding.detail, /vendor kernel/);
  t.match(finding.advice, /6\.12\.104 or later, or 6\.1\.183/);
  t.match(finding.advice, /--tls-offload off/);
});

t.test("Debian's real version counts, not the one of uname -r", async (t) => {
  const version = '#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1 (2026-11-01)';
  t.equal(
    only(probeAsyncBugs(boardOf(machine('6.12.1+deb13-arm64', asyncCrypto, version)))).level,
    'ok',
  );
});

t.test('with a synchronous cipher the same kernel is only noted', async (t) => {
  const finding = only(probeAsyncBugs(boardOf(machine('6.6.36', syncCrypto))));
  t.equal(finding.level, 'info');
  t.match(finding.title, /of no effect here/);
  t.same(probeAsyncBugs(boardOf(machine('mystery', asyncCrypto))), []);
});

t.test('when it is not known, it is a warning', async (t) => {
  const finding = only(probeAsyncBugs(boardOf(machine('6.18.44', asyncCrypto))));
  t.equal(finding.level, 'warning');
  t.match(finding.title, /not known/);
  t.same(probeAsyncBugs(boardOf(machine('6.18.44', syncCrypto))), []);
});

t.test('version', async (t) => {
  t.match(only(probeVersion(boardOf({ files: kernel('6.12.101') }))), {
    level: 'ok',
    title: 'Linux 6.12.101',
  });
  const debian = kernel('6.1.0-28-amd64', '#1 SMP Debian 6.1.119-1 (2024-11-22)');
  t.equal(only(probeVersion(boardOf({ files: debian }))).title, 'Linux 6.1.119 (6.1.0-28-amd64)');
  t.match(only(probeVersion(boardOf({ files: kernel('5.10.72-lts') }))), {
    level: 'warning',
    detail: /tested with is 6\.1/,
  });
  t.equal(only(probeVersion(boardOf())).level, 'warning', 'nothing can be read');
});

t.test('kernel TLS is there', async (t) => {
  t.match(only(probeKernelTls(boardOf())), {
    level: 'ok',
    detail: /^Takes TLSv1.3 AES-128-GCM, TLSv1.2 AES-128-GCM. Takes new keys .*KeyUpdate/,
  });
  const old = { ...healthyNative, kernelTls: { ...healthyNative.kernelTls, keyUpdates: false } };
  t.match(only(probeKernelTls(boardOf({ native: old }))).detail, /Takes no new keys .*6\.14/);
  t.same(probeKernelTls(boardOf({ native: { error: 'gone' } })), [], 'said elsewhere');
  const ciphers = healthyNative.kernelTls.ciphers.map((cipher) =>
    cipher.version === 'TLSv1.3'
      ? { ...cipher, tx: false, error: 'No such file or directory' }
      : cipher,
  );
  const native = { ...healthyNative, kernelTls: { ...healthyNative.kernelTls, ciphers } };
  t.match(only(probeKernelTls(boardOf({ native }))), {
    level: 'warning',
    title: /does not take AES-128-GCM/,
    advice: /No such file.*CONFIG_CRYPTO_GCM/,
  });
});

t.test('kernel TLS is not there: the advice is the one that helps here', async (t) => {
  const refusal = (error: string, reason: string) => ({
    ...healthyNative,
    kernelTls: {
      attachable: false,
      reason,
      keyUpdates: false,
      ciphers: healthyNative.kernelTls.ciphers.map((c) => ({ ...c, tx: false, rx: false, error })),
    },
  });
  const native = refusal('No such file or directory', 'the kernel has no TLS: load the module');
  const files = kernel('6.12.20+');
  const modules = '/lib/modules/6.12.20+';
  const advice = (more: Machine) => {
    const finding = only(
      probeKernelTls(boardOf({ native, ...more, files: { ...files, ...more.files } })),
    );
    t.equal(finding.level, 'warning');
    return finding.advice;
  };
  const dep = 'kernel/net/sunrpc/sunrpc.ko:\nkernel/net/tls/tls.ko.xz:\n';
  t.match(advice({ files: { [`${modules}/modules.dep`]: dep } }), /"modprobe tls".*modules-load/);
  t.match(advice({ config: 'CONFIG_NET=y\nCONFIG_TLS=m\n' }), /package kernel-module-tls/);
  t.match(advice({ config: 'CONFIG_NET=y\n# CONFIG_TLS is not set\n' }), /^Build the kernel/);
  t.match(advice({}), /^Try "modprobe tls"; else build/);
  const builtin = 'kernel/net/tls/tls.ko\n';
  t.match(advice({ files: { [`${modules}/modules.builtin`]: builtin } }), /something forbids it/);
  const forbidden = boardOf({
    native: refusal('Operation not permitted', 'the kernel refuses it'),
  });
  const finding = only(probeKernelTls(forbidden));
  t.match(finding.detail, /^the kernel refuses it\./);
  t.match(finding.advice, /seccomp/);
});

t.test('records that did not decrypt', async (t) => {
  const stat = (errors: number) => ({
    files: {
      '/proc/net/tls_stat': `TlsCurrTxSw                     \t1\nTlsTxSw   \t48\nTlsDecryptError                 \t${errors}\n`,
    },
  });
  t.same(probeTlsCounters(boardOf()), []);
  t.same(probeTlsCounters(boardOf(stat(0))), []);
  t.match(only(probeTlsCounters(boardOf(stat(12)))), { level: 'info', title: /^12 records/ });
});
