// SPDX-License-Identifier: Apache-2.0
// The groups of the key exchange that the configuration names, beside what the OpenSSL of this Node
// has: a device gets its Node from its distribution, and one list is to do for all of them. Called by
// daemon.ts, by checks.ts and by `config check`.

import { StartError } from '../base/start-error.js';
import type { Configuration } from '../config/configuration.js';
import { schema } from '../config/schema.js';
import { loadNative } from '../engine/native.js';
import type { Log } from '../log/log.js';

const openssl = `OpenSSL ${process.versions.openssl}`;

/** Those that are left out. Throws StartError when none is left. */
export function unknownGroups({ tlsGroups }: Pick<Configuration, 'tlsGroups'>): string[] {
  const { used, unknown, available } = loadNative().inspectTlsGroups(tlsGroups);
  if (used.length > 0) return unknown;
  const list = available.join(', ');
  throw new StartError(`tls.groups: ${openssl} has none of ${unknown.join(', ')}; it has ${list}`);
}

/**
 * For `config check`; undefined: all are there, nobody has asked for those that are not, or it is no
 * warning but an error.
 */
export function groupWarning(configuration: Pick<Configuration, 'tlsGroups'>): string | undefined {
  const { used, unknown } = loadNative().inspectTlsGroups(configuration.tlsGroups);
  if (isDefault(configuration) || used.length === 0 || unknown.length === 0) return undefined;
  return `tls.groups: ${openssl} does not have ${unknown.join(', ')}, which is left out`;
}

/** Says at the start what is left out of what was asked for. Throws StartError when no group is left. */
export function reportGroups(configuration: Configuration, log: Log): void {
  const groups = unknownGroups(configuration);
  if (groups.length === 0 || isDefault(configuration)) return;
  log.warn({ event: 'tls_groups_left_out', groups, openssl: process.versions.openssl });
}

function isDefault({ tlsGroups }: Pick<Configuration, 'tlsGroups'>): boolean {
  return JSON.stringify(tlsGroups) === JSON.stringify(schema.tls.groups.default);
}
