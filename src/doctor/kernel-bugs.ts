// SPDX-License-Identifier: Apache-2.0
// Bugs of net/tls that matter when the cipher is asynchronous (CAAM, cryptd), and the releases
// that fixed them. From the CVE records of the kernel's own numbering authority and from the
// stable changelogs. Add a row when one is found; probes/kernel.ts turns the table into findings.

import { compareSeries, type KernelVersion } from './kernel-version.js';

export interface KernelBug {
  /** CVE number, else the mainline commit. */
  id: string;
  what: string;
  /** The first mainline series that has the bug; undefined: only the series listed in `fixed`. */
  since?: string;
  /** Per stable series: the patch level that fixes it, and the one that brought it, if later. */
  fixed: Readonly<Record<string, { at: number; from?: number }>>;
  /** The first mainline release without it. */
  mainline?: string;
  /** Series that are not listed may have the fix all the same: nobody has looked. */
  isIncomplete?: boolean;
}

/** "net: tls: wait for async completion on last message", September 2024. */
export const lastMessageFix = '54001d0f2fdb';

/** The least release of a series that has every known fix but those that the series never got. */
export const recommended = '6.12.104 or later, or 6.1.183 or later';

export const kernelBugs: readonly KernelBug[] = [
  {
    id: 'CVE-2024-26583',
    what: 'a completion of the cipher races with the close of the socket',
    since: '5.7',
    fixed: { '6.1': { at: 79 }, '6.6': { at: 18 }, '6.7': { at: 6 } },
    mainline: '6.8',
  },
  {
    id: 'CVE-2024-26584',
    what: 'a request that the engine puts on its backlog is taken for a failure',
    since: '4.16',
    fixed: { '6.1': { at: 84 }, '6.6': { at: 18 }, '6.7': { at: 6 } },
    mainline: '6.8',
  },
  {
    id: 'CVE-2024-26585',
    what: 'the work that sends records races with the close of the socket',
    since: '4.20',
    fixed: { '6.1': { at: 84 }, '6.6': { at: 18 }, '6.7': { at: 6 } },
    mainline: '6.8',
  },
  {
    id: 'CVE-2024-26800',
    what: 'use after free when a decryption on the backlog fails',
    fixed: { '6.6': { at: 21, from: 18 }, '6.7': { at: 9, from: 6 } },
    mainline: '6.8',
  },
  // Announcement of 5.15.196; reviews of 6.1.158 and 6.6.114. probeClose() says what it leaves open.
  {
    id: lastMessageFix,
    what: 'a send does not wait for the cipher at its last message, and a close loses what it has',
    since: '4.20',
    fixed: { '5.15': { at: 196 }, '6.1': { at: 158 }, '6.6': { at: 114 } },
    mainline: '6.12',
  },
  {
    id: '7f846c65ca11',
    what: 'records pile up unsent while one long send runs',
    since: '4.20',
    fixed: { '6.1': { at: 158 }, '6.12': { at: 55 } },
    mainline: '6.18',
    isIncomplete: true,
  },
  {
    id: 'CVE-2026-23240',
    what: 'use after free: work is scheduled while the socket closes',
    since: '5.3',
    fixed: { '6.12': { at: 75 }, '6.18': { at: 16 }, '6.19': { at: 6 } },
    mainline: '7.0',
  },
  {
    id: 'CVE-2026-31533',
    what: 'use after free when the engine is busy and the request waits',
    since: '4.20',
    fixed: {
      '5.15': { at: 203 },
      '6.1': { at: 169 },
      '6.6': { at: 135 },
      '6.12': { at: 82 },
      '6.18': { at: 23 },
      '6.19': { at: 13 },
    },
    mainline: '7.0',
  },
  {
    id: 'af0e5cdd031f',
    what: 'a send that a signal interrupts breaks the connection',
    since: '4.20',
    fixed: { '6.1': { at: 183 }, '6.12': { at: 104 } },
    mainline: '7.2',
    isIncomplete: true,
  },
  {
    id: 'the plaintext ring fix of 6.12.104',
    what: 'plaintext can stay unsent in a full ring',
    fixed: { '6.12': { at: 104 } },
  },
];

/** `unfixed`: affected, and no release of this series has the fix. */
export type BugState = 'absent' | 'affected' | 'unfixed' | 'unknown';

export function stateOf(bug: KernelBug, version: KernelVersion): BugState {
  const listed = bug.fixed[`${version.major}.${version.minor}`];
  if (listed !== undefined) {
    const isIn = version.patch >= (listed.from ?? 0) && version.patch < listed.at;
    return isIn ? 'affected' : 'absent';
  }
  if (bug.since === undefined || compareSeries(version, bug.since) < 0) return 'absent';
  const afterFix = bug.mainline === undefined ? -1 : compareSeries(version, bug.mainline);
  if (afterFix > 0) return 'absent';
  if (afterFix === 0) return version.isReleaseCandidate ? 'unknown' : 'absent';
  return bug.isIncomplete ? 'unknown' : 'unfixed';
}
