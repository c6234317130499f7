// SPDX-License-Identifier: Apache-2.0
// Types of the two parts of acme-client that acme.ts takes. The package's front door would bring
// a second cryptographic library (node-forge) into the bundle that nothing calls.

declare module 'acme-client/src/client.js' {
  export { Client as default } from 'acme-client';
}

declare module 'acme-client/src/axios.js' {
  interface Config {
    url?: string;
    method?: string;
    headers: Record<string, string>;
    data?: string;
  }
  const axios: { defaults: { adapter: (config: Config) => Promise<unknown> } };
  export default axios;
}
