// SPDX-License-Identifier: Apache-2.0
// The maker's code, by which the first administrator claims the device: a file, or a credential of the
// service manager. Where it cannot be used the log says why, and the service makes one of its own, which
// `spliced claim` shows. Called by api.ts.

import { reasonOf } from '../base/start-error.js';
import { pathOf } from '../certificates/installed.js';
import { readOrdinaryText } from '../files/ordinary-file.js';
import type { Log } from '../log/log.js';

const bytesMax = 4096;

/** `value`: a path, or credential:NAME; empty: the maker has given none. */
export function readClaimCode(
  value: string,
  faultOf: (code: string) => string | undefined,
  log: Pick<Log, 'error'>,
): string | undefined {
  if (value === '') return undefined;
  try {
    const code = readOrdinaryText(pathOf(value), bytesMax).trim();
    const fault = faultOf(code);
    if (fault === undefined) return code;
    throw new Error(fault);
  } catch (error) {
    log.error({ event: 'claim_code_unusable', path: value, reason: reasonOf(error) });
    return undefined;
  }
}
