// SPDX-License-Identifier: Apache-2.0
// What the engine is to serve: the configuration's routes with the header fields that every response
// has, and the identity of the build, which validators and responses carry. A participant of a reload;
// follows the directories when an update replaces them. Called by daemon.ts.

import { systemClock } from './certificates/clock.js';
import type { Configuration } from './config/configuration.js';
import type { RouteSettings } from './config/routes.js';
import type { Engine, RouteOptions, SiteOptions } from './engine/native.js';
import type { Timers } from './file-watch.js';
import type { Log } from './log.js';
import type { Participant } from './reload.js';
import { reasonOf } from './start-error.js';
import { buildOf, WebRootWatch } from './web-root.js';

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
/** A year (RFC 6797 6.1.1); without subdomains, which may be other devices. */
const strictTransport = 'max-age=31536000';

/** The lines of a route: defaults, replaced or left out by its own. */
export function fieldsOf(own: readonly string[], isTrusted: boolean, build = ''): string[] {
  const fields = new Map<string, string>();
  const set = (name: string, value: string): void => {
    if (value === '') fields.delete(name.toLowerCase());
    else fields.set(name.toLowerCase(), `${name}: ${value}`);
  };
  for (const [name, value] of Object.entries(secureFields)) set(name, value);
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
  to: '',
  keep_path: false,
  status: 200,
  content_type: '',
  body: '',
  headers: [],
  require_client_certificate: false,
};

/** What no other route takes goes to this upstream: of the library. */
export const catchAll = (upstream: string): RouteSettings => ({
  ...wholeRoot,
  action: 'proxy',
  upstream,
});

export interface SiteParts {
  configuration: Configuration;
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

export function siteOf({ configuration, isTrusted }: SiteParts): SiteOptions {
  const settings = settingsOf(configuration);
  const directories = directoriesOf(settings);
  const build = buildOf(rootsOf(configuration));
  const optionsOf = (route: RouteSettings): RouteOptions => ({
    host: route.host,
    path: route.path,
    methods: route.methods,
    action: route.action,
    clientCertificate: route.require_client_certificate,
    fields: fieldsOf(route.headers, isTrusted, build),
    directory: directories.indexOf(route.root) + 1,
    mounted: route.root !== '',
    index: route.index,
    fallback: route.fallback,
    notFound: route.not_found,
    cacheControl: route.cache === 'auto' ? '' : route.cache,
    immutable: route.immutable,
    variants: route.precompressed,
    status: route.status,
    location: route.to,
    keepPath: route.keep_path,
    contentType: route.content_type,
    body: route.body,
  });
  return { build, directories, routes: settings.map(optionsOf) };
}

export interface SiteServingParts {
  engine: Engine;
  site: SiteParts;
  log: Log;
  clock?: Timers;
}

/**
 * Gives the engine its routes: at a reload, when the trust in the certificate changes, and when an
 * update puts another directory in the place of one that is served.
 */
export class SiteServing {
  readonly #engine: Engine;
  readonly #log: Log;
  readonly #watch: WebRootWatch;
  #parts: SiteParts;
  #onBuild: (build: string) => void = () => {};

  constructor({ engine, site, log, clock = systemClock }: SiteServingParts) {
    this.#engine = engine;
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
  onBuild(listener: (build: string) => void): void {
    this.#onBuild = listener;
  }

  trustChanged(isTrusted: boolean): void {
    if (isTrusted !== this.#parts.isTrusted) this.#use({ ...this.#parts, isTrusted });
  }

  /** The path of the root stays what it is until a restart; what it leads to is looked at again. */
  participant(): Participant {
    return {
      prepare: ({ configuration: { routes } }) => {
        const before = this.#parts;
        const configuration = { ...before.configuration, routes };
        return {
          commit: () => this.#use({ configuration, isTrusted: this.#parts.isTrusted }),
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
    this.#onBuild(build);
  }

  #use(parts: SiteParts): void {
    this.#watch.watch(rootsOf(parts.configuration)); // First: a switch in between is a change.
    try {
      this.#engine.replaceSite(siteOf(parts));
      this.#parts = parts;
    } finally {
      if (this.#parts !== parts) this.#watch.watch(rootsOf(this.#parts.configuration));
    }
  }
}
