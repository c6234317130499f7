// SPDX-License-Identifier: Apache-2.0
// What the engine is to serve: the configuration's routes with the header fields that every response
// has, and the identity of the build that the validators carry. A participant of a reload. Called by
// daemon.ts.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Configuration } from './config/configuration.js';
import type { RouteSettings } from './config/routes.js';
import type { Engine, RouteOptions, SiteOptions } from './engine/native.js';
import type { Participant } from './reload.js';

/** Of every response, unless its route says otherwise. X-Content-Type-Options is the engine's. */
const secureFields: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; " +
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'",
  'X-Frame-Options': 'SAMEORIGIN',
  'Referrer-Policy': 'same-origin',
};
/** A year (RFC 6797 6.1.1); without subdomains, which may be other devices. */
const strictTransport = 'max-age=31536000';

/** The lines of a route: defaults, replaced or left out by its own. */
export function fieldsOf(own: readonly string[], isTrusted: boolean): string[] {
  const fields = new Map<string, string>();
  const set = (name: string, value: string): void => {
    if (value === '') fields.delete(name.toLowerCase());
    else fields.set(name.toLowerCase(), `${name}: ${value}`);
  };
  for (const [name, value] of Object.entries(secureFields)) set(name, value);
  // A browser that has accepted a certificate by hand could never get past it again.
  if (isTrusted) set('Strict-Transport-Security', strictTransport);
  for (const line of own) {
    const colon = line.indexOf(':');
    set(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
  }
  return [...fields.values()];
}

const wholeRoot: Omit<RouteSettings, 'root'> = {
  path: '/',
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

const identityDigits = 12;
const tag = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, identityDigits);

/** What `spliced pack` has written, else what the image calls itself (os-release(5)), else nothing. */
export function buildOf(root: string, osRelease = '/etc/os-release'): string {
  try {
    const { build } = JSON.parse(readFileSync(join(root, '.spliced/manifest.json'), 'utf8'));
    if (typeof build === 'string' && build !== '') return tag(build);
  } catch {
    // Not packed.
  }
  try {
    const lines = readFileSync(osRelease, 'utf8').split('\n');
    const named = lines.filter((line) => /^(IMAGE_VERSION|BUILD_ID|VERSION_ID)=/.test(line));
    return named.length === 0 ? '' : tag(named.join('\n'));
  } catch {
    return '';
  }
}

export interface SiteParts {
  configuration: Configuration;
  /** Whether clients trust the certificate without having been told to. */
  isTrusted: boolean;
}

export function siteOf({ configuration, isTrusted }: SiteParts): SiteOptions {
  const { root, routes } = configuration;
  const settings = routes.length > 0 ? routes : [{ ...wholeRoot, root: '' }];
  const directories = [...new Set(settings.map((route) => route.root).filter(Boolean))];
  const optionsOf = (route: RouteSettings): RouteOptions => ({
    host: route.host,
    path: route.path,
    methods: route.methods,
    action: route.action,
    clientCertificate: route.require_client_certificate,
    fields: fieldsOf(route.headers, isTrusted),
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
  return { build: buildOf(root), directories, routes: settings.map(optionsOf) };
}

/** Gives the engine its routes: at a reload, and when the trust in the certificate changes. */
export class SiteServing {
  readonly #engine: Engine;
  #parts: SiteParts;

  constructor(engine: Engine, parts: SiteParts) {
    this.#engine = engine;
    this.#parts = parts;
  }

  trustChanged(isTrusted: boolean): void {
    if (isTrusted !== this.#parts.isTrusted) this.#use({ ...this.#parts, isTrusted });
  }

  /** The root stays what it is until a restart; its build is looked at again. */
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

  #use(parts: SiteParts): void {
    this.#engine.replaceSite(siteOf(parts));
    this.#parts = parts;
  }
}
