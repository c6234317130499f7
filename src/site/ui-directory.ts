// SPDX-License-Identifier: Apache-2.0
// Where the operators' page (ui/) is: in the package, and beneath which path of the service, with which
// header fields. Used by site.ts and daemon.ts.

import { existsSync } from 'node:fs';
import { join } from 'node:path';

export const uiPath = '/.spliced/ui';

/** The page brings all that it needs in files of its own, and is in nobody's frame. */
export const uiFields: readonly string[] = [
  "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; " +
    "connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; " +
    "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'X-Frame-Options: DENY',
  'Referrer-Policy: no-referrer',
  'Cross-Origin-Opener-Policy: same-origin',
  'Cross-Origin-Resource-Policy: same-origin',
];

/** Undefined where the image leaves the page out. */
export function uiDirectoryOf(packageDirectory: string): string | undefined {
  const directory = join(packageDirectory, 'dist/ui');
  return existsSync(join(directory, 'index.html')) ? directory : undefined;
}
