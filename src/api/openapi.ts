// SPDX-License-Identifier: Apache-2.0
// The description of the API, OpenAPI 3.1, made from the routes themselves: what is answered and what
// is described cannot differ. Called by the route /openapi.json, and by tests.

import { type Need, needs } from './needs.js';
import { problemType } from './problem.js';
import { type Route, refTo } from './route.js';
import { schemas } from './schemas.js';

/** What every route can answer. */
const sharedProblems: Readonly<Record<number, string>> = {
  400: 'The request is wrong.',
  401: 'Credentials are needed, or the token is wrong.',
  403: 'The role does not allow it, or the page of another site has sent it.',
  429: 'There were too many wrong tokens; Retry-After says when to try again.',
  500: 'The service has failed; its log says why.',
};

const problemsOfChanges: Readonly<Record<number, string>> = {
  507: 'The device has no space to keep it.',
};

const problemsOfBodies: Readonly<Record<number, string>> = {
  413: 'The body is too long.',
  415: 'The body has another content type.',
};

const problemAnswer = (description: string) => ({
  description,
  content: { [problemType]: { schema: refTo('Problem') } },
});

/** An empty one: without a credential, as figures are for whoever asks from the device itself. */
function securityOf(need: Need): Record<string, string[]>[] {
  if (need === 'person') return [{ session: [] }];
  if (need === 'device') return [{}];
  const without = need === 'measure' || need === 'anybody' ? [{}] : [];
  return [{ session: [] }, { token: [] }, { certificate: [] }, ...without];
}

function operationOf(route: Route): Record<string, unknown> {
  const { method, operationId, summary, parameters, body, answer, problems } = route;
  const need = needs[operationId];
  const all = {
    ...sharedProblems,
    ...(method === 'get' ? {} : problemsOfChanges),
    ...(body === undefined ? {} : problemsOfBodies),
    ...problems,
  };
  const refusals = Object.entries(all).map(([status, text]) => [status, problemAnswer(text)]);
  const { status, description, type, schema } = answer;
  return {
    operationId,
    summary,
    security: securityOf(need),
    'x-role': need,
    ...(parameters === undefined ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { [body.type]: { schema: body.schema } } } }),
    responses: {
      [status]: { description, content: { [type]: { schema } } },
      ...Object.fromEntries(refusals),
    },
  };
}

export function describe(
  routes: readonly Route[],
  prefix: string,
  version: string,
): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const operations = paths[route.path] ?? {};
    operations[route.method] = operationOf(route);
    paths[route.path] = operations;
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'spliced',
      version,
      summary: 'Operates the HTTPS service of a device.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: prefix }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: '__Host-spliced',
          description: 'Of somebody who has signed in: POST session.',
        },
        token: { type: 'http', scheme: 'bearer', description: 'Shown once by "spliced token".' },
        certificate: {
          type: 'mutualTLS',
          description: 'A client certificate that api.client_certificates names.',
        },
      },
    },
  };
}
