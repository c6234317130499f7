// SPDX-License-Identifier: Apache-2.0
// Every route of the API. Used by app.ts.

import { json } from './json.js';
import { describe } from './openapi.js';
import type { Route } from './route.js';
import { administration } from './routes/administration.js';
import { certificates } from './routes/certificates.js';
import { device } from './routes/device.js';
import { observation } from './routes/observation.js';
import { operation } from './routes/operation.js';
import { people } from './routes/people.js';
import { system } from './routes/system.js';
import { update } from './routes/update.js';
import { uploads } from './routes/uploads.js';

export const prefix = '/.spliced/api/v1';

const description: Route = {
  method: 'get',
  path: '/openapi.json',
  operationId: 'getDescription',
  summary: 'This description.',
  answer: {
    status: 200,
    description: 'OpenAPI 3.1.',
    type: 'application/json',
    schema: { type: 'object', required: ['openapi', 'info', 'paths'] },
  },
  handle: () => json(describe(routes, prefix, SPLICED_VERSION)),
};

export const routes: readonly Route[] = [
  ...observation,
  ...system,
  ...certificates,
  ...operation,
  ...device,
  ...update,
  ...uploads,
  ...people,
  ...administration,
  description,
];
