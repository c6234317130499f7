// SPDX-License-Identifier: Apache-2.0
// The settings of one `[[route]]` table, and what they become together. configuration.ts judges each
// like any other setting; here is what a route's keys must be beside each other. scripts/docs.mjs
// writes them into docs/CONFIGURATION.md.

import { resolve } from 'node:path';
import type { SettingTable } from './setting.js';

/** native/base/limits.hpp has room for these and for our own (site.ts). */
export const routesMax = 64;
export const routeDirectoriesMax = 15;
const upstreamTimeoutMsMax = 24 * 3_600_000;

const none = { env: '' } as const;

export const routeSchema = {
  path: {
    doc: 'The path of the route. It covers all paths below, in whole segments.',
    format: 'route path',
    default: '/',
    example: '/docs',
    ...none,
  },
  host: {
    doc: 'The host of the route, without a port; empty: every host.',
    format: 'text or nothing',
    default: '',
    example: 'device.example',
    ...none,
  },
  methods: {
    doc:
      'The methods of the route. Files are for GET and HEAD; a redirect is for every method; a ' +
      'proxy is for GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS.',
    format: 'methods',
    default: [],
    example: ['GET'],
    ...none,
  },
  action: {
    doc:
      '`static`: files. `redirect`: to another place. `respond`: always the same response. ' +
      '`proxy`: the response of an application on the device (docs/PROXY.md). When several ' +
      'routes match a request, a route with a host wins over one without, then the longest path, ' +
      'then the fewest methods. The order in the file does not matter.',
    format: ['static', 'redirect', 'respond', 'proxy'],
    default: 'static',
    ...none,
  },
  root: {
    doc:
      'static: the directory that is served at `path`. Without it, the files are those at `path` ' +
      "in the server's own `root`.",
    format: 'path or nothing',
    default: '',
    example: '/usr/share/doc/device',
    ...none,
  },
  index: {
    doc: 'static: the file that is sent for a directory; empty: none.',
    format: 'file name or nothing',
    default: 'index.html',
    ...none,
  },
  fallback: {
    doc:
      'static: the file that is sent in place of a missing one, for an application with pages of ' +
      'its own (SPA). It is never sent for a name with a known extension or a hash: a missing ' +
      'script is 404.',
    format: 'file name or nothing',
    default: '',
    example: 'index.html',
    ...none,
  },
  not_found: {
    doc: 'static: the page of a 404.',
    format: 'file name or nothing',
    default: '',
    example: '404.html',
    ...none,
  },
  cache: {
    doc:
      'static: the value of Cache-Control. `auto`: a year and immutable for names with a hash of ' +
      'the content, else `no-cache`, so that the client checks the validator at every use.',
    format: 'field value',
    default: 'auto',
    example: 'public, max-age=60',
    ...none,
  },
  immutable: {
    doc: 'static: paths below the directory where every name counts as having a hash.',
    format: 'path prefixes',
    default: [],
    example: ['/assets'],
    ...none,
  },
  precompressed: {
    doc: 'static: whether the siblings that `spliced pack` makes are sent.',
    format: 'true or false',
    default: true,
    ...none,
  },
  internal: {
    doc:
      'static: no client can request the route. Applications hand over its files ' +
      '(docs/HAND-OVER.md). It has a `root` of its own.',
    format: 'true or false',
    default: false,
    ...none,
  },
  to: {
    doc: 'redirect: the target, a URL or a path.',
    format: 'location or nothing',
    default: '',
    example: '/ui/',
    ...none,
  },
  keep_path: {
    doc: 'redirect: append what follows `path`, and the query, to `to`.',
    format: 'true or false',
    default: false,
    ...none,
  },
  status: {
    doc: 'redirect: 301, 302, 303, 307 or 308 (308 if unset). respond: 200 if unset.',
    format: 'whole number',
    default: 0,
    min: 0,
    max: 599,
    example: 302,
    ...none,
  },
  content_type: {
    doc: 'respond: the media type of `body`.',
    format: 'field value',
    default: 'text/plain; charset=utf-8',
    ...none,
  },
  body: {
    doc: 'respond: the body, at most 8 KiB.',
    format: 'body',
    default: '',
    example: 'ok',
    ...none,
  },
  upstream: {
    doc:
      'proxy: where the application listens: `unix:/PATH`, `tcp:ADDRESS:PORT` or ' +
      '`tcp:[ADDRESS]:PORT`, with a numeric address.',
    format: 'upstream or nothing',
    default: '',
    example: 'unix:/run/app/http.sock',
    ...none,
  },
  connect_timeout_ms: {
    doc: 'proxy: for the connection to the application; after that the client gets 504.',
    format: 'whole number',
    default: 5_000,
    min: 1,
    max: upstreamTimeoutMsMax,
    ...none,
  },
  response_timeout_ms: {
    doc:
      'proxy: how long the application may send nothing while a response, or the rest of it, is ' +
      'due.',
    format: 'whole number',
    default: 60_000,
    min: 1,
    max: upstreamTimeoutMsMax,
    ...none,
  },
  stream_timeout_ms: {
    doc: 'proxy: how long an event stream or a WebSocket may be silent.',
    format: 'whole number',
    default: 3_600_000,
    min: 1,
    max: upstreamTimeoutMsMax,
    ...none,
  },
  accelerate: {
    doc:
      'proxy: the paths of the internal routes whose files the application may hand over, by ' +
      '`X-Accel-Redirect` or `X-Sendfile` (docs/HAND-OVER.md). Empty: none.',
    format: 'path prefixes',
    default: [],
    example: ['/recordings'],
    ...none,
  },
  authorize: {
    doc:
      'The application that is asked before a request is served, written as in `upstream` ' +
      '(docs/AUTHORIZE.md). For every action.',
    format: 'upstream or nothing',
    default: '',
    example: 'unix:/run/app/http.sock',
    ...none,
  },
  authorize_path: {
    doc: 'authorize: the path of the question to the application, with a query if it needs one.',
    format: 'request path or nothing',
    default: '',
    example: '/session/check',
    ...none,
  },
  authorize_fields: {
    doc:
      'authorize: names of header fields. When the answer lets a request pass, its fields of ' +
      'these names go to the application of a proxy route. What the client sent under these ' +
      'names never does.',
    format: 'field names',
    default: [],
    example: ['X-User'],
    ...none,
  },
  authorize_timeout_ms: {
    doc: 'authorize: for the whole question; after that the client gets 502.',
    format: 'whole number',
    default: 5_000,
    min: 1,
    max: 60_000,
    ...none,
  },
  authorize_remember_ms: {
    doc:
      'authorize: how long an answer that lets a request pass is remembered for whoever asks exactly the ' +
      'same again (docs/AUTHORIZE.md#remembered-answers); 0: not at all. So long somebody may go on who ' +
      'has signed out.',
    format: 'whole number',
    default: 0,
    min: 0,
    max: 60_000,
    ...none,
  },
  rate_max_bytes_per_s: {
    doc:
      'The highest rate of a response on one connection, so that a download does not fill a slow ' +
      'uplink; 0: no limit.',
    format: 'rate',
    default: 0,
    min: 1024,
    max: 1_073_741_824,
    example: 1_000_000,
    ...none,
  },
  headers: {
    doc:
      'Header fields of every response, each `Name: value`. A field that the server sends by ' +
      'itself (docs/HTTP.md) is replaced, or left out if the value is empty.',
    format: 'header fields',
    default: [],
    example: ["Content-Security-Policy: default-src 'none'"],
    ...none,
  },
  require_client_certificate: {
    doc: 'Whether a request without a verified client certificate gets 403.',
    format: 'true or false',
    default: false,
    ...none,
  },
} as const satisfies SettingTable;

/** One route as it is written, every key with its value. */
export interface RouteSettings {
  path: string;
  host: string;
  methods: string[];
  action: 'static' | 'redirect' | 'respond' | 'proxy';
  /** Absolute; empty: the server's own root. */
  root: string;
  index: string;
  fallback: string;
  not_found: string;
  cache: string;
  immutable: string[];
  precompressed: boolean;
  internal: boolean;
  to: string;
  keep_path: boolean;
  status: number;
  content_type: string;
  body: string;
  /** Empty where the action is not proxy. */
  upstream: string;
  connect_timeout_ms: number;
  response_timeout_ms: number;
  stream_timeout_ms: number;
  accelerate: string[];
  /** Empty: nobody is asked. */
  authorize: string;
  authorize_path: string;
  authorize_fields: string[];
  authorize_timeout_ms: number;
  authorize_remember_ms: number;
  /** 0: no bound. */
  rate_max_bytes_per_s: number;
  headers: string[];
  require_client_certificate: boolean;
}

const ofAction: Record<string, readonly string[]> = {
  static: [
    'root',
    'index',
    'fallback',
    'not_found',
    'cache',
    'immutable',
    'precompressed',
    'internal',
  ],
  redirect: ['to', 'keep_path', 'status'],
  respond: ['content_type', 'body', 'status'],
  proxy: [
    'upstream',
    'connect_timeout_ms',
    'response_timeout_ms',
    'stream_timeout_ms',
    'accelerate',
  ],
};
const redirects = [301, 302, 303, 307, 308];
const responses = [200, 204, 400, 403, 404, 410, 429, 500, 501, 503];

export interface JudgedRoute {
  value: (key: string) => unknown;
  isSet: (key: string) => boolean;
  refuse: (key: string, text: string) => void;
  hasClientAuthorities: boolean;
}

/** What no key can know alone. */
export function judgeRoute({ value, isSet, refuse, hasClientAuthorities }: JudgedRoute): void {
  const action = String(value('action'));
  const others = Object.entries(ofAction).flatMap(([name, keys]) => (name === action ? [] : keys));
  for (const key of others) {
    if (isSet(key) && !ofAction[action]?.includes(key))
      refuse(key, `has no effect with action ${action}`);
  }
  if (action === 'redirect' && !isSet('to')) refuse('action', 'redirect needs "to"');
  if (action === 'proxy' && !isSet('upstream')) refuse('action', 'proxy needs "upstream"');
  const status = Number(value('status'));
  const allowed = action === 'redirect' ? redirects : responses;
  if (ofAction[action]?.includes('status') && isSet('status') && !allowed.includes(status)) {
    refuse('status', `must be one of ${allowed.join(', ')} for ${action}; it is ${status}`);
  }
  const methods = value('methods') as string[];
  const wrong = methods.find((method) => method !== 'GET' && method !== 'HEAD');
  if (action === 'static' && wrong !== undefined) {
    refuse('methods', `static is for GET and HEAD, not for ${wrong}`);
  }
  if (isSet('authorize') !== isSet('authorize_path')) {
    const [given, missing] = isSet('authorize')
      ? ['authorize', 'authorize_path']
      : ['authorize_path', 'authorize'];
    refuse(given, `needs "${missing}"`);
  }
  for (const key of ['authorize_fields', 'authorize_timeout_ms', 'authorize_remember_ms']) {
    if (isSet(key) && !isSet('authorize')) refuse(key, 'needs "authorize"');
  }
  if (value('internal') === true) {
    if (!isSet('root')) refuse('internal', 'needs "root", a directory that no other route has');
    for (const key of ['fallback', 'not_found', 'methods', 'authorize']) {
      if (isSet(key)) refuse(key, 'has no effect in an internal route');
    }
  }
  if (value('require_client_certificate') === true && !hasClientAuthorities) {
    refuse('require_client_certificate', 'needs client_certificates.ca as well');
  }
}

/** A relative root begins in `directory`. */
export function routeOf(value: (key: string) => unknown, directory: string): RouteSettings {
  const all = Object.fromEntries(Object.keys(routeSchema).map((key) => [key, value(key)]));
  const route = all as unknown as RouteSettings;
  const fallbackStatus = route.action === 'redirect' ? 308 : 200;
  return {
    ...route,
    host: route.host.toLowerCase().replace(/(.)\.$/, '$1'), // As native/http/routes.cpp does.
    root: route.root === '' ? '' : resolve(directory, route.root),
    status: route.status === 0 ? fallbackStatus : route.status,
  };
}

/** Two routes with the same are one too many. */
export const routeIdentity = ({ host, path, methods }: RouteSettings): string =>
  JSON.stringify([host, path.replace(/(.)\/$/, '$1'), [...methods].sort()]);
