// SPDX-License-Identifier: Apache-2.0
// The configuration: default < file < drop-ins < SPLICED_* variable < option, judged by convict
// against the schema. Every assignment is judged, also one that a later layer overrides, and all
// errors are told at once. Called by the commands, and by the daemon for a reload; everything else
// receives the finished, checked value.

import './formats.js';
import { resolve } from 'node:path';
import convict from 'convict';
import { reasonOf, StartError } from '../start-error.js';
import { type ListenAddress, parseListenAddress } from './address.js';
import { type EnrolmentSettings, enrolmentOf, judgeEnrolment } from './enrolment.js';
import {
  type Assignment,
  type CommandOptions,
  inOrder,
  type Layers,
  labelOf,
  type Origin,
  originText,
  type Problem,
  readLayers,
  routeTable,
} from './layers.js';
import {
  judgeRoute,
  type RouteSettings,
  routeDirectoriesMax,
  routeIdentity,
  routeOf,
  routeSchema,
  routesMax,
} from './routes.js';
import { type Setting, type SettingTable, schema, settingsOf } from './schema.js';

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
  /** Undefined: clients are not asked for a certificate. */
  clientCertificates: ClientCertificateFiles | undefined;
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

export interface InstalledPair {
  certificate: string;
  privateKey: string;
  /** The key of the setting that named it. */
  setting: string;
}

/** A setting with the value that counts, and where that came from. */
export interface Effective {
  key: string;
  value: unknown;
  origin: Origin;
  setting: Setting;
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
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }

  override lines(): readonly string[] {
    return this.problems;
  }
}

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function typeName(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (value instanceof Date) return 'date';
  return typeof value === 'object' ? 'table' : typeof value;
}

function oneOf(words: readonly unknown[]): string {
  return `one of ${words.map((word) => JSON.stringify(word)).join(', ')}`;
}

/** convict's reason with the value as the user wrote it, unless that is a secret. */
function refusalText(error: unknown, { key, value }: Assignment, setting: Setting): string {
  const { format, sensitive } = setting;
  if (Array.isArray(format) && !sensitive) {
    return `must be ${oneOf(format)}; it is ${JSON.stringify(value)}`;
  }
  const text = reasonOf(error)
    .replace(`${key}: `, '')
    .replace(/: value was .*$/, '');
  // A refused address is in its own message already.
  const isShown = !sensitive && !Array.isArray(setting.default);
  return isShown
    ? `${text}; it is ${typeof value === 'number' ? value : JSON.stringify(value)}`
    : text;
}

/** TOML has types, and a number in quotes is a slip; the other layers have text alone. */
function wrongType({ key, value, origin }: Assignment, setting: Setting): string | undefined {
  if (origin.kind !== 'file') return undefined;
  const wanted = typeName(setting.default);
  const isText = Array.isArray(value) && value.every((item) => typeof item === 'string');
  if (typeName(value) === wanted && (wanted !== 'array' || isText)) return undefined;
  const example = {
    array: `an array of strings, such as ${JSON.stringify(setting.example ?? setting.default)}`,
    boolean: 'true or false, without quotes',
    number: `a whole number from ${setting.min} to ${setting.max}, without quotes`,
    string: Array.isArray(setting.format) ? oneOf(setting.format) : 'a string in quotes',
  }[wanted as 'array' | 'boolean' | 'number' | 'string'];
  const found = wanted === typeName(value) ? 'an array of something else' : `a ${typeName(value)}`;
  return `${labelOf(key, origin)}: must be ${example}; it is ${found.replace('a array', 'an array')}`;
}

/**
 * Sets one value after the other and lets convict judge each alone, so that an error belongs to the
 * layer that brought it; a refused value leaves the one before it. Adds to the layers' problems.
 */
function judge(
  table: SettingTable,
  layers: Pick<Layers, 'assignments' | 'problems'>,
  prefix = '',
): Map<string, Effective> {
  const known = settingsOf(table);
  // The literal types of `as const` say more than convict's own types can take in.
  const config = convict(table as unknown as convict.Schema<Record<string, unknown>>, {
    env: {},
    args: [],
  });
  const settings = new Map<string, Effective>();
  for (const [key, setting] of known) {
    settings.set(key, { key, value: config.get(key), origin: { kind: 'default' }, setting });
  }
  const { problems } = layers;
  for (const assignment of layers.assignments) {
    const { key, value, origin } = assignment;
    const before = settings.get(key);
    if (before === undefined) throw new Error(`no layer may assign the unknown key ${key}`);
    const refusal = wrongType({ ...assignment, key: `${prefix}${key}` }, before.setting);
    if (refusal !== undefined) {
      problems.push({ text: refusal, origin });
      continue;
    }
    config.set(key, value);
    try {
      config.validate({ allowed: 'strict' });
      settings.set(key, { ...before, value: config.get(key), origin });
    } catch (error) {
      const text = refusalText(error, assignment, before.setting);
      problems.push({ text: `${labelOf(`${prefix}${key}`, origin)}: ${text}`, origin });
      config.set(key, before.value);
    }
  }
  return settings;
}

/** Lists and rules mean nothing where no client is asked. */
function judgeClients(settings: ReadonlyMap<string, Effective>, problems: Problem[]): void {
  if (settings.get('client_certificates.ca')?.value !== '') return;
  for (const name of ['crl', 'require']) {
    const given = settings.get(`client_certificates.${name}`);
    if (given === undefined || String(given.value) === '') continue;
    const text = `${labelOf(given.key, given.origin)}: needs client_certificates.ca as well`;
    problems.push({ text, origin: given.origin });
  }
}

/** What no setting can know alone. */
function judgeTogether(settings: ReadonlyMap<string, Effective>, layers: Layers): void {
  const isSet = (key: string): boolean => {
    const found = settings.get(key);
    return found !== undefined && !isSame(found.value, found.setting.default);
  };
  const originOf = (key: string): Origin => settings.get(key)?.origin ?? { kind: 'default' };
  const refuse = (key: string, text: string): void => {
    const origin = originOf(key);
    layers.problems.push({ text: `${labelOf(key, origin)}: ${text}`, origin });
  };
  const warn = (key: string, text: string): void => {
    layers.warnings.push(`${labelOf(key, originOf(key))}: ${text}`);
  };
  const [certificate, privateKey] = ['tls.certificate', 'tls.private_key'];
  if (isSet(certificate) !== isSet(privateKey)) {
    const [given, missing] = isSet(certificate)
      ? [certificate, privateKey]
      : [privateKey, certificate];
    const { env, option } = settings.get(missing)?.setting ?? {};
    refuse(given, `must be given together with ${missing} (--${option}, ${env})`);
  }
  if (isSet('tls.more_certificates') && !isSet(certificate) && !isSet(privateKey)) {
    refuse('tls.more_certificates', `needs ${certificate}, which clients without a name get`);
  }
  judgeEnrolment({ isSet, value: (key) => settings.get(key)?.value, refuse, warn });
}

/** Every [[route]], each judged like the settings, and then all beside each other. */
function judgeRoutes(layers: Layers, settings: ReadonlyMap<string, Effective>): RouteSettings[] {
  const { problems } = layers;
  const hasClientAuthorities = settings.get('client_certificates.ca')?.value !== '';
  const seen = new Map<string, Origin>();
  const routes: RouteSettings[] = [];
  for (const { origin, assignments } of layers.routes) {
    const found = judge(routeSchema, { assignments, problems }, `${routeTable}.`);
    const value = (key: string): unknown => found.get(key)?.value;
    const isSet = (key: string): boolean => found.get(key)?.origin.kind === 'file';
    const refuse = (key: string, text: string): void => {
      const place = isSet(key) ? (found.get(key)?.origin ?? origin) : origin;
      problems.push({ text: `${labelOf(`${routeTable}.${key}`, place)}: ${text}`, origin: place });
    };
    judgeRoute({ value, isSet, refuse, hasClientAuthorities });
    const route = routeOf(value);
    const identity = routeIdentity(route);
    const before = seen.get(identity);
    if (before === undefined) seen.set(identity, origin);
    else refuse('path', `there is such a route in ${originText(before)} already`);
    routes.push(route);
  }
  const last = layers.routes.at(-1)?.origin;
  const refuseAll = (text: string): void => {
    if (last !== undefined) {
      problems.push({ text: `${labelOf(routeTable, last)}: ${text}`, origin: last });
    }
  };
  if (routes.length > routesMax) refuseAll(`there are more than ${routesMax} routes`);
  const roots = new Set(routes.map(({ root }) => root).filter(Boolean));
  if (roots.size > routeDirectoriesMax) {
    refuseAll(`the routes have more than ${routeDirectoriesMax} directories`);
  }
  return routes;
}

const routesSetting: Setting = {
  doc: 'The routes, as tables [[route]].',
  format: 'routes',
  default: [],
  env: '',
  isLive: true,
};

const credentialPrefix = 'credential:';

/** An absolute path; a credential is none. */
const fileOf = (value: string): string =>
  value.startsWith(credentialPrefix) ? value : resolve(value);

function installedOf(setTo: (key: string) => unknown): InstalledPair[] {
  const pairs: InstalledPair[] = [];
  const add = (setting: string, certificate: string, privateKey: string): void => {
    pairs.push({ certificate: fileOf(certificate), privateKey: fileOf(privateKey), setting });
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
): Configuration {
  const setTo = (key: string): unknown => settings.get(key)?.value;
  const pathOf = (key: string): string => resolve(String(setTo(key)));
  const numberOf = (key: string): number => Number(setTo(key));
  const addressesOf = (key: string) => (setTo(key) as string[]).map(parseListenAddress);
  const hasClients = setTo('client_certificates.ca') !== '';
  const hasLists = setTo('client_certificates.crl') !== '';
  return {
    root: pathOf('root'),
    routes,
    listeners: addressesOf('listen'),
    httpListeners: addressesOf('listen_http'),
    stateDir: pathOf('state_dir'),
    installed: installedOf(setTo),
    enrolment: enrolmentOf(setTo, fileOf),
    clientCertificates: hasClients
      ? {
          ca: pathOf('client_certificates.ca'),
          crl: hasLists ? pathOf('client_certificates.crl') : undefined,
          require: setTo('client_certificates.require') as string[],
        }
      : undefined,
    tlsOffload: setTo('tls.offload') as Configuration['tlsOffload'],
    ring: setTo('ring') as Configuration['ring'],
    logLevel: String(setTo('log.level')),
    connectionsMax: numberOf('limits.connections_max'),
    pendingWindowBytes: numberOf('limits.pending_window_bytes'),
    handshakeTimeoutMs: numberOf('timeouts.handshake_ms'),
    headTimeoutMs: numberOf('timeouts.head_ms'),
    idleTimeoutMs: numberOf('timeouts.idle_ms'),
    stallTimeoutMs: numberOf('timeouts.stall_ms'),
    drainTimeoutMs: numberOf('timeouts.drain_ms'),
    lingerTimeoutMs: numberOf('timeouts.linger_ms'),
    stopTimeoutMs: numberOf('timeouts.stop_ms'),
  };
}

/** Where to look, when it is not as the process was started: for tests. */
export interface LoadSources {
  env?: NodeJS.ProcessEnv;
  /** In place of /etc/spliced/spliced.toml. */
  defaultPath?: string;
  schema?: SettingTable;
}

/** Reads and checks every layer. Throws ConfigurationError with all that is wrong. */
export function loadConfiguration(
  options: CommandOptions,
  sources: LoadSources = {},
): LoadedConfiguration {
  const { env = process.env, defaultPath, schema: table = schema } = sources;
  const layers = readLayers(settingsOf(table), options, env, defaultPath);
  const settings = judge(table, layers);
  judgeTogether(settings, layers);
  judgeClients(settings, layers.problems);
  const routes = judgeRoutes(layers, settings);
  if (routes.length > 0) {
    const origin = layers.routes[0]?.origin ?? { kind: 'default' };
    settings.set(routeTable, { key: routeTable, value: routes, origin, setting: routesSetting });
  }
  if (layers.problems.length > 0) throw new ConfigurationError(inOrder(layers));
  return {
    configuration: configurationOf(settings, routes),
    settings,
    files: layers.files,
    warnings: layers.warnings,
  };
}

/**
 * The place of the setting that a later refusal names as "--option: ..." or "key: ...", in the same
 * words.
 */
export function placeRefusal(message: string, loaded: LoadedConfiguration): string {
  const [, name, rest] = /^(--[\w-]+|[\w.]+): (.*)$/s.exec(message) ?? [];
  if (name === undefined) return message;
  for (const { key, origin, setting } of loaded.settings.values()) {
    const isNamed = name === key || name === `--${setting.option}`;
    if (isNamed && origin.kind !== 'default') return `${labelOf(key, origin)}: ${rest}`;
  }
  return message;
}
