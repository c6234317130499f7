// SPDX-License-Identifier: Apache-2.0
// Which upstream release a running kernel is made from. `uname -r` alone does not say it:
// distributions keep it constant over updates and put the real version elsewhere.

export interface KernelVersion {
  major: number;
  minor: number;
  patch: number;
  isReleaseCandidate: boolean;
  /** Who made it: fixes may be in a vendor's kernel that its version does not promise. */
  origin: 'upstream' | 'Debian' | 'Ubuntu' | 'vendor';
  /** Such as "6.12.101"; for a person. */
  name: string;
}

const numbers = /^(\d+)\.(\d+)(?:\.(\d+))?/;

function build(match: RegExpExecArray, origin: KernelVersion['origin'], isRc: boolean) {
  const [major, minor, patch] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
  const name = `${major}.${minor}${isRc && patch === 0 ? '-rc' : `.${patch}`}`;
  return { major, minor, patch, isReleaseCandidate: isRc, origin, name };
}

/**
 * `release` and `version` are those of uname(2); `signature` is Ubuntu's /proc/version_signature.
 * Undefined when `release` does not begin with a version.
 */
export function kernelVersion(
  release: string,
  version = '',
  signature = '',
): KernelVersion | undefined {
  // "#1 SMP PREEMPT_DYNAMIC Debian 6.12.101-1 (2026-05-01)"; Raspberry Pi's has an epoch.
  const debian = numbers.exec(/\bDebian (?:\d+:)?(\d\S*)/.exec(version)?.[1] ?? '');
  if (debian) return build(debian, 'Debian', false);
  const ubuntu = numbers.exec(/^Ubuntu \S+ (\d\S*)/.exec(signature)?.[1] ?? '');
  if (ubuntu) return build(ubuntu, 'Ubuntu', false);
  const plain = numbers.exec(release);
  if (!plain) return undefined;
  const rest = release.slice(plain[0].length);
  const isRc = /^-rc\d+/.test(rest);
  const suffix = rest.replace(/^-rc\d+/, '');
  return build(plain, suffix === '' ? 'upstream' : 'vendor', isRc);
}

/** Negative when `a` is older than release `major.minor`, 0 when it is of it, else positive. */
export function compareSeries(a: KernelVersion, series: string): number {
  const [major = 0, minor = 0] = series.split('.').map(Number);
  return a.major - major || a.minor - minor;
}
