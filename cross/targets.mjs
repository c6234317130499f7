// SPDX-License-Identifier: Apache-2.0
// Every target that prebuilds are made for, and where each one's file lies. Used by
// scripts/prebuild.mjs and by the tests.
import { join } from 'node:path';
import arm64 from './arm64.mjs';
import armv7 from './armv7.mjs';
import x64 from './x64.mjs';

/**
 * The newest symbol versions that a prebuild may need. GLIBC: 2.34 is where 64-bit time on 32-bit ARM
 * begins, and where Debian 12's headers link to in any case; it is older than every user land that is
 * supported: Yocto scarthgap has 2.39, Debian 12 2.36, Ubuntu 22.04 2.35. The others: GCC 12, which is
 * Debian 12's and Ubuntu 22.04's libstdc++; scarthgap has GCC 13's.
 */
export const symbolFloor = {
  GLIBC: '2.34',
  GLIBCXX: '3.4.30',
  CXXABI: '1.3.13',
  CXXABI_ARM: '1.3.3', // the one that there is: __aeabi_atexit
  GCC: '12.0.0',
};

export const targets = [x64, arm64, armv7];

/** The name of a target's prebuild beneath the project, as prebuildify writes it. */
export function prebuildPath({ arch, armv }) {
  const tags = [armv && `armv${armv}`, 'glibc'].filter(Boolean);
  return join('prebuilds', `linux-${arch}`, `spliced.${tags.join('.')}.node`);
}
