// SPDX-License-Identifier: Apache-2.0
// The table [api]: who may use the operators' page and its API over the network (part of schema.ts), and
// what its settings need of each other. Called by schema.ts and configuration.ts.

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

/** A question has an address and a path. */
export function judgeApi({ isSet, refuse }: Given): void {
  const [address, path] = ['api.authorize', 'api.authorize_path'];
  if (isSet(address) && !isSet(path)) refuse(address, `needs ${path}`);
  if (isSet(path) && !isSet(address)) refuse(path, `needs ${address}`);
}
