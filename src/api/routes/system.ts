// SPDX-License-Identifier: Apache-2.0
// The routes that tell of the device itself. As with the figures of the service, the device may read
// them without a credential, and nobody else: a stranger learns neither name nor version. Collected by
// ../routes.ts.

import { json } from '../json.js';
import { jsonOf, type Route } from '../route.js';

export const system: readonly Route[] = [
  {
    method: 'get',
    path: '/system',
    operationId: 'getSystem',
    summary:
      'The device: its name, model and firmware, time, processor, memory, storage, temperatures.',
    answer: { status: 200, description: 'As it is now.', ...jsonOf('System') },
    handle: async (_c, { service }) => json(await service.system.current()),
  },
  {
    method: 'get',
    path: '/system/history',
    operationId: 'getHistory',
    summary: 'The last day, or since the service was started, in means of five minutes.',
    answer: { status: 200, description: 'The oldest first.', ...jsonOf('History') },
    handle: (_c, { service }) => json(service.system.history()),
  },
];
