// SPDX-License-Identifier: Apache-2.0
// The whole configuration in one schema: an option of the command line wins over its SPLICED_*
// environment variable, which wins over the default. Called by cli.ts; everything else receives
// the finished, checked value. docs/CONFIGURATION.md explains each name; a unit test compares the
// defaults with native/base/limits.hpp and the names with that document.

import { resolve } from 'node:path';
import convict from 'convict';
import { reasonOf, StartError } from '../start-error.js';
import { type ListenAddress, parseListenAddress } from './address.js';

export interface Configuration {
  root: string;
  listeners: ListenAddress[];
  stateDir: string;
  /** Both or neither. */
  files: { certificate: string; privateKey: string } | undefined;
  tlsOffload: 'auto' | 'off';
  ring: 'auto' | 'epoll';
  logLevel: string;
  connectionsMax: number;
  pendingWindowBytes: number;
  handshakeTimeoutMs: number;
  headTimeoutMs: number;
  idleTimeoutMs: number;
  stallTimeoutMs: number;
  drainTimeoutMs: number;
  lingerTimeoutMs: number;
  stopTimeoutMs: number;
}

/** Options as node:util parseArgs returns them, by the name that the user types. */
export type CommandOptions = Record<string, string | string[] | boolean | undefined>;

const listenersMax = 8;
const timeoutMsMax = 24 * 3_600_000;

interface Bounded {
  min: number;
  max: number;
}

convict.addFormat({
  name: 'whole number',
  coerce: (value: unknown) =>
    typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value,
  validate: (value: unknown, schema: convict.SchemaObj<unknown>) => {
    const { min, max } = schema as unknown as Bounded;
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
      throw new Error(`must be a whole number from ${min} to ${max}`);
    }
  },
});

convict.addFormat({
  name: 'listen addresses',
  coerce: (value: unknown) => (typeof value === 'string' ? value.split(',') : value),
  validate: (value: unknown) => {
    if (!Array.isArray(value) || value.length < 1 || value.length > listenersMax) {
      throw new Error(`needs 1 to ${listenersMax} addresses`);
    }
    for (const text of value) parseListenAddress(String(text));
  },
});

convict.addFormat({
  name: 'path',
  validate: (value: unknown) => {
    if (typeof value !== 'string' || value === '' || value.includes('\0')) {
      throw new Error('must be a path');
    }
  },
});

convict.addFormat({
  name: 'path or nothing',
  validate: (value: unknown) => {
    if (typeof value !== 'string' || value.includes('\0')) throw new Error('must be a path');
  },
});

const bounded = (env: string, fallback: number, min: number, max: number, doc: string) => ({
  doc,
  format: 'whole number',
  default: fallback,
  env,
  min,
  max,
});

/** Every setting. `default` and the bounds in bytes and milliseconds follow native/base/limits.hpp. */
export const schema = {
  root: { doc: 'directory that is served', format: 'path', default: 'public', env: 'SPLICED_ROOT' },
  listen: {
    doc: 'addresses to listen on, separated by commas',
    format: 'listen addresses',
    default: ['0.0.0.0:8443'],
    env: 'SPLICED_LISTEN',
  },
  stateDir: {
    doc: "directory for the device's own certificate",
    format: 'path',
    default: 'state',
    env: 'SPLICED_STATE_DIR',
  },
  certificate: {
    doc: 'certificate chain (PEM) to serve instead of the own one',
    format: 'path or nothing',
    default: '',
    env: 'SPLICED_CERTIFICATE',
  },
  privateKey: {
    doc: 'private key (PEM) of that certificate',
    format: 'path or nothing',
    default: '',
    env: 'SPLICED_PRIVATE_KEY',
  },
  tlsOffload: {
    doc: 'auto: kernel TLS where the kernel can; off: never',
    format: ['auto', 'off'],
    default: 'auto',
    env: 'SPLICED_TLS_OFFLOAD',
  },
  ring: {
    doc: 'auto: io_uring where the kernel allows it; epoll: never',
    format: ['auto', 'epoll'],
    default: 'auto',
    env: 'SPLICED_RING',
  },
  logLevel: {
    doc: 'least level that is logged',
    format: ['debug', 'info', 'warn', 'error', 'silent'],
    default: 'info',
    env: 'SPLICED_LOG_LEVEL',
  },
  connectionsMax: bounded(
    'SPLICED_CONNECTIONS_MAX',
    512,
    1,
    65535,
    'connections at a time; more are refused',
  ),
  pendingWindowBytes: bounded(
    'SPLICED_PENDING_WINDOW_BYTES',
    256 * 1024,
    128 * 1024,
    1024 * 1024 * 1024,
    'bytes pending in the TLS layer of a connection before its transfer pauses',
  ),
  handshakeTimeoutMs: bounded(
    'SPLICED_HANDSHAKE_TIMEOUT_MS',
    10_000,
    1,
    timeoutMsMax,
    'for the whole TLS handshake',
  ),
  headTimeoutMs: bounded('SPLICED_HEAD_TIMEOUT_MS', 15_000, 1, timeoutMsMax, 'for a request head'),
  idleTimeoutMs: bounded(
    'SPLICED_IDLE_TIMEOUT_MS',
    60_000,
    1,
    timeoutMsMax,
    'between two requests',
  ),
  stallTimeoutMs: bounded(
    'SPLICED_STALL_TIMEOUT_MS',
    30_000,
    1,
    timeoutMsMax,
    'without one byte acknowledged by the peer',
  ),
  drainTimeoutMs: bounded(
    'SPLICED_DRAIN_TIMEOUT_MS',
    600_000,
    1,
    timeoutMsMax,
    'for a whole drain, with progress or without',
  ),
  lingerTimeoutMs: bounded(
    'SPLICED_LINGER_TIMEOUT_MS',
    5_000,
    1,
    timeoutMsMax,
    "for the peer's end of stream, after our own",
  ),
  stopTimeoutMs: bounded(
    'SPLICED_STOP_TIMEOUT_MS',
    30_000,
    0,
    timeoutMsMax,
    'for active responses when the server stops',
  ),
} as const;

type Key = keyof typeof schema;

/** The options of the command line, and the setting that each one sets. */
export const optionKeys: Readonly<Record<string, Key>> = {
  root: 'root',
  listen: 'listen',
  'state-dir': 'stateDir',
  certificate: 'certificate',
  'private-key': 'privateKey',
  'tls-offload': 'tlsOffload',
};

/** How the user named the setting that was refused: by option where one was given. */
function labelOf(key: string, options: CommandOptions): string {
  const option = Object.keys(optionKeys).find((name) => optionKeys[name] === key);
  if (option !== undefined && options[option] !== undefined) return `--${option}`;
  return key in schema ? schema[key as Key].env : key;
}

/** Reads and checks everything. Throws StartError with one line that names the setting. */
export function readConfiguration(
  options: CommandOptions,
  env: NodeJS.ProcessEnv = process.env,
): Configuration {
  // The literal types of `as const` say more than convict's own types can take in.
  const config = convict(schema as unknown as convict.Schema<Record<Key, unknown>>, {
    env,
    args: [],
  });
  for (const [option, key] of Object.entries(optionKeys)) {
    const value = options[option];
    if (value !== undefined) config.set(key, value);
  }
  try {
    config.validate({ allowed: 'strict' });
  } catch (error) {
    const [, key, rest] = /^(\w+): (.*)$/.exec(reasonOf(error)) ?? [];
    if (key === undefined) throw new StartError(reasonOf(error));
    // A refused address is in its own message already; convict adds the whole list once more.
    const text = key === 'listen' ? rest?.replace(/: value was \[.*$/, '') : rest;
    throw new StartError(`${labelOf(key, options)}: ${text}`);
  }
  const values = config.getProperties();
  const { listen, certificate, privateKey, root, stateDir, ...rest } = values;
  if ((certificate === '') !== (privateKey === '')) {
    throw new StartError('--certificate and --private-key must be given together');
  }
  return {
    ...rest,
    root: resolve(String(root)),
    stateDir: resolve(String(stateDir)),
    listeners: (listen as string[]).map(parseListenAddress),
    files:
      certificate === ''
        ? undefined
        : { certificate: resolve(String(certificate)), privateKey: resolve(String(privateKey)) },
  } as Configuration;
}
