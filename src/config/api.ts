// SPDX-License-Identifier: Apache-2.0
// The table [api]: who may use the operators' page and its API over the network (part of schema.ts), and
// what its settings need of each other. Called by schema.ts and configuration.ts.

import { type RouteSettings, routeSchema } from './routes.js';

export const apiTable = {
  client_certificates: {
    doc:
      'Clients that may use the whole API over the network (docs/API.md), by the subjects of ' +
      'their certificates, as RFC 4514 writes them, or by SHA-256 fingerprints in hexadecimal. ' +
      'Every CA in `client_certificates.ca` can give a subject to anyone. In the variable ' +
      'separated by semicolons.',
    format: 'subjects or fingerprints',
    default: [],
    example: ['CN=admin,O=Example'],
    env: 'SPLICED_API_CLIENT_CERTIFICATES',
    isLive: true,
  },
  authorize: {
    doc:
      "Who is asked before the operators' page and the API are served over the network, as `authorize` of a " +
      'route (docs/AUTHORIZE.md#the-page-and-the-api): so people sign in once, at the application. Its ' +
      'answer says their role. Who brings the token is not asked about.',
    format: 'upstream or nothing',
    default: '',
    example: 'unix:/run/app/http.sock',
    env: 'SPLICED_API_AUTHORIZE',
    isLive: true,
  },
  authorize_path: {
    doc: 'The path of the question of `authorize`, with a query if it needs one.',
    format: 'request path or nothing',
    default: '',
    example: '/session/check',
    env: 'SPLICED_API_AUTHORIZE_PATH',
    isLive: true,
  },
  authorize_timeout_ms: {
    doc:
      'For the whole question of `authorize`; after that nobody has passed, and the page and the API have their ' +
      'own guard alone (docs/AUTHORIZE.md#the-page-and-the-api).',
    format: 'whole number',
    default: routeSchema.authorize_timeout_ms.default,
    min: routeSchema.authorize_timeout_ms.min,
    max: routeSchema.authorize_timeout_ms.max,
    env: 'SPLICED_API_AUTHORIZE_TIMEOUT_MS',
    isLive: true,
  },
  authorize_remember_ms: {
    doc:
      'How long an answer of `authorize` that lets a request pass is remembered for whoever asks exactly the ' +
      'same again (docs/AUTHORIZE.md#remembered-answers); 0: not at all. So long somebody may go on who has ' +
      'signed out, or has a lesser role by now.',
    format: 'whole number',
    default: routeSchema.authorize_remember_ms.default,
    min: routeSchema.authorize_remember_ms.min,
    max: routeSchema.authorize_remember_ms.max,
    env: 'SPLICED_API_AUTHORIZE_REMEMBER_MS',
    isLive: true,
  },
  claim_code_file: {
    doc:
      'A file with the code by which the first administrator claims the device ' +
      '(docs/PEOPLE.md), such as the code on its label: 8 to 128 characters, different for ' +
      'each device. Or `credential:NAME`. Without a file the service makes a code at each ' +
      'start until somebody has claimed the device; `spliced claim` shows it.',
    format: 'file or nothing',
    default: '',
    example: 'credential:claim-code',
    env: 'SPLICED_API_CLAIM_CODE_FILE',
  },
} as const;

interface Given {
  isSet: (key: string) => boolean;
  refuse: (key: string, text: string) => void;
}

/** Who is asked first, as of a route; empty: nobody. */
export type ApiAuthorize = Pick<
  RouteSettings,
  'authorize' | 'authorize_path' | 'authorize_timeout_ms' | 'authorize_remember_ms'
>;

export const apiAuthorizeOf = (setTo: (key: string) => unknown): ApiAuthorize => ({
  authorize: String(setTo('api.authorize')),
  authorize_path: String(setTo('api.authorize_path')),
  authorize_timeout_ms: Number(setTo('api.authorize_timeout_ms')),
  authorize_remember_ms: Number(setTo('api.authorize_remember_ms')),
});

/** A question has an address and a path. */
export function judgeApi({ isSet, refuse }: Given): void {
  const [address, path] = ['api.authorize', 'api.authorize_path'];
  if (isSet(address) && !isSet(path)) refuse(address, `needs ${path}`);
  for (const key of [path, 'api.authorize_timeout_ms', 'api.authorize_remember_ms']) {
    if (isSet(key) && !isSet(address)) refuse(key, `needs ${address}`);
  }
}
