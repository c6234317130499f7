// SPDX-License-Identifier: Apache-2.0
// The routes of an update: its state, installing, restarting, slots; and the events that an open page
// follows. Collected by ../routes.ts.

import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { readFields } from '../body.js';
import { json } from '../json.js';
import { Problem } from '../problem.js';
import { jsonOf, type Parameter, type Route } from '../route.js';

const slotName = /^[\w.-]{1,64}$/;

const slotParameter: Parameter = {
  name: 'name',
  in: 'path',
  required: true,
  description: 'A slot by its name, or "booted" or "other".',
  schema: { type: 'string', pattern: slotName.source },
};

const refused = (refusal: string): Problem => new Problem(409, 'Not now', refusal);

const markRoute = (mark: 'good' | 'bad'): Route => ({
  method: 'post',
  path: `/update/slots/{name}/${mark}`,
  operationId: mark === 'good' ? 'markSlotGood' : 'markSlotBad',
  summary:
    mark === 'good'
      ? 'Tells the boot loader to keep booting this slot.'
      : 'Tells the boot loader not to boot this slot any more.',
  parameters: [slotParameter],
  body: jsonOf('Nothing'),
  answer: { status: 200, description: 'It is marked.', ...jsonOf('Marked') },
  problems: { 409: 'The installer cannot, or does not want to.' },
  async handle(c, { service: { update } }) {
    const name = c.req.param('name') ?? '';
    if (!slotName.test(name)) {
      throw new Problem(400, 'Bad name', `${JSON.stringify(name)} is no name of a slot.`);
    }
    await readFields(c, {});
    const { isMarked, message } = await update.mark(name, mark);
    if (isMarked) return json({ slot: name, mark, message });
    throw refused(message);
  },
});

export const update: readonly Route[] = [
  {
    method: 'get',
    path: '/update',
    operationId: 'getUpdate',
    summary: 'The state of the update, and the slots of the device.',
    answer: { status: 200, description: 'The state.', ...jsonOf('Update') },
    handle: async (_c, { service }) => json(await service.update.current()),
  },
  {
    method: 'post',
    path: '/update/install',
    operationId: 'installUpdate',
    summary:
      'Installs what was uploaded, or with `file` what lies in the directory of the update under ' +
      'this name. The installer verifies the signature before it writes.',
    body: jsonOf('Install'),
    answer: {
      status: 202,
      description: 'It has begun; the state and the events tell the end.',
      ...jsonOf('Update'),
    },
    problems: { 409: 'There is nothing to install, one runs already, or the bundle is refused.' },
    async handle(c, { service }) {
      const { file } = await readFields(c, { file: 'string?' });
      const refusal = await service.update.install(file);
      if (refusal !== undefined) throw refused(refusal);
      return json(await service.update.current(), 202);
    },
  },
  {
    method: 'post',
    path: '/update/restart',
    operationId: 'restart',
    summary: 'Finishes what is active, then restarts the device, or as update.restart has it.',
    body: jsonOf('Nothing'),
    answer: { status: 202, description: 'It has begun.', ...jsonOf('Update') },
    problems: { 409: 'An update is being installed, or the service cannot restart the device.' },
    async handle(c, { service }) {
      await readFields(c, {});
      const refusal = await service.update.restart();
      if (refusal !== undefined) throw refused(refusal);
      return json(await service.update.current(), 202);
    },
  },
  markRoute('good'),
  markRoute('bad'),
  {
    method: 'get',
    path: '/events',
    operationId: 'followEvents',
    summary:
      'Server-sent events: `update` has the state of the update, `device` of its restart or ' +
      'power-off, `build` the identity of the page that is served. Each comes once at the start and then at every change; who reads slowly gets ' +
      'the newest. Comments keep the stream alive.',
    answer: {
      status: 200,
      description: 'The stream.',
      type: 'text/event-stream',
      schema: { type: 'string' },
    },
    problems: { 503: 'Too many read the events already.' },
    handle(c, { eventStreams }) {
      if (c.env.incoming.method === 'HEAD') {
        return c.body(null, 200, { 'Content-Type': 'text/event-stream' });
      }
      eventStreams.serve(c.env.outgoing);
      return RESPONSE_ALREADY_SENT;
    },
  },
];
