// SPDX-License-Identifier: Apache-2.0
// The routes that act on the device itself: restart and power-off, outside an update. Collected by
// ../routes.ts.

import type { PowerAction } from '../../power/document.js';
import { readFields } from '../body.js';
import { json } from '../json.js';
import { Problem } from '../problem.js';
import { jsonOf, type Route } from '../route.js';

const powerRoute = (
  action: PowerAction,
  operationId: 'restartDevice' | 'powerOffDevice',
  summary: string,
): Route => ({
  method: 'post',
  path: `/device/${action}`,
  operationId,
  summary,
  body: jsonOf('Nothing'),
  answer: { status: 202, description: 'It has begun.', ...jsonOf('Device') },
  problems: { 409: 'An update is being installed, or the service cannot ask for it.' },
  async handle(c, { service: { device } }) {
    await readFields(c, {});
    const refusal = await device.ask(action);
    if (refusal !== undefined) throw new Problem(409, 'Not now', refusal);
    return json(device.current(), 202);
  },
});

export const device: readonly Route[] = [
  {
    method: 'get',
    path: '/device',
    operationId: 'getDevice',
    summary: 'Whether a restart or a power-off of the device is under way, or why it is not.',
    answer: { status: 200, description: 'The state.', ...jsonOf('Device') },
    handle: (_c, { service }) => json(service.device.current()),
  },
  powerRoute('restart', 'restartDevice', 'Finishes what is active, then restarts the device.'),
  powerRoute(
    'power-off',
    'powerOffDevice',
    'Finishes what is active, then powers the device off: somebody has to switch it on again.',
  ),
];
