// SPDX-License-Identifier: Apache-2.0
// The kernel: its version, its known bugs of asynchronous TLS, and whether TLS can be attached to
// a socket, which the addon has tried.

import { type Board, type Finding, field } from '../board.js';
import {
  type BugState,
  type KernelBug,
  kernelBugs,
  lastMessageFix,
  recommended,
  stateOf,
} from '../kernel-bugs.js';
import { compareSeries, type KernelVersion, kernelVersion } from '../kernel-version.js';
import { cipherDrivers, preferredDriver } from '../proc-crypto.js';

/** What the tests of the project run on; older kernels may work and nobody has shown it. */
const oldestTested = '6.1';

export function releaseOf(board: Board): string {
  return board.read('/proc/sys/kernel/osrelease')?.trim() ?? '';
}

export function versionOf(board: Board): KernelVersion | undefined {
  const version = board.read('/proc/sys/kernel/version')?.trim();
  return kernelVersion(releaseOf(board), version, board.read('/proc/version_signature'));
}

export function probeVersion(board: Board): Finding[] {
  const id = 'kernel.version';
  const release = releaseOf(board);
  const version = versionOf(board);
  if (version === undefined) {
    const title = 'The version of the kernel cannot be read';
    return [{ id, level: 'warning', title, detail: `uname -r says "${release}".` }];
  }
  const from = version.name === release ? '' : ` (${release})`;
  const title = `Linux ${version.name}${from}`;
  if (compareSeries(version, oldestTested) < 0) {
    const detail = `The oldest kernel that spliced is tested with is ${oldestTested}.`;
    return [{ id, level: 'warning', title, detail, advice: `Use Linux ${recommended}.` }];
  }
  return [{ id, level: 'ok', title, detail: '' }];
}

const listOf = (bugs: readonly KernelBug[]): string =>
  bugs.map(({ id, what }) => `${id} (${what})`).join('; ');

function sortBugs(version: KernelVersion): Record<BugState, KernelBug[]> {
  const sorted: Record<BugState, KernelBug[]> = {
    absent: [],
    affected: [],
    unfixed: [],
    unknown: [],
  };
  for (const bug of kernelBugs) sorted[stateOf(bug, version)].push(bug);
  return sorted;
}

/** A kernel with a synchronous cipher never runs the code that these bugs are in. */
export function probeAsyncBugs(board: Board): Finding[] {
  const id = 'kernel.async-tls';
  const version = versionOf(board);
  if (version === undefined) return [];
  const { affected, unfixed, unknown } = sortBugs(version);
  const present = [...affected, ...unfixed];
  const gcm = preferredDriver(cipherDrivers(board), 'gcm(aes)');
  const isAsync = gcm?.isAsync === true;
  if (present.length + unknown.length === 0) {
    const title = 'No known bug of asynchronous kernel TLS in this version';
    return [{ id, level: 'ok', title, detail: '' }];
  }
  const origin =
    version.origin === 'vendor'
      ? ' This is a vendor kernel: its makers may have put fixes in that its version does not show.'
      : '';
  const maybe = unknown.length > 0 ? ` Not known for this series: ${listOf(unknown)}.` : '';
  const known = present.length > 0 ? `In this version: ${listOf(present)}.` : '';
  const detail = `${known}${maybe}${origin}`.trim();
  const count = present.length === 1 ? '1 known bug' : `${present.length} known bugs`;
  if (!isAsync) {
    const title = `${count} of asynchronous kernel TLS, of no effect here: AES-GCM is synchronous`;
    return present.length === 0 ? [] : [{ id, level: 'info', title, detail }];
  }
  const title =
    present.length > 0
      ? `${count} of asynchronous kernel TLS, and AES-GCM is asynchronous here`
      : 'It is not known whether this kernel has every fix of asynchronous TLS';
  const advice =
    `Use Linux ${recommended}, or look for these fixes in your vendor's tree. ` +
    'Until then "--tls-offload off" keeps the kernel out of it.';
  // What an update of the same series cures is a problem; what it does not is to be known.
  return [{ id, level: affected.length > 0 ? 'problem' : 'warning', title, detail, advice }];
}

const waitsAtTheEnd: Readonly<Record<BugState, string>> = {
  absent: 'This version waits for the cipher at the last message of a send',
  affected:
    'This version does not wait for the cipher at the last message of a send; an update does',
  unfixed: 'This version does not wait for the cipher at the last message of a send',
  unknown: 'Whether this version waits for the cipher at the last message of a send is not known',
};

/** What a kernel does with records that it still has when the socket is closed. */
export function probeClose(board: Board): Finding[] {
  const version = versionOf(board);
  const bug = kernelBugs.find(({ id }) => id === lastMessageFix);
  if (version === undefined || bug === undefined) return [];
  if ('error' in board.native || !board.native.kernelTls.attachable) return [];
  const title = 'A close with a full send buffer loses TLS records, in every version of Linux';
  const detail =
    `${waitsAtTheEnd[stateOf(bug, version)]} (${lastMessageFix}). That covers a cipher that is not ` +
    'done at the close, and not a client that reads slowly: where the send buffer is full, the ' +
    'kernel tries once to send what is encrypted and frees the rest, with synchronous ciphers ' +
    'too. spliced waits until nothing is pending before it closes; other servers with kernel TLS ' +
    'on this device may not ("spliced doctor --reproduce" shows it).';
  return [{ id: 'kernel.close', level: 'info', title, detail }];
}

const upperFirst = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

type ModuleState = 'built-in' | 'installed' | 'missing' | 'off' | 'unknown';

function moduleState(board: Board): ModuleState {
  const modules = `/lib/modules/${releaseOf(board)}`;
  if (/(^|\/)tls\.ko/m.test(board.read(`${modules}/modules.builtin`) ?? '')) return 'built-in';
  if (/net\/tls\/tls\.ko/.test(board.read(`${modules}/modules.dep`) ?? '')) return 'installed';
  const config = board.kernelConfig();
  if (config === undefined) return 'unknown';
  const setting = /^CONFIG_TLS=([ym])$/m.exec(config)?.[1];
  if (setting === 'y') return 'built-in';
  return setting === 'm' ? 'missing' : 'off';
}

const moduleAdvice: Readonly<Record<ModuleState, string>> = {
  'built-in':
    'The kernel has TLS, so something forbids it: look at "dmesg" and at seccomp filters.',
  installed:
    'Run "modprobe tls", and write "tls" to /etc/modules-load.d/spliced.conf for the next boot.',
  missing:
    'The kernel was built with CONFIG_TLS=m, but its module is not installed: add the package ' +
    'kernel-module-tls to the image.',
  off: 'Build the kernel with CONFIG_TLS=m (or y).',
  unknown: 'Try "modprobe tls"; else build the kernel with CONFIG_TLS=m (or y).',
};

const newKeys = ' Takes new keys in the middle of a connection (KeyUpdate).';
const noNewKeys =
  ' Takes no new keys in the middle of a connection (Linux 6.14 does): a KeyUpdate ends it.';

export function probeKernelTls(board: Board): Finding[] {
  const id = 'kernel.tls';
  if ('error' in board.native) return []; // runtime.addon says it.
  const { tried, attachable, reason, ciphers, keyUpdates } = board.native.kernelTls;
  if (tried === false) {
    const title = 'Whether kernel TLS works could not be found out';
    const detail = `${reason}. A service that starts now encrypts in user space.`;
    const advice =
      'Set the loopback interface up (ip link set lo up), let no firewall drop its packets, and ' +
      'restart the service.';
    return [{ id, level: 'warning', title, detail: upperFirst(detail), advice }];
  }
  if (!attachable) {
    const title = 'Kernel TLS is not available';
    const isAbsent = ciphers.every(({ error }) => error === 'No such file or directory');
    const why = isAbsent ? '' : `${reason}. `;
    const detail = `${why}Connections are encrypted in user space: slower, and correct.`;
    const advice = moduleAdvice[isAbsent ? moduleState(board) : 'built-in'];
    return [{ id, level: 'warning', title, detail, advice }];
  }
  const names = (wanted: boolean) =>
    ciphers
      .filter(({ tx, rx }) => (tx && rx) === wanted)
      .map(({ version, cipher }) => `${version} ${cipher}`);
  const taken = names(true);
  const refused = names(false);
  const detail =
    `Takes ${taken.join(', ') || 'no cipher'}.` +
    (refused.length > 0 ? ` Refuses ${refused.join(', ')}.` : '') +
    (keyUpdates ? newKeys : noNewKeys);
  if (taken.includes('TLSv1.3 AES-128-GCM')) {
    return [{ id, level: 'ok', title: 'Kernel TLS works', detail }];
  }
  const first = ciphers.find(({ error }) => error !== '');
  const title = 'Kernel TLS does not take AES-128-GCM with TLS 1.3, which spliced prefers';
  const advice = `The kernel says: ${first?.error ?? 'nothing'}. It needs Linux 5.1 and CONFIG_CRYPTO_GCM.`;
  return [{ id, level: 'warning', title, detail, advice }];
}

/** The kernel's own counters since boot; absent without the module and before 5.4. */
export function probeTlsCounters(board: Board): Finding[] {
  const id = 'kernel.tls-counters';
  const text = board.read('/proc/net/tls_stat')?.replaceAll(/[ \t]+/g, ':');
  const errors = Number(field(text, 'TlsDecryptError') ?? 0);
  if (text === undefined || errors === 0) return [];
  const title = `${errors} records did not decrypt since boot (TlsDecryptError)`;
  const detail =
    'Broken or hostile clients cause a few. Many, with clients that are good, mean that the ' +
    'cipher driver gives wrong bytes.';
  const advice = 'If the figure grows: "--tls-offload off", and see whether it stops.';
  return [{ id, level: 'info', title, detail, advice }];
}
