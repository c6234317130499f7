// SPDX-License-Identifier: Apache-2.0
// The bodies of requests and answers, in JSON Schema 2020-12. A test validates real answers against
// them. Used by openapi.ts.

import { refTo, type Schema } from './route.js';

const text: Schema = { type: 'string' };
const date: Schema = { type: 'string', format: 'date-time' };
const count: Schema = { type: 'integer', minimum: 0 };
const textOrNull: Schema = { type: ['string', 'null'] };
const pem = (what: string): Schema => ({ type: 'string', description: `PEM: ${what}` });
const listOf = (items: Schema): Schema => ({ type: 'array', items });

/** An object with exactly these members, all of them there but the optional ones. */
function object(properties: Record<string, Schema>, optional: readonly string[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  const needs = required.length === 0 ? {} : { required };
  return { type: 'object', properties, ...needs, additionalProperties: false };
}

/** An object that has these members and may have more. */
function open(properties: Record<string, Schema>): Schema {
  return { type: 'object', properties, required: Object.keys(properties) };
}

const role: Schema = { enum: ['view', 'operate', 'administer'] };
const sha256: Schema = { type: 'string', pattern: '^[0-9a-f]{64}$' };
const counts: Schema = { type: 'object', additionalProperties: count };

const status = open({
  version: text,
  uptimeMs: count,
  ring: open({ backend: { enum: ['io_uring', 'epoll', ''] }, detail: text }),
  offload: open({
    mode: { enum: ['auto', 'off'] },
    suspended: text,
    kernel: text,
    driver: {
      anyOf: [open({ name: text, async: { type: 'boolean' } }), { type: 'null' }],
    },
    promoted: counts,
    fallbacks: counts,
  }),
  engines: open({
    count,
    replaced: count,
    hanging: count,
    each: listOf(open({ connections: count, requests: count, bytesSent: count })),
  }),
  connections: open({ accepted: count, shed: count, open: count, byState: counts }),
  requests: open({ total: count, byStatus: counts }),
  bytes: open({ plaintextSent: count, spliced: count, received: count }),
  tls: open({
    handshakes: counts,
    groups: counts,
    failures: counts,
    floods: counts,
    signatures: open({
      made: count,
      failed: count,
      waiting: count,
      hanging: count,
      failing: listOf(open({ key: text, reason: text, sinceMs: count })),
    }),
  }),
  clientCertificates: open({ verified: count, missing: count, refused: counts }),
  pending: open({ bytes: count, bytesMax: count, stuck: count, contradictions: count }),
  drains: open({ drained: count, aborted: count, inProgress: count, abortedIn: counts }),
  files: open({ open: count, hits: count, misses: count, coldFills: count }),
});

const certificate = object({
  source: { ...text, description: 'device, enrolment, uploaded, or the files.' },
  subject: text,
  sans: listOf(text),
  fingerprint: { ...text, description: 'SHA-256.' },
  isSelfSigned: { type: 'boolean' },
  notBefore: date,
  notAfter: date,
  daysLeft: { type: ['integer', 'null'], description: 'null while the clock is not set.' },
  warning: { ...textOrNull, description: 'Within 30 days of its end, or past it.' },
  lastError: textOrNull,
});

const finding = object({
  kind: {
    enum: ['bad', 'mismatch', 'date', 'warning'],
    description: 'Only a warning does not keep it from being served.',
  },
  text,
});

const configurationFinding = object(
  {
    line: { type: 'integer', minimum: 1, description: 'In the text that was sent, or in a file.' },
    key: { ...text, description: 'The setting, such as timeouts.idle_ms.' },
    message: text,
  },
  ['line', 'key'],
);

const origin: Schema = {
  type: 'object',
  properties: {
    kind: { enum: ['default', 'file', 'environment', 'option'] },
    path: text,
    line: { type: 'integer', minimum: 1 },
    name: text,
  },
  required: ['kind'],
  additionalProperties: false,
};

const setting = object({ value: {}, isHidden: { const: true }, origin }, ['value', 'isHidden']);

const problem: Schema = {
  type: 'object',
  description: 'RFC 9457. `detail` says what to do.',
  properties: {
    type: { type: 'string', format: 'uri-reference' },
    title: text,
    status: { type: 'integer', minimum: 400, maximum: 599 },
    detail: text,
    findings: listOf(refTo('Finding')),
    errors: listOf(refTo('ConfigurationFinding')),
  },
  required: ['type', 'title', 'status', 'detail'],
  additionalProperties: false,
};

const textOr = (description: string): Schema => ({ ...textOrNull, description });

const bundle = object({
  name: text,
  length: count,
  sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
  compatible: textOr('The devices that it is for; null: the installer does not say.'),
  version: textOrNull,
  description: textOrNull,
});

const slot = object({
  name: text,
  bootname: textOr('As the boot loader calls it.'),
  state: { enum: ['booted', 'active', 'inactive'] },
  status: { enum: ['good', 'bad', 'unknown'] },
  version: textOrNull,
});

const orNull = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] });

const updateState = object({
  adapter: { enum: ['none', 'rauc', 'swupdate', 'command'] },
  state: {
    enum: ['idle', 'receiving', 'received', 'installing', 'installed', 'failed', 'restarting'],
  },
  upload: orNull(object({ name: text, length: count, offset: count })),
  bundle: orNull(bundle),
  waiting: {
    ...orNull(bundle),
    description: 'It came while `bundle` was being installed; it is installed next.',
  },
  begunBy: {
    enum: ['spliced', 'other', null],
    description:
      'Who began what state, progress and error tell of: this service; or another program by the ' +
      'installer itself, such as a fleet client, and then `bundle` waits and has no part in it.',
  },
  progress: orNull(
    object({ percent: { type: 'integer', minimum: 0, maximum: 100 }, message: text }),
  ),
  error: textOr("The installer's last error, in words."),
  compatible: textOr('Which bundles are for this device.'),
  slots: listOf(slot),
  restartNeeded: { type: 'boolean', description: 'What was installed runs after a restart.' },
  bootId: { ...text, description: 'Another one: the device has booted meanwhile.' },
  build: textOr('Of the page that is served.'),
});

const numberOrNull: Schema = { type: ['number', 'null'] };
const percent: Schema = { type: 'number', minimum: 0, maximum: 100 };

const system = object({
  hostname: text,
  model: textOr('Of the board.'),
  firmware: {
    ...object({ name: textOrNull, version: textOrNull, build: textOrNull }),
    description: 'By os-release(5).',
  },
  kernel: text,
  time: { ...date, description: "By the device's clock." },
  uptimeMs: count,
  processor: object({
    cores: { type: 'integer', minimum: 1 },
    busyPercent: { ...numberOrNull, description: 'Since it was asked before.' },
    load: { ...listOf({ type: 'number' }), minItems: 3, maxItems: 3 },
  }),
  memory: object({ totalBytes: count, availableBytes: count }),
  storage: listOf(
    object({ name: { enum: ['system', 'data'] }, totalBytes: count, freeBytes: count }),
  ),
  temperatures: listOf(object({ name: text, celsius: { type: 'number' } })),
});

const history = object({
  periodMs: count,
  samples: {
    ...listOf(
      object({
        time: date,
        busyPercent: numberOrNull,
        sentBytesPerS: numberOrNull,
        receivedBytesPerS: numberOrNull,
        memoryUsedPercent: percent,
        celsius: numberOrNull,
      }),
    ),
    maxItems: 288,
  },
});

export const schemas: Readonly<Record<string, Schema>> = {
  Problem: problem,
  Status: status,
  System: system,
  History: history,
  Certificate: certificate,
  Certificates: object({
    served: listOf(refTo('Certificate')),
    waiting: listOf(object({ source: text, lastError: textOrNull })),
  }),
  Finding: finding,
  Upload: object(
    {
      chain: pem("the server's own certificate first, then its issuers."),
      privateKey: pem('its key, not encrypted. Without it: the key of the request that waits.'),
    },
    ['privateKey'],
  ),
  Uploaded: object({
    findings: listOf(refTo('Finding')),
    isDefault: {
      type: 'boolean',
      description: 'Clients without a name get it; installed files come before it.',
    },
    served: listOf(refTo('Certificate')),
  }),
  Names: object({
    names: {
      ...listOf(text),
      minItems: 1,
      maxItems: 100,
      description: 'DNS names and addresses; the first DNS name is the common name.',
    },
  }),
  Request: object({ request: pem('PKCS#10.'), names: listOf(text), madeAt: date }),
  Requests: object({ requests: { ...listOf(refTo('Request')), maxItems: 1 } }),
  Nothing: object({}),
  Session: object({
    by: {
      enum: ['device', 'token', 'certificate', 'person', 'application', null],
      description: 'How the service knows who asks; null: it does not.',
    },
    name: { ...textOrNull, description: 'Of a person, or as the application says.' },
    role: { enum: ['view', 'operate', 'administer', null] },
    hasPeople: { type: 'boolean', description: 'Somebody can sign in by name.' },
    claim: { enum: ['claimed', 'open', 'over'] },
    secondsLeft: { ...count, description: 'For a claim.' },
    isApplicationSilent: {
      type: 'boolean',
      description: 'The application of api.authorize was asked who this is, and does not answer.',
    },
  }),
  SignIn: object({ name: text, password: text }),
  SignedIn: object({ name: text, role }),
  PasswordChange: object({ current: text, next: text }),
  Sessions: object({
    sessions: listOf(
      object({
        id: text,
        name: text,
        address: { ...text, description: 'From which it began.' },
        agent: { ...text, description: 'What the browser calls itself.' },
        startedAt: date,
        idleMs: count,
        isOwn: { type: 'boolean', description: 'The one that asks.' },
      }),
    ),
  }),
  People: object({
    people: listOf(
      object({ name: text, role, isOwn: { type: 'boolean', description: 'Who asks.' } }),
    ),
  }),
  NewPerson: object({ name: text, role, password: text }),
  RoleChange: object({ role }),
  NewPassword: object({ password: text }),
  Claim: object({
    isClaimed: { type: 'boolean' },
    secondsLeft: count,
    isMakers: { type: 'boolean', description: "The code is the maker's, and is not shown." },
    code: textOrNull,
  }),
  ClaimWish: object({ code: text, name: text, password: text }),
  Asked: object({ asked: { ...listOf({ enum: ['device', 'enrolment'] }), minItems: 1 } }),
  Configuration: object({
    files: listOf(text),
    settings: { type: 'object', additionalProperties: setting },
  }),
  ConfigurationFinding: configurationFinding,
  Check: object({
    valid: { type: 'boolean' },
    errors: listOf(refTo('ConfigurationFinding')),
    warnings: listOf(text),
  }),
  Reloaded: object({
    applied: { ...listOf(text), description: 'Settings that changed.' },
    restartRequired: { ...listOf(text), description: 'Settings that wait for a restart.' },
  }),
  Draining: object({ draining: { const: true } }),
  Device: object({
    state: { enum: ['running', 'restarting', 'powering-off'] },
    draining: {
      type: 'boolean',
      description: 'The service finishes what is active, and ends: the device follows.',
    },
    error: textOr('Why what was asked for last has not happened.'),
    bootId: { ...text, description: 'Another one: the device has booted meanwhile.' },
  }),
  Update: updateState,
  Install: object(
    { file: { ...text, description: "A file's name in the directory of the update." } },
    ['file'],
  ),
  Marked: object({ slot: text, mark: { enum: ['good', 'bad'] }, message: text }),
  UploadWish: object(
    {
      name: { ...text, description: "The bundle's file name, without a path." },
      length: { type: 'integer', minimum: 1, description: 'In bytes.' },
      sha256: { ...sha256, description: 'What is received must have it.' },
    },
    ['sha256'],
  ),
  UploadPlace: object({
    upload: { ...text, description: 'The path for PUT and HEAD; whoever knows it may send.' },
    offset: { ...count, description: 'Bytes that are there: the next one is number `offset`.' },
    length: count,
  }),
  UploadParts: object({
    uploads: { ...listOf(object({ name: text, length: count, offset: count })), maxItems: 1 },
  }),
};
