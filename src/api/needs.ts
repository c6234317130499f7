// SPDX-License-Identifier: Apache-2.0
// Which role each route of the API asks for: the only place that says so. A route that is not in it
// does not compile, since its operationId is one of these names. docs/API.md has the same table.

/**
 *   anybody      also who shows no credential
 *   measure      figures, which the device itself may read without a credential; else as view
 *   person       whoever has signed in by name, about himself, whatever the role
 *   view, operate, administer   that role, or one that may more: people/names.ts
 *   device       api.sock alone
 */
export type Need = 'anybody' | 'measure' | 'person' | 'view' | 'operate' | 'administer' | 'device';

export const needs = {
  getStatus: 'measure',
  getMetrics: 'measure',
  getSystem: 'measure',
  getHistory: 'measure',
  followLog: 'view',
  followEvents: 'view',
  getCertificates: 'view',
  getAuthority: 'view',
  getCertificateRequests: 'view',
  getConfiguration: 'view',
  getUpdate: 'view',
  getUploads: 'view',
  getDevice: 'view',
  getDescription: 'view',
  renewCertificates: 'operate',
  reload: 'operate',
  drain: 'operate',
  restartDevice: 'operate',
  powerOffDevice: 'operate',
  beginUpload: 'operate',
  giveUpUpload: 'operate',
  installUpdate: 'operate',
  restart: 'operate',
  markSlotGood: 'operate',
  markSlotBad: 'operate',
  checkConfiguration: 'administer',
  uploadCertificate: 'administer',
  removeUploadedCertificate: 'administer',
  requestCertificate: 'administer',
  giveUpCertificateRequest: 'administer',
  getPeople: 'administer',
  addPerson: 'administer',
  removePerson: 'administer',
  setRole: 'administer',
  setPassword: 'administer',
  getSession: 'anybody',
  signIn: 'anybody',
  claimDevice: 'anybody',
  signOut: 'person',
  changePassword: 'person',
  getSessions: 'view',
  endSession: 'view',
  getClaim: 'device',
} as const satisfies Record<string, Need>;

export type OperationId = keyof typeof needs;
