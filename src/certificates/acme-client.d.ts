// SPDX-License-Identifier: Apache-2.0
// Types of the two parts of acme-client that acme.ts takes. The package's front door would bring
// a second cryptographic library (node-forge) into the bundle that nothing calls.

declare module 'acme-client/src/client.js' {
  export { Client as default } from 'acme-client';
}

declare module 'acme-client/src/axios.js' {
  const axios: { defaults: { acmeSettings: { retryMaxAttempts: number } } };
  export default axios;
}
