// SPDX-License-Identifier: Apache-2.0
// Descriptors, memory with control groups of both versions, and TCP's buffers.

import t from 'tap';
import {
  probeDescriptors,
  probeLockedMemory,
  probeMemory,
  probeTcpMemory,
  softLimit,
} from '../../../src/doctor/probes/limits.js';
import { boardOf, only, settings } from './board.js';

const limits = (files: number, locked = '8388608') => ({
  '/proc/self/limits': `Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max open files            ${files}                 524288               files     
Max locked memory         ${locked}              8388608              bytes     
`,
});
const small = { ...settings, connectionsMax: 64 };
const wrong = { error: 'SPLICED_CONNECTIONS_MAX: must be a whole number' };

t.test('descriptors', async (t) => {
  t.match(only(probeDescriptors(boardOf({ files: limits(1024) }))), {
    level: 'warning',
    title: '1024 file descriptors for up to 512 connections',
    advice: /LimitNOFILE=2404/,
  });
  t.equal(only(probeDescriptors(boardOf({ files: limits(2404) }))).level, 'ok');
  t.equal(only(probeDescriptors(boardOf({ files: limits(1024), settings: small }))).level, 'ok');
  t.same(probeDescriptors(boardOf({ files: limits(1024), settings: wrong })), []);
  t.same(probeDescriptors(boardOf()), []);
});

t.test('locked memory', async (t) => {
  t.equal(only(probeLockedMemory(boardOf({ files: limits(1) }))).title, 'Locked memory: 8192 KiB');
  const unlimited = boardOf({ files: limits(1, 'unlimited') });
  t.equal(only(probeLockedMemory(unlimited)).title, 'Locked memory: unlimited');
  t.equal(softLimit(unlimited, 'Max nothing'), undefined);
});

const meminfo = (availableMiB: number) => ({
  '/proc/meminfo': `MemTotal:         1015808 kB\nMemFree:           20000 kB\nMemAvailable:    ${availableMiB * 1024} kB\n`,
});

t.test('memory', async (t) => {
  // 512 connections of 256 + 192 + 64 KiB, and 64 MiB for the process: 320 MiB.
  t.match(only(probeMemory(boardOf({ files: meminfo(320) }))), { level: 'ok', detail: /320 MiB/ });
  t.match(only(probeMemory(boardOf({ files: meminfo(160) }))), {
    level: 'warning',
    title: '160 MiB of 992 MiB memory can be used',
    advice: /connectionsMax to 192 or less/,
  });
  t.match(only(probeMemory(boardOf({ files: meminfo(10) }))).advice, /connectionsMax to 1 or less/);
  t.same(probeMemory(boardOf()), []);
  t.same(probeMemory(boardOf({ files: meminfo(160), settings: wrong })), []);
});

t.test('control groups', async (t) => {
  const level = (files: Record<string, string>) =>
    only(probeMemory(boardOf({ files: { ...meminfo(900), ...files } }))).level;
  const group = { '/proc/self/cgroup': '0::/system.slice/spliced.service\n' };
  const root = '/sys/fs/cgroup';
  t.equal(level(group), 'ok');
  t.equal(level({ ...group, [`${root}/system.slice/spliced.service/memory.max`]: 'max\n' }), 'ok');
  t.equal(
    level({ ...group, [`${root}/system.slice/spliced.service/memory.max`]: '134217728\n' }),
    'warning',
  );
  t.equal(
    level({ ...group, [`${root}/system.slice/memory.max`]: '134217728\n' }),
    'warning',
    'a group above',
  );
  t.equal(
    level({
      '/proc/self/cgroup': '9:name=systemd:/\n4:cpu,memory:/docker/abc\n0::/\n',
      [`${root}/memory/docker/abc/memory.limit_in_bytes`]: '134217728\n',
    }),
    'warning',
    'version 1',
  );
});

t.test('TCP', async (t) => {
  const files = (mem: string, wmem: string) => ({
    '/proc/sys/net/ipv4/tcp_mem': mem,
    '/proc/sys/net/ipv4/tcp_wmem': wmem,
  });
  t.match(
    probeTcpMemory(boardOf({ files: files('22614\t30154\t45228\n', '4096\t16384\t4194304\n') })),
    [
      { level: 'ok', title: 'TCP may hold 177 MiB over all connections (tcp_mem)' },
      { level: 'ok', title: 'A send buffer may grow to 4096 KiB (tcp_wmem)' },
    ],
  );
  t.match(probeTcpMemory(boardOf({ files: files('2835 3781 5670\n', '4096 16384 16384\n') })), [
    { level: 'info', detail: /buffers of 118 connections/ },
    { level: 'warning', title: /16 KiB/, advice: /tcp_wmem=/ },
  ]);
  t.same(probeTcpMemory(boardOf({ files: files('1 2', 'none') })), []);
});
