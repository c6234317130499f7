// SPDX-License-Identifier: Apache-2.0
// Every target that prebuilds are made for, and where each one's file lies. Used by
// scripts/prebuild.mjs and by the tests.
import { join } from 'node:path';
import arm64 from './arm64.mjs';
import armv7 from './armv7.mjs';
import x64 from './x64.mjs';

export const targets = [x64, arm64, armv7];

/** The name of a target's prebuild beneath the project, as prebuildify writes it. */
export function prebuildPath({ arch, armv }) {
  const tags = [armv && `armv${armv}`, 'glibc'].filter(Boolean);
  return join('prebuilds', `linux-${arch}`, `spliced.${tags.join('.')}.node`);
}
