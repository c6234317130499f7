// SPDX-License-Identifier: Apache-2.0
// An authority that signs a request (PKCS#10) as a customer's would, by the openssl command.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The issued certificate and its authority's, PEM. Leaves its files in `directory`. */
export function signRequest(directory: string, request: string): string {
  const file = (name: string): string => join(directory, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  writeFileSync(file('request.pem'), request);
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const own = ['-keyout', file('ca.key'), '-out', file('ca.pem'), '-subj', '/CN=Customer CA'];
  openssl('req', '-x509', ...curve, ...own, '-days', '30');
  const signer = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial'];
  const what = ['-in', file('request.pem'), '-copy_extensions', 'copy', '-days', '20'];
  openssl('x509', '-req', ...what, ...signer, '-out', file('issued.pem'));
  return readFileSync(file('issued.pem'), 'utf8') + readFileSync(file('ca.pem'), 'utf8');
}
