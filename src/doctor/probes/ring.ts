// SPDX-License-Identifier: Apache-2.0
// io_uring: whether an engine would get one (the addon has tried), and what forbids it. epoll does
// the same work, so none of this is more than a note, but for libuv's own ring in our process.

import { type Board, type Finding, field, readNumber } from '../board.js';

function forbiddenBy(board: Board, detail: string): { detail: string; advice?: string } {
  if (detail.includes('ENOSYS')) {
    const advice = 'To have it, build the kernel with CONFIG_IO_URING.';
    return { detail: 'The kernel is built without it.', advice };
  }
  if (detail.includes('ENOMEM')) {
    const locked = field(
      board.read('/proc/self/limits')?.replace(/^(Max locked memory)/m, '$1:'),
      'Max locked memory',
    );
    const advice = 'Raise LimitMEMLOCK of the service; kernels from 5.12 on do not count it.';
    return { detail: `The limit of locked memory is ${locked?.split(/\s+/)[0] ?? '?'}.`, advice };
  }
  if (!detail.includes('EPERM')) return { detail: `${detail}.` };
  const disabled = readNumber(board, '/proc/sys/kernel/io_uring_disabled');
  if (disabled === 2) {
    const advice = 'To allow it: sysctl kernel.io_uring_disabled=0.';
    return { detail: 'kernel.io_uring_disabled is 2: nobody may use it.', advice };
  }
  if (disabled === 1) {
    const advice =
      'To allow it: sysctl kernel.io_uring_disabled=0, or put the service into the group of ' +
      'kernel.io_uring_group.';
    return { detail: 'kernel.io_uring_disabled is 1: only a group may use it.', advice };
  }
  if (field(board.read('/proc/self/status'), 'Seccomp') === '2') {
    const advice =
      "Allow io_uring_setup, io_uring_enter and io_uring_register in the container's filter.";
    return { detail: 'A seccomp filter of this process forbids it, as Docker does.', advice };
  }
  return { detail: 'A security module forbids it: neither a sysctl nor a filter does.' };
}

export function probeRing(board: Board): Finding[] {
  const id = 'ring.io-uring';
  if ('error' in board.native) return []; // runtime.addon says it.
  const { backend, detail } = board.native.ring;
  if (backend === 'io_uring') {
    return [{ id, level: 'ok', title: `io_uring works (${detail})`, detail: '' }];
  }
  if (backend === '') {
    const title = 'Neither io_uring nor epoll can be had';
    const advice = 'Raise the limits of descriptors and tasks.';
    return [{ id, level: 'problem', title, detail: `${detail}.`, advice }];
  }
  const title = 'io_uring cannot be used; spliced uses epoll, which serves as well';
  return [{ id, level: 'info', title, ...forbiddenBy(board, detail) }];
}

const numbersOf = (version = ''): number[] => version.split('.').map(Number);

function isBefore(version: string | undefined, major: number, minor: number, patch = 0): boolean {
  const [a = 0, b = 0, c = 0] = numbersOf(version);
  return (a - major || b - minor || c - patch) < 0;
}

/** libuv 1.45 brought a ring, on by default; Node 20.11.1 and 21.6.2 (CVE-2024-22017) and 1.48 made it a choice. */
function isOnByDefault({ uv, node }: Board['versions']): boolean {
  if (isBefore(uv, 1, 45) || !isBefore(uv, 1, 48)) return false;
  return isBefore(node, 20, 11, 1) || (!isBefore(node, 21, 0) && isBefore(node, 21, 6, 2));
}

/** libuv's own ring adds worker threads whose signals can reach our sockets. */
export function probeNodeRing(board: Board): Finding[] {
  const id = 'ring.node';
  const value = board.env.UV_USE_IO_URING;
  const isOn = value === undefined ? isOnByDefault(board.versions) : value !== '0';
  if (!isOn) {
    return [{ id, level: 'ok', title: 'Node keeps no io_uring of its own', detail: '' }];
  }
  const title = `Node uses an io_uring of its own (UV_USE_IO_URING=${value ?? 'unset'})`;
  const advice = 'Set UV_USE_IO_URING=0 where the service is started, as its unit file does.';
  return [{ id, level: 'warning', title, detail: `libuv ${board.versions.uv}.`, advice }];
}
