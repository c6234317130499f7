// SPDX-License-Identifier: Apache-2.0
// The routes that only look: status, metrics, log. Collected by ../routes.ts.

import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { tailBounds } from '../../log/tail.js';
import { expositionType } from '../exposition.js';
import { metricsOf } from '../metrics.js';
import { Problem } from '../problem.js';
import { jsonOf, jsonType, type Route } from '../route.js';

const linesDefault = 100;

/** A whole number of the query from 0 to `max`. */
function numberOf(text: string | undefined, name: string, fallback: number, max: number): number {
  if (text === undefined) return fallback;
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (number <= max) return number;
  throw new Problem(400, 'Bad query', `"${name}" must be a whole number from 0 to ${max}.`);
}

function truthOf(text: string | undefined, name: string, fallback: boolean): boolean {
  if (text === undefined) return fallback;
  if (text === 'true' || text === 'false') return text === 'true';
  throw new Problem(400, 'Bad query', `"${name}" must be true or false.`);
}

const log: Route = {
  method: 'get',
  path: '/log',
  operationId: 'followLog',
  summary:
    'The log as server-sent events. Each `data` is a line of the log, a JSON object; an event `lost` ' +
    'says how many lines a reader has missed. Comments keep the stream alive.',
  parameters: [
    {
      name: 'lines',
      in: 'query',
      description: 'So many of the last lines first.',
      schema: { type: 'integer', minimum: 0, maximum: tailBounds.linesMax, default: linesDefault },
    },
    {
      name: 'follow',
      in: 'query',
      description: 'Go on with new lines; false: end behind the last one.',
      schema: { type: 'boolean', default: true },
    },
    {
      name: 'Last-Event-ID',
      in: 'header',
      description: 'Go on behind this event, as far as its successors are still in memory.',
      schema: { type: 'string' },
    },
  ],
  answer: {
    status: 200,
    description: 'The stream.',
    type: 'text/event-stream',
    schema: { type: 'string' },
  },
  problems: { 503: 'Too many read the log already.' },
  handle(c, { streams }) {
    const { incoming, outgoing } = c.env;
    const lines = numberOf(c.req.query('lines'), 'lines', linesDefault, tailBounds.linesMax);
    const isFollowing = truthOf(c.req.query('follow'), 'follow', true);
    if (incoming.method === 'HEAD') {
      return c.body(null, 200, { 'Content-Type': 'text/event-stream' });
    }
    const lastEventId = c.req.header('last-event-id');
    streams.serve(outgoing, { lines, isFollowing, lastEventId });
    return RESPONSE_ALREADY_SENT;
  },
};

export const observation: readonly Route[] = [
  {
    method: 'get',
    path: '/status',
    operationId: 'getStatus',
    summary: 'What the service does now; the same as /.spliced/status.',
    answer: { status: 200, description: 'The status.', ...jsonOf('Status') },
    handle: (c, { service }) => c.body(service.status(), 200, { 'Content-Type': jsonType }),
  },
  {
    method: 'get',
    path: '/metrics',
    operationId: 'getMetrics',
    summary:
      "The same figures and the certificates' in the text format of Prometheus, version 0.0.4.",
    answer: {
      status: 200,
      description: 'The metrics.',
      type: 'text/plain',
      schema: { type: 'string', pattern: '^# HELP ' },
    },
    handle: (c, { service }) => {
      const text = metricsOf(service.status(), service.certificates.list().served);
      return c.body(text, 200, { 'Content-Type': expositionType });
    },
  },
  log,
];
