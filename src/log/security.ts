// SPDX-License-Identifier: Apache-2.0
// The events that matter for security, each with an id that never changes its meaning, for rules in
// a monitoring system. log.ts adds the id as `securityEvent` to every line whose `event` is named
// here, so that whoever logs need not know. docs/LOGGING.md has the same table; a test compares.

export interface SecurityEvent {
  id: string;
  /** One line for the operator: what has happened. */
  meaning: string;
}

export const securityEvents: Record<string, SecurityEvent> = {
  client_certificate_refused: {
    id: 'SPLICED-CLIENT-CERTIFICATE-REFUSED',
    meaning:
      'the client at `peer` showed no certificate where one is required, or one that does not verify; `reason`, and `subject` as it names itself',
  },
  client_certificates_refused: {
    id: 'SPLICED-CLIENT-CERTIFICATES-REFUSED',
    meaning: 'so many handshakes failed for their certificate in the last interval',
  },
  client_refusals_not_logged: {
    id: 'SPLICED-CLIENT-REFUSALS-SUPPRESSED',
    meaning: 'so many refused clients have no line of their own, to keep the journal from filling',
  },
  reloaded: {
    id: 'SPLICED-CONFIGURATION-CHANGED',
    meaning: 'a reload was put into effect; `applied` names the settings',
  },
  reload_failed: {
    id: 'SPLICED-CONFIGURATION-REFUSED',
    meaning: 'a reload was refused and changed nothing; `errors` says why',
  },
  web_root_switched: {
    id: 'SPLICED-BUILD-CHANGED',
    meaning: 'other files are served than before: the web root, or where it leads, was replaced',
  },
  certificate: {
    id: 'SPLICED-CERTIFICATE-IN-USE',
    meaning: 'from now on new connections get the certificate with this `fingerprint`',
  },
  certificate_changed: {
    id: 'SPLICED-CERTIFICATE-CHANGED',
    meaning: 'other certificates are in use than before; `fingerprints` names them',
  },
  certificate_rejected: {
    id: 'SPLICED-CERTIFICATE-REJECTED',
    meaning: 'an installed or uploaded certificate did not pass the checks and is not used',
  },
  certificate_refused: {
    id: 'SPLICED-CERTIFICATE-REFUSED',
    meaning: 'the engine did not take a certificate; the old ones stay in use',
  },
  certificate_expiring: {
    id: 'SPLICED-CERTIFICATE-EXPIRING',
    meaning: 'the certificate in use ends within 30, 14, 7 or 1 days',
  },
  certificate_not_renewed: {
    id: 'SPLICED-CERTIFICATE-NOT-RENEWED',
    meaning: 'a renewal failed; the old certificate stays in use',
  },
  certificate_expired: {
    id: 'SPLICED-CERTIFICATE-EXPIRED',
    meaning: 'the certificate in use is past its end; the service goes on with it',
  },
  api_changed: {
    id: 'SPLICED-API-CHANGE',
    meaning: '`who` asked the API to change something; `path` and `status` say what became of it',
  },
  api_token_refused: {
    id: 'SPLICED-API-TOKEN-REFUSED',
    meaning: 'a client at `address` sent the API a wrong bearer token',
  },
  api_throttled: {
    id: 'SPLICED-API-THROTTLED',
    meaning:
      'too many wrong tokens came from `address`, or from all clients; for a while each further one is refused',
  },
  signed_in: {
    id: 'SPLICED-SIGNED-IN',
    meaning: '`who` signed in from `address`, with this `role`',
  },
  sign_in_refused: {
    id: 'SPLICED-SIGN-IN-REFUSED',
    meaning:
      'a wrong password from `address`; `name` where it is one of the people, since others may be passwords',
  },
  sign_in_refusals_not_logged: {
    id: 'SPLICED-SIGN-IN-REFUSALS-SUPPRESSED',
    meaning: 'so many wrong passwords came within a minute that no more of them have a line',
  },
  signed_out: {
    id: 'SPLICED-SIGNED-OUT',
    meaning: '`who` signed out',
  },
  password_changed: {
    id: 'SPLICED-PASSWORD-CHANGED',
    meaning: '`who` has another password; the sessions of before are over',
  },
  people_changed: {
    id: 'SPLICED-PEOPLE-CHANGED',
    meaning:
      '`who` has `added`, `removed` or `changed` people by the API; `local` with `spliced user` on the device, noticed at the next request',
  },
  device_claimed: {
    id: 'SPLICED-DEVICE-CLAIMED',
    meaning: '`who` had the code of the device and is its first administrator',
  },
  claim_refused: {
    id: 'SPLICED-CLAIM-REFUSED',
    meaning: 'a wrong code for the claim of the device came from `address`',
  },
  update_received: {
    id: 'SPLICED-UPDATE-RECEIVED',
    meaning: 'an update is there completely: `name`, `length`, `sha256`; nothing is verified yet',
  },
  update_started: {
    id: 'SPLICED-UPDATE-STARTED',
    meaning:
      'the installer was given the update with this `sha256`; or it was seen that another program has begun one, which `by` says here and below',
  },
  update_installed: {
    id: 'SPLICED-UPDATE-INSTALLED',
    meaning: 'the installer has verified and installed it',
  },
  update_failed: {
    id: 'SPLICED-UPDATE-FAILED',
    meaning: 'the installer refused it, or could not install it; `reason` is what it says',
  },
  update_restart: {
    id: 'SPLICED-UPDATE-RESTART',
    meaning: 'a restart was asked for: of the device or of the `service`, as `kind` says',
  },
  device_restart: {
    id: 'SPLICED-DEVICE-RESTART',
    meaning: 'a restart of the device was asked for, outside an update',
  },
  device_power_off: {
    id: 'SPLICED-DEVICE-POWER-OFF',
    meaning: 'it was asked to power the device off',
  },
  update_fell_back: {
    id: 'SPLICED-UPDATE-FELL-BACK',
    meaning: 'after an update the device runs the same `slot` as before',
  },
  slot_marked: {
    id: 'SPLICED-SLOT-MARKED',
    meaning: 'a `slot` was marked `good` or `bad` for the boot loader',
  },
  upload_announced: {
    id: 'SPLICED-UPLOAD-ANNOUNCED',
    meaning: 'a bundle of this `name` and `length` may be uploaded from now on',
  },
  upload_refused: {
    id: 'SPLICED-UPLOAD-REFUSED',
    meaning: 'an upload arrived with another SHA-256 than was promised, and was given up',
  },
  handshakes_failed: {
    id: 'SPLICED-HANDSHAKES-FAILED',
    meaning: 'so many handshakes failed in the last interval, by reason',
  },
  load_shed: {
    id: 'SPLICED-LOAD-SHED',
    meaning: 'so many connections were refused in the last interval, by reason',
  },
  connections_evicted: {
    id: 'SPLICED-CONNECTIONS-EVICTED',
    meaning:
      'so many connections were closed to make room for new ones: idle ones, or ones without a request',
  },
  slow_clients_ended: {
    id: 'SPLICED-SLOW-CLIENTS',
    meaning:
      'so many clients were cut off: head or request not complete in time, or reading too slowly',
  },
  flooding_clients_ended: {
    id: 'SPLICED-FLOODING-CLIENTS',
    meaning: 'so many clients were disconnected because they kept TLS busy without a request',
  },
  connections_not_logged: {
    id: 'SPLICED-LOG-SUPPRESSED',
    meaning: 'so many lines about connections were left out, to keep the journal from filling',
  },
  accelerator_suspended: {
    id: 'SPLICED-ACCELERATOR-SUSPENDED',
    meaning: 'kernel TLS gave wrong bytes or none; new connections are encrypted in user space',
  },
  accelerator_resumed: {
    id: 'SPLICED-ACCELERATOR-RESUMED',
    meaning: 'kernel TLS was right when tried again; new connections go to the kernel',
  },
  engine_replaced: {
    id: 'SPLICED-ENGINE-REPLACED',
    meaning:
      'a thread waits in the kernel for a cipher that does not complete; another engine serves, ' +
      'in user space',
  },
  engine_released: {
    id: 'SPLICED-ENGINE-RELEASED',
    meaning: 'that thread came back, and its connections have ended',
  },
  watchdog_withheld: {
    id: 'SPLICED-WATCHDOG-WITHHELD',
    meaning: 'the service cannot prove that it works; systemd restarts it unless it recovers',
  },
  watchdog_resumed: {
    id: 'SPLICED-WATCHDOG-RESUMED',
    meaning: 'the service proves again that it works',
  },
};

/** pino's formatter of a line's fields. */
export function withSecurityEvent(fields: Record<string, unknown>): Record<string, unknown> {
  const { event } = fields;
  if (typeof event !== 'string' || !Object.hasOwn(securityEvents, event)) return fields;
  const { id } = securityEvents[event] as SecurityEvent;
  return { ...fields, securityEvent: id };
}
