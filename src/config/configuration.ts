// SPDX-License-Identifier: Apache-2.0
// The configuration: default < file < drop-ins < SPLICED_* variable < option, judged by convict
// against the schema. Every assignment is judged, also one that a later layer overrides, and all
// errors are told at once. Called by the commands, and by the daemon for a reload; everything else
// receives the finished, checked value.

import './formats.js';
import { resolve } from 'node:path';
import { StartError } from '../base/start-error.js';
import { isKeyReference, type TokenKey } from '../tls/token-key.js';
import {
  findConflict,
  formatListenAddress,
  type ListenAddress,
  parseListenAddress,
  withoutCovered,
} from './address.js';
import { type ApiAuthorize, apiAuthorizeOf, judgeApi } from './api.js';
import { type EnrolmentSettings, enrolmentOf, judgeEnrolment } from './enrolment.js';
import { type Effective, judge } from './judge.js';
import {
  type CommandOptions,
  inOrder,
  type Layers,
  labelOf,
  layersOfText,
  type Origin,
  type Problem,
  readLayers,
  routeTable,
} from './layers.js';
import { isOwnKey, judgeOwnKeys, madeKeyOf, ownKeys, tokenKeyOf } from './own-keys.js';
import { judgeRoutes } from './route-tables.js';
import type { RouteSettings } from './routes.js';
import { schema, settingsOf } from './schema.js';
import type { Setting, SettingTable } from './setting.js';
import { judgeUpdate, type UpdateSettings, updateOf } from './update.js';

export type { Effective } from './judge.js';
export type { CommandOptions } from './layers.js';

export interface ClientCertificateFiles {
  ca: string;
  crl: string | undefined;
  /** Path prefixes; empty: needed nowhere. */
  require: string[];
}

export interface Configuration {
  root: string;
  /** None: all files of `root`. */
  routes: RouteSettings[];
  listeners: ListenAddress[];
  /** Of plain HTTP; none: it is not answered. */
  httpListeners: ListenAddress[];
  stateDir: string;
  /** The default first. Absolute paths or `credential:NAME`. */
  installed: InstalledPair[];
  enrolment: EnrolmentSettings | undefined;
  /** Of the certificates that the device gets by itself; undefined: their keys are files. */
  tokenKey: TokenKey | undefined;
  /** Of the device's authority; undefined: its key is a file. */
  authorityKey: TokenKey | undefined;
  /** Undefined: clients are not asked for a certificate. */
  clientCertificates: ClientCertificateFiles | undefined;
  /** Who may use the API over the network: subjects (RFC 4514) or fingerprints. */
  apiClientCertificates: string[];
  /** Who is asked before the page and the API. */
  apiAuthorize: ApiAuthorize;
  /** An absolute path or `credential:NAME`; empty: none. */
  apiClaimCodeFile: string;
  update: UpdateSettings;
  /** The operators' page at /.spliced/ui/. */
  uiEnabled: boolean;
  /** Of the key exchange, in the order of preference. */
  tlsGroups: string[];
  protocols: string[];
  tlsOffload: 'auto' | 'off';
  ring: 'auto' | 'epoll';
  engines: number | 'auto';
  logLevel: string;
  logFormat: 'auto' | 'json' | 'text';
  connectionsMax: number;
  pendingWindowBytes: number;
  connectionsPerAddressMax: number;
  handshakesMax: number;
  requestsPerConnectionMax: number;
  streamsMax: number;
  headBytesMax: number;
  targetBytesMax: number;
  headerFieldsMax: number;
  upstreamHeadBytesMax: number;
  discardedBodyBytesMax: number;
  sendRateMinBytesPerS: number;
  handshakeTimeoutMs: number;
  headTimeoutMs: number;
  requestTimeoutMs: number;
  idleTimeoutMs: number;
  stallTimeoutMs: number;
  drainTimeoutMs: number;
  lingerTimeoutMs: number;
  stopTimeoutMs: number;
}

export interface InstalledPair {
  certificate: string;
  privateKey: string;
  /** The key of the setting that named it. */
  setting: string;
}

export interface LoadedConfiguration {
  configuration: Configuration;
  /** By key, in the order of the schema. */
  settings: ReadonlyMap<string, Effective>;
  /** The files that were read, in order. */
  files: string[];
  warnings: string[];
}

/** Wrong configuration: every finding as a line of its own that names the place. */
export class ConfigurationError extends StartError {
  override readonly name = 'ConfigurationError';
  readonly findings: readonly Problem[];
  readonly problems: readonly string[];

  constructor(findings: readonly Problem[]) {
    const problems = findings.map(({ text }) => text);
    super(problems.join('\n'));
    this.findings = findings;
    this.problems = problems;
  }

  override lines(): readonly string[] {
    return this.problems;
  }
}

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Lists and rules mean nothing where no client is asked. */
function judgeClients(settings: ReadonlyMap<string, Effective>, problems: Problem[]): void {
  if (settings.get('client_certificates.ca')?.value !== '') return;
  for (const name of ['crl', 'require']) {
    const given = settings.get(`client_certificates.${name}`);
    if (given === undefined || String(given.value) === '') continue;
    const text = `${labelOf(given.key, given.origin)}: needs client_certificates.ca as well`;
    problems.push({ text, origin: given.origin, key: given.key });
  }
}

/** HTTPS and plain HTTP cannot have one place. Lists that are wrong by themselves are said already. */
function judgePlaces(
  value: (key: string) => unknown,
  refuse: (key: string, text: string) => void,
): void {
  const addressesOf = (key: string): ListenAddress[] =>
    ((value(key) as string[] | undefined) ?? []).flatMap((text) => {
      try {
        return [parseListenAddress(text)];
      } catch {
        return [];
      }
    });
  const conflict = findConflict(addressesOf('listen'), addressesOf('listen_http'));
  if (conflict === undefined) return;
  const [https, http] = conflict.map(formatListenAddress);
  refuse('listen_http', `${http} conflicts with ${https} of listen; give it another port`);
}

/** What no setting can know alone. */
function judgeTogether(settings: ReadonlyMap<string, Effective>, layers: Layers): void {
  const isSet = (key: string): boolean => {
    const found = settings.get(key);
    return found !== undefined && !isSame(found.value, found.setting.default);
  };
  const value = (key: string): unknown => settings.get(key)?.value;
  const originOf = (key: string): Origin => settings.get(key)?.origin ?? { kind: 'default' };
  const refuse = (key: string, text: string): void => {
    const origin = originOf(key);
    layers.problems.push({ text: `${labelOf(key, origin)}: ${text}`, origin, key });
  };
  const warn = (key: string, text: string): void => {
    layers.warnings.push(`${labelOf(key, originOf(key))}: ${text}`);
  };
  const [certificate, privateKey] = ['tls.certificate', 'tls.private_key'];
  judgeOwnKeys({ isSet, value, refuse });
  if (isSet(certificate) !== isSet(privateKey) && !isOwnKey({ isSet, value })) {
    const [given, missing] = isSet(certificate)
      ? [certificate, privateKey]
      : [privateKey, certificate];
    const { env, option } = settings.get(missing)?.setting ?? {};
    refuse(given, `must be given together with ${missing} (--${option}, ${env})`);
  }
  const hasNone = !isSet(certificate) && (!isSet(privateKey) || isOwnKey({ isSet, value }));
  if (isSet('tls.more_certificates') && hasNone) {
    refuse(
      'tls.more_certificates',
      `needs ${certificate}, which clients get that send no name (SNI)`,
    );
  }
  const keys = [privateKey, 'tls.more_certificates', ...ownKeys];
  for (const key of [...keys, 'enrolment.client_private_key_file']) {
    if (!String(value(key)).includes('pin-value=')) continue;
    refuse(key, 'the PIN must be in a file of its own (mode 0600): pin-source=file:/path');
  }
  judgeApi({ isSet, refuse });
  judgePlaces(value, refuse);
  judgeEnrolment({ isSet, value, refuse, warn });
  judgeUpdate({ value, refuse, warn });
}

const routesSetting: Setting = {
  doc: 'The routes, as tables [[route]].',
  format: 'routes',
  default: [],
  env: '',
  isLive: true,
};

const credentialPrefix = 'credential:';

/** An absolute path; a credential or a reference to a key is none. */
const fileIn = (directory: string, value: string): string =>
  value.startsWith(credentialPrefix) || isKeyReference(value) ? value : resolve(directory, value);

function installedOf(
  setTo: (key: string) => unknown,
  directoryOf: (key: string) => string,
): InstalledPair[] {
  const pairs: InstalledPair[] = [];
  const add = (setting: string, certificate: string, privateKey: string): void => {
    const keySetting = setting === 'tls.certificate' ? 'tls.private_key' : setting;
    pairs.push({
      certificate: fileIn(directoryOf(setting), certificate),
      privateKey: fileIn(directoryOf(keySetting), privateKey),
      setting,
    });
  };
  const certificate = String(setTo('tls.certificate'));
  if (certificate !== '') add('tls.certificate', certificate, String(setTo('tls.private_key')));
  for (const pair of setTo('tls.more_certificates') as string[]) {
    const [chain = '', key = ''] = pair.split(',');
    add('tls.more_certificates', chain.trim(), key.trim());
  }
  return pairs;
}

function configurationOf(
  settings: ReadonlyMap<string, Effective>,
  routes: RouteSettings[],
  directory: string,
): Configuration {
  const setTo = (key: string): unknown => settings.get(key)?.value;
  // What is typed means the current directory, wherever the service works.
  const directoryOf = (key: string): string =>
    settings.get(key)?.origin.kind === 'option' ? process.cwd() : directory;
  const pathOf = (key: string): string => resolve(directoryOf(key), String(setTo(key)));
  const numberOf = (key: string): number => Number(setTo(key));
  const optionalFile = (key: string): string =>
    setTo(key) === '' ? '' : fileIn(directoryOf(key), String(setTo(key)));
  const addressesOf = (key: string) => (setTo(key) as string[]).map(parseListenAddress);
  const httpsIsDual = true; // As the engine binds "[::]"; plain-http/responder.ts does not.
  const hasClients = setTo('client_certificates.ca') !== '';
  return {
    root: pathOf('root'),
    routes,
    listeners: withoutCovered(addressesOf('listen'), httpsIsDual),
    httpListeners: withoutCovered(addressesOf('listen_http'), !httpsIsDual),
    stateDir: pathOf('state_dir'),
    installed: installedOf(setTo, directoryOf),
    tokenKey: tokenKeyOf(setTo),
    authorityKey: madeKeyOf(setTo, String(setTo('tls.authority_key'))),
    enrolment: enrolmentOf(
      setTo,
      (value) => fileIn(directory, value),
      (reference) => madeKeyOf(setTo, reference),
    ),
    clientCertificates: hasClients
      ? {
          ca: pathOf('client_certificates.ca'),
          crl: setTo('client_certificates.crl') ? pathOf('client_certificates.crl') : undefined,
          require: setTo('client_certificates.require') as string[],
        }
      : undefined,
    apiClientCertificates: setTo('api.client_certificates') as string[],
    apiAuthorize: apiAuthorizeOf(setTo),
    apiClaimCodeFile: optionalFile('api.claim_code_file'),
    update: updateOf(setTo, pathOf('state_dir'), directory),
    uiEnabled: setTo('ui.enabled') === true,
    tlsGroups: setTo('tls.groups') as string[],
    protocols: setTo('protocols') as string[],
    tlsOffload: setTo('tls.offload') as Configuration['tlsOffload'],
    ring: setTo('ring') as Configuration['ring'],
    engines: setTo('engines') as Configuration['engines'],
    logLevel: String(setTo('log.level')),
    logFormat: setTo('log.format') as Configuration['logFormat'],
    connectionsMax: numberOf('limits.connections_max'),
    pendingWindowBytes: numberOf('limits.pending_window_bytes'),
    connectionsPerAddressMax: numberOf('limits.connections_per_address_max'),
    handshakesMax: numberOf('limits.handshakes_max'),
    requestsPerConnectionMax: numberOf('limits.requests_per_connection_max'),
    streamsMax: numberOf('limits.streams_max'),
    headBytesMax: numberOf('limits.head_bytes_max'),
    targetBytesMax: numberOf('limits.target_bytes_max'),
    headerFieldsMax: numberOf('limits.header_fields_max'),
    upstreamHeadBytesMax: numberOf('limits.response_head_bytes_max'),
    discardedBodyBytesMax: numberOf('limits.discarded_body_bytes_max'),
    sendRateMinBytesPerS: numberOf('limits.send_rate_min_bytes_per_s'),
    handshakeTimeoutMs: numberOf('timeouts.handshake_ms'),
    headTimeoutMs: numberOf('timeouts.head_ms'),
    requestTimeoutMs: numberOf('timeouts.request_ms'),
    idleTimeoutMs: numberOf('timeouts.idle_ms'),
    stallTimeoutMs: numberOf('timeouts.stall_ms'),
    drainTimeoutMs: numberOf('timeouts.drain_ms'),
    lingerTimeoutMs: numberOf('timeouts.linger_ms'),
    stopTimeoutMs: numberOf('timeouts.stop_ms'),
  };
}

/** Where to look, when it is not as the process was started: for another process, and for tests. */
export interface LoadSources {
  env?: NodeJS.ProcessEnv;
  /** Relative paths begin there, but for those of options. */
  directory?: string;
  /** In place of /etc/spliced/spliced.toml. */
  defaultPath?: string;
  schema?: SettingTable;
}

/** Reads and checks every layer. Throws ConfigurationError with all that is wrong. */
export function loadConfiguration(
  options: CommandOptions,
  sources: LoadSources = {},
): LoadedConfiguration {
  const { env = process.env, defaultPath, schema: table = schema, directory } = sources;
  return judgeLayers(readLayers(settingsOf(table), options, env, defaultPath), table, directory);
}

/** The same for a text as the only file, which is called `path` in what is said of it. */
export function loadText(text: string, path: string): LoadedConfiguration {
  return judgeLayers(layersOfText({ path, text }, settingsOf(schema)), schema);
}

function judgeLayers(
  layers: Layers,
  table: SettingTable,
  directory = process.cwd(),
): LoadedConfiguration {
  const settings = judge(table, layers);
  judgeTogether(settings, layers);
  judgeClients(settings, layers.problems);
  const routes = judgeRoutes(layers, settings, directory);
  if (routes.length > 0) {
    const origin = layers.routes[0]?.origin ?? { kind: 'default' };
    settings.set(routeTable, { key: routeTable, value: routes, origin, setting: routesSetting });
  }
  if (layers.problems.length > 0) throw new ConfigurationError(inOrder(layers));
  return {
    configuration: configurationOf(settings, routes, directory),
    settings,
    files: layers.files,
    warnings: layers.warnings,
  };
}

/** The setting that a later refusal names as "--option: ..." or "key: ...", in a layer's words. */
export function findingOf(message: string, loaded: LoadedConfiguration): Problem {
  const [, name, rest] = /^(--[\w-]+|[\w.]+): (.*)$/s.exec(message) ?? [];
  if (name === undefined) return { text: message };
  for (const { key, origin, setting } of loaded.settings.values()) {
    const isNamed = name === key || name === `--${setting.option}`;
    if (isNamed && origin.kind !== 'default') {
      return { text: `${labelOf(key, origin)}: ${rest}`, origin, key };
    }
  }
  return { text: message };
}

export const placeRefusal = (message: string, loaded: LoadedConfiguration): string =>
  findingOf(message, loaded).text;
