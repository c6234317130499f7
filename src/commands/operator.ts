// SPDX-License-Identifier: Apache-2.0
// The commands that an operator runs by hand, as one part of the bundle: each that cli.ts loaded
// alone would cut what the server loads into more pieces, and every piece costs its start.

export * as certificate from './certificate-line.js';
export * as claim from './claim.js';
export * as config from './config.js';
export * as device from './device.js';
export * as doctor from './doctor.js';
export { installService, uninstallService } from './install-service.js';
export * as log from './log.js';
export * as pack from './pack.js';
export * as status from './status.js';
export * as token from './token.js';
export * as update from './update.js';
export * as user from './user.js';
