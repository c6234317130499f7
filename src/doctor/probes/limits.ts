// SPDX-License-Identifier: Apache-2.0
// Limits: descriptors, memory and TCP's buffers against what the settings allow at the worst. The
// process limits are those of this shell; the detail says so, as the service may have others.

import { type Board, type Finding, field, mebibytes, readNumber } from '../board.js';

// A connection that sends: its socket, both ends of a pipe, and its file.
const descriptorsPerConnection = 4;
// Node, the rings, listeners, and files that are kept open (native/base/limits.hpp: kFilesKeptMax),
// each with three siblings.
const descriptorsOther = 100 + 64 * 4;
// native/base/limits.hpp: kUnsentBytesMax, and one piece of kPieceBytes in the pipe.
const unsentBytesMax = 192 * 1024;
const pieceBytes = 64 * 1024;
// Node with its heap at rest, and the engine's slots.
const processBytes = 64 * 1_048_576;
// Below this a record of 16 KiB does not fit beside another one.
const sendBufferBytesMin = 64 * 1024;

/** "Max open files            1024                 524288               files" */
export function softLimit(board: Board, name: string): number | undefined {
  const line = board
    .read('/proc/self/limits')
    ?.split('\n')
    .find((text) => text.startsWith(name));
  const soft = line?.slice(name.length).trim().split(/\s+/)[0];
  if (soft === undefined) return undefined;
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

export function probeDescriptors(board: Board): Finding[] {
  const id = 'limits.descriptors';
  const limit = softLimit(board, 'Max open files');
  if (limit === undefined || 'error' in board.settings) return [];
  const { connectionsMax } = board.settings;
  const needed = connectionsMax * descriptorsPerConnection + descriptorsOther;
  const title = `${limit} file descriptors for up to ${connectionsMax} connections`;
  if (limit >= needed) return [{ id, level: 'ok', title, detail: '' }];
  const detail =
    `${needed} are needed when all of them send at once; connections beyond the limit wait or are ` +
    'refused. This is the limit of this shell, and that of the service may differ.';
  const advice = `Set LimitNOFILE=${needed} for the service, or allow fewer connections.`;
  return [{ id, level: 'warning', title, detail, advice }];
}

/** Only io_uring before 5.12 counts its rings as locked memory. */
export function probeLockedMemory(board: Board): Finding[] {
  const limit = softLimit(board, 'Max locked memory');
  if (limit === undefined) return [];
  const size = Number.isFinite(limit) ? `${Math.round(limit / 1024)} KiB` : 'unlimited';
  return [{ id: 'limits.locked', level: 'ok', title: `Locked memory: ${size}`, detail: '' }];
}

/** The least limit of our control group and those above it; version 2, else version 1. */
function groupLimitBytes(board: Board): number {
  const groups = board.read('/proc/self/cgroup')?.split('\n') ?? [];
  let least = Number.POSITIVE_INFINITY;
  for (const line of groups) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    const isMemory = controllers.split(',').includes('memory');
    if (controllers !== '' && !isMemory) continue;
    const [root, file] = isMemory
      ? ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes']
      : ['/sys/fs/cgroup', 'memory.max'];
    for (let at = path; ; at = at.slice(0, at.lastIndexOf('/'))) {
      const limit = readNumber(board, `${root}${at === '/' ? '' : at}/${file}`);
      if (limit !== undefined && limit > 0) least = Math.min(least, limit);
      if (at === '' || at === '/') break;
    }
  }
  return least;
}

export function probeMemory(board: Board): Finding[] {
  const id = 'limits.memory';
  const kibibytes = (name: string) =>
    Number.parseInt(field(board.read('/proc/meminfo'), name) ?? '', 10) * 1024;
  const total = kibibytes('MemTotal');
  const available = Math.min(kibibytes('MemAvailable'), groupLimitBytes(board));
  if (Number.isNaN(available) || 'error' in board.settings) return [];
  const { connectionsMax, pendingWindowBytes } = board.settings;
  const each = pendingWindowBytes + unsentBytesMax + pieceBytes;
  const worst = processBytes + connectionsMax * each;
  const title = `${mebibytes(available)} of ${mebibytes(total)} memory can be used`;
  const need = `${connectionsMax} connections that all stall in the middle hold ${mebibytes(worst)}.`;
  if (worst <= available) return [{ id, level: 'ok', title, detail: need }];
  const fits = Math.max(1, Math.floor((available - processBytes) / each));
  const detail = `${need} The window, what TCP keeps unsent and a pipe are counted for each.`;
  const advice = `Set connectionsMax to ${fits} or less (SPLICED_CONNECTIONS_MAX), or the window smaller.`;
  return [{ id, level: 'warning', title, detail, advice }];
}

const threeNumbers = (text: string | undefined): number[] | undefined => {
  const numbers = text?.trim().split(/\s+/).map(Number) ?? [];
  return numbers.length === 3 && numbers.every(Number.isFinite) ? numbers : undefined;
};

export function probeTcpMemory(board: Board): Finding[] {
  const findings: Finding[] = [];
  const pages = threeNumbers(board.read('/proc/sys/net/ipv4/tcp_mem'));
  const pageBytes = 'error' in board.native ? 4096 : board.native.pageBytes;
  if (pages !== undefined && !('error' in board.settings)) {
    const most = (pages[2] ?? 0) * pageBytes;
    const full = Math.floor(most / unsentBytesMax);
    const title = `TCP may hold ${mebibytes(most)} over all connections (tcp_mem)`;
    const isTight = full < board.settings.connectionsMax / 4;
    const detail = `That fills the send buffers of ${full} connections; the others are slowed down.`;
    findings.push({ id: 'limits.tcp-mem', level: isTight ? 'info' : 'ok', title, detail });
  }
  const buffer = threeNumbers(board.read('/proc/sys/net/ipv4/tcp_wmem'));
  if (buffer !== undefined) {
    const most = buffer[2] ?? 0;
    const title = `A send buffer may grow to ${Math.round(most / 1024)} KiB (tcp_wmem)`;
    const id = 'limits.tcp-wmem';
    if (most >= sendBufferBytesMin) findings.push({ id, level: 'ok', title, detail: '' });
    else {
      const detail =
        'That is little: transfers are slow, and before Linux 6.5 spliced must push them by hand.';
      const advice = 'Set net.ipv4.tcp_wmem="4096 16384 1048576" or so.';
      findings.push({ id, level: 'warning', title, detail, advice });
    }
  }
  return findings;
}
