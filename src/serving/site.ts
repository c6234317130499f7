// SPDX-License-Identifier: Apache-2.0
// What the engine is to serve: the configuration's routes with the header fields that every response
// has, the service's own (the operators' API and page), and the identity of the build, which validators
// and responses carry. A participant of a reload; follows the directories when an update replaces them.
// Called by daemon.ts.

import { join, resolve } from 'node:path';
import { reasonOf } from '../base/start-error.js';
import { systemClock } from '../certificates/clock.js';
import type { ApiAuthorize } from '../config/api.js';
import type { Configuration } from '../config/configuration.js';
import type { RouteSettings } from '../config/routes.js';
import type { RouteOptions, Service, SiteOptions } from '../engine/native.js';
import type { Timers } from '../files/file-watch.js';
import type { Log } from '../log/log.js';
import { uiFields, uiPath } from '../site/ui-directory.js';
import { buildOf, WebRootWatch } from '../site/web-root.js';
import type { Participant } from './reload.js';

/** Of every response, unless its route says otherwise. X-Content-Type-Options is the engine's. */
const secureFields: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; " +
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'",
  'X-Frame-Options': 'SAMEORIGIN',
  'Referrer-Policy': 'same-origin',
};
/** Which build an answer is from, so that a page learns that there is another. */
const buildField = 'Spliced-Build';
const apiPath = '/.spliced/api';
/** What an application that was asked says of who it is: api/application.ts. */
const applicationFields = ['Spliced-Role', 'Spliced-User'];
/** A year (RFC 6797 6.1.1); without subdomains, which may be other devices. */
const strictTransport = 'max-age=31536000';

/**
 * The lines of a route: defaults, replaced or left out by its own. What an application answers has its
 * own rules of what a page may do; ours would break it.
 */
export function fieldsOf(
  own: readonly string[],
  isTrusted: boolean,
  build = '',
  isProxied = false,
): string[] {
  const fields = new Map<string, string>();
  const set = (name: string, value: string): void => {
    if (value === '') fields.delete(name.toLowerCase());
    else fields.set(name.toLowerCase(), `${name}: ${value}`);
  };
  if (!isProxied) for (const [name, value] of Object.entries(secureFields)) set(name, value);
  // A browser that has accepted a certificate by hand could never get past it again.
  if (isTrusted) set('Strict-Transport-Security', strictTransport);
  set(buildField, build);
  for (const line of own) {
    const colon = line.indexOf(':');
    set(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
  }
  return [...fields.values()];
}

const wholeRoot: RouteSettings = {
  path: '/',
  root: '',
  host: '',
  methods: [],
  action: 'static',
  index: 'index.html',
  fallback: '',
  not_found: '',
  cache: 'auto',
  immutable: [],
  precompressed: true,
  internal: false,
  to: '',
  keep_path: false,
  status: 200,
  content_type: '',
  body: '',
  upstream: '',
  connect_timeout_ms: 5_000,
  response_timeout_ms: 60_000,
  stream_timeout_ms: 3_600_000,
  accelerate: [],
  authorize: '',
  authorize_path: '',
  authorize_fields: [],
  authorize_timeout_ms: 5_000,
  authorize_remember_ms: 0,
  rate_max_bytes_per_s: 0,
  headers: [],
  require_client_certificate: false,
};

/** The operators' API, for clients from the network: docs/API.md. An application may be asked first. */
const apiRoute = (runDir: string, asked: ApiAuthorize): RouteSettings => ({
  ...wholeRoot,
  ...asked,
  authorize_fields: [...applicationFields],
  path: apiPath,
  action: 'proxy',
  upstream: `unix:${join(resolve(runDir), 'proxy.sock')}`,
});

/** The operators' page: docs/UI.md. */
const pageRoute = (directory: string, asked: ApiAuthorize): RouteSettings => ({
  ...wholeRoot,
  ...asked,
  path: uiPath,
  root: directory,
  immutable: ['/assets'],
  headers: [...uiFields],
});

/** What no other route takes goes to this upstream: of the library. */
export const catchAll = (upstream: string, routes: readonly RouteSettings[]): RouteSettings => ({
  ...wholeRoot,
  action: 'proxy',
  upstream,
  accelerate: routes.filter(({ internal }) => internal).map(({ path }) => path),
});

export interface SiteParts {
  configuration: Configuration;
  /** The service's own routes, beneath /.spliced/. None: the library has no operators. */
  own?: (configuration: Configuration) => RouteSettings[];
  /** Whether clients trust the certificate without having been told to. */
  isTrusted: boolean;
}

const settingsOf = ({ routes }: Configuration): readonly RouteSettings[] =>
  routes.length > 0 ? routes : [wholeRoot];

/** Of routes that have one of their own. */
const directoriesOf = (settings: readonly RouteSettings[]): string[] => [
  ...new Set(settings.map((route) => route.root).filter(Boolean)),
];

/** Every directory that is served, the server's own root first. */
const rootsOf = (configuration: Configuration): string[] => [
  configuration.root,
  ...directoriesOf(settingsOf(configuration)),
];

/**
 * For SiteParts.own. `runDir`: where the API's sockets are. `uiDirectory`: of ui-directory.ts; undefined
 * where the image leaves it out.
 */
export const operatorRoutes =
  (runDir: string, uiDirectory: string | undefined) =>
  ({ uiEnabled, apiAuthorize: asked }: Configuration): RouteSettings[] =>
    uiEnabled && uiDirectory !== undefined
      ? [apiRoute(runDir, asked), pageRoute(uiDirectory, asked)]
      : [apiRoute(runDir, asked)];

export function siteOf({ configuration, own: ownOf, isTrusted }: SiteParts): SiteOptions {
  const settings = settingsOf(configuration);
  const own = ownOf?.(configuration) ?? [];
  const directories = directoriesOf([...settings, ...own]);
  // With the page's own: images may give all files the same times, and it must not pass for the old.
  const pages = directoriesOf(own);
  const build = buildOf(rootsOf(configuration)) + (pages.length === 0 ? '' : buildOf(pages));
  const optionsOf = (route: RouteSettings): RouteOptions => ({
    host: route.host,
    path: route.path,
    methods: route.methods,
    action: route.action,
    clientCertificate: route.require_client_certificate,
    fields: fieldsOf(route.headers, isTrusted, build, route.action === 'proxy'),
    directory: directories.indexOf(route.root) + 1,
    mounted: route.root !== '',
    index: route.index,
    fallback: route.fallback,
    notFound: route.not_found,
    cacheControl: route.cache === 'auto' ? '' : route.cache,
    immutable: route.immutable,
    variants: route.precompressed,
    internal: route.internal,
    accelerate: route.accelerate,
    authorize: route.authorize,
    authorizePath: route.authorize_path,
    authorizeFields: route.authorize_fields,
    authorizeTimeoutMs: route.authorize_timeout_ms,
    authorizeRememberMs: route.authorize_remember_ms,
    // The service's own API alone judges tokens.
    authorizeSparesTokens: route.path === apiPath,
    // Both guard themselves, and an operator must see what is wrong with the application.
    authorizeFallsBack: route.path === apiPath || route.path === uiPath,
    rateMaxBytesPerS: route.rate_max_bytes_per_s,
    status: route.status,
    location: route.to,
    keepPath: route.keep_path,
    contentType: route.content_type,
    body: route.body,
    upstream: route.upstream,
    connectTimeoutMs: route.connect_timeout_ms,
    responseTimeoutMs: route.response_timeout_ms,
    streamTimeoutMs: route.stream_timeout_ms,
  });
  return { build, directories, routes: settings.map(optionsOf), own: own.map(optionsOf) };
}

export interface SiteServingParts {
  service: Service;
  site: SiteParts;
  log: Log;
  clock?: Timers;
}

/**
 * Gives the engine its routes: at a reload, when the trust in the certificate changes, and when an
 * update puts another directory in the place of one that is served.
 */
export class SiteServing {
  readonly #service: Service;
  readonly #log: Log;
  readonly #watch: WebRootWatch;
  #parts: SiteParts;
  #build = '';
  #onBuild: () => void = () => {};

  constructor({ service, site, log, clock = systemClock }: SiteServingParts) {
    this.#service = service;
    this.#log = log;
    this.#parts = site;
    this.#watch = new WebRootWatch(clock, (build) => this.#rootChanged(build));
  }

  /** Follows the directories from now on. The answer ends that. */
  start(): () => void {
    this.#use(this.#parts); // Whatever happened since the engine was made.
    return () => this.#watch.close();
  }

  /** Names who is told that another build is served. */
  onBuild(listener: () => void): void {
    this.#onBuild = listener;
  }

  /** Identity of what is served; empty: it has none. */
  get build(): string {
    return this.#build;
  }

  trustChanged(isTrusted: boolean): void {
    if (isTrusted !== this.#parts.isTrusted) this.#use({ ...this.#parts, isTrusted });
  }

  /** The path of the root stays what it is until a restart; what it leads to is looked at again. */
  participant(): Participant {
    return {
      prepare: ({ configuration: { routes, uiEnabled, apiAuthorize } }) => {
        const before = this.#parts;
        const changed = { routes, uiEnabled, apiAuthorize };
        const configuration = { ...before.configuration, ...changed };
        return {
          commit: () => this.#use({ ...this.#parts, configuration }),
          rollBack: () => this.#use(before),
        };
      },
    };
  }

  #rootChanged(build: string): void {
    try {
      this.#use(this.#parts);
    } catch (error) {
      // A link that leads nowhere yet: what was served is served on, and the watch sees the next turn.
      this.#log.warn({ event: 'web_root_not_switched', reason: reasonOf(error) });
      return;
    }
    this.#log.info({ event: 'web_root_switched', build });
  }

  #use(parts: SiteParts): void {
    this.#watch.watch(rootsOf(parts.configuration)); // First: a switch in between is a change.
    try {
      const site = siteOf(parts);
      this.#service.replaceSite(site);
      this.#parts = parts;
      const isAnother = site.build !== this.#build;
      this.#build = site.build;
      if (isAnother) this.#onBuild();
    } finally {
      if (this.#parts !== parts) this.#watch.watch(rootsOf(this.#parts.configuration));
    }
  }
}
