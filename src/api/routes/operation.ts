// SPDX-License-Identifier: Apache-2.0
// The routes of the configuration, and of the service's own life: reload and drain. Collected by
// ../routes.ts.

import { readFields, readText } from '../body.js';
import { json } from '../json.js';
import { Problem } from '../problem.js';
import { jsonOf, jsonType, type Route } from '../route.js';

const tomlType = 'application/toml';

export const operation: readonly Route[] = [
  {
    method: 'get',
    path: '/configuration',
    operationId: 'getConfiguration',
    summary: 'The values in effect, each with its origin; those of secrets are left out.',
    answer: { status: 200, description: 'The configuration.', ...jsonOf('Configuration') },
    handle: (c, { service }) => {
      const text = service.configuration.effective();
      return c.body(text, 200, { 'Content-Type': jsonType });
    },
  },
  {
    method: 'post',
    path: '/configuration/check',
    operationId: 'checkConfiguration',
    changesNothing: true,
    summary:
      'What a start with this text as its only file would find: every mistake with its line and key. ' +
      'Changes nothing.',
    body: { type: tomlType, schema: { type: 'string' } },
    answer: { status: 200, description: 'The findings.', ...jsonOf('Check') },
    async handle(c, { service }) {
      const { errors, warnings } = await service.configuration.check(await readText(c, tomlType));
      return json({ valid: errors.length === 0, errors, warnings });
    },
  },
  {
    method: 'post',
    path: '/reload',
    operationId: 'reload',
    summary: 'Reads the configuration and the files that it names again, as SIGHUP does.',
    body: jsonOf('Nothing'),
    answer: { status: 200, description: 'It is in effect.', ...jsonOf('Reloaded') },
    problems: {
      422: 'The configuration is wrong; `errors` says where. Nothing was changed.',
      503: 'The service stops.',
    },
    async handle(c, { service }) {
      await readFields(c, {});
      const result = await service.configuration.reload();
      if (result === undefined) {
        throw new Problem(503, 'Stopping', 'The service stops, and changes nothing any more.');
      }
      const { errors, applied, restartRequired } = result;
      if (errors.length === 0) return json({ applied, restartRequired });
      const detail = 'Nothing was changed: put right what "errors" names, and reload again.';
      throw new Problem(422, 'Wrong configuration', detail, { members: { errors } });
    },
  },
  {
    method: 'post',
    path: '/drain',
    operationId: 'drain',
    summary: 'Finishes what is active and ends the service, as SIGTERM does.',
    body: jsonOf('Nothing'),
    answer: { status: 202, description: 'It has begun.', ...jsonOf('Draining') },
    async handle(c, { service }) {
      await readFields(c, {});
      service.drain();
      return json({ draining: true }, 202);
    },
  },
];
