// SPDX-License-Identifier: Apache-2.0
// What an engine is told of the site: the routes, their directories and header fields. Part of native.ts's
// description of the addon.

/** native/http/routes.hpp says what each is for. */
export interface RouteOptions {
  /** Lower case; empty: any. */
  host: string;
  path: string;
  /** Empty: what the action is for. */
  methods: string[];
  action: 'static' | 'redirect' | 'respond' | 'proxy';
  clientCertificate: boolean;
  /** "Name: value" of every response. */
  fields: string[];
  /** 0: the root, else one more than the index in SiteOptions.directories. */
  directory: number;
  mounted: boolean;
  index: string;
  fallback: string;
  notFound: string;
  /** Empty: by the file's name. */
  cacheControl: string;
  immutable: string[];
  variants: boolean;
  /** Not for clients: its files are what a backend hands over. Needs a directory of its own. */
  internal: boolean;
  /** Path prefixes of the internal routes that this one's backend may name. */
  accelerate: string[];
  /** As `upstream`: who is asked first; empty: nobody. */
  authorize: string;
  authorizePath: string;
  /** Names of fields of the answer that go to the backend. */
  authorizeFields: string[];
  authorizeTimeoutMs: number;
  /** How long an answer that lets a request pass is remembered; 0: it is not. */
  authorizeRememberMs: number;
  /** Who brings a bearer token is not asked about: the backend judges it. */
  authorizeSparesTokens: boolean;
  /** Where nobody answers the request goes on, and what it goes to judges by itself. */
  authorizeFallsBack: boolean;
  /** Of one connection; 0: no bound. */
  rateMaxBytesPerS: number;
  status: number;
  location: string;
  keepPath: boolean;
  contentType: string;
  body: string;
  /** "unix:/path" or "tcp:address:port"; empty where the action is not proxy. */
  upstream: string;
  connectTimeoutMs: number;
  responseTimeoutMs: number;
  streamTimeoutMs: number;
}

export interface SiteOptions {
  /** Of the validators: letters and digits, at most 32; empty: none. */
  build: string;
  directories: string[];
  routes: RouteOptions[];
  /** The service's own, below "/.spliced/", where `routes` have no say. */
  own: RouteOptions[];
}
