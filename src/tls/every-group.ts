// SPDX-License-Identifier: Apache-2.0
// How the service's own TLS clients (the canary, the look at the index) get a connection whatever
// `tls.groups` says: they offer every group that OpenSSL has. Its default lacks some since 3.5.

const [major = 0, minor = 0] = process.versions.openssl.split('.').map(Number);
const hasOptionalNames = major > 3 || (major === 3 && minor >= 3); // "?": if it is known.

const names = [
  ...['X25519MLKEM768', 'SecP256r1MLKEM768', 'SecP384r1MLKEM1024'],
  ...['X25519', 'P-256', 'P-384', 'P-521', 'X448'],
];

/** For `ecdhCurve` of node:tls. */
export const everyGroup = hasOptionalNames ? names.map((name) => `?${name}`).join(':') : 'auto';
