// SPDX-License-Identifier: Apache-2.0
// What serving/api.ts loads when the service is ready, as one part of the bundle.

export { Access } from './access.js';
export { codeFault } from './people/claim.js';
export { People } from './people/people.js';
export { ApiServer } from './server.js';
