// SPDX-License-Identifier: Apache-2.0
// The API as a Hono application: for each request who asks, whether another site's page sent it, then
// the route's handler; every refusal leaves as a problem document. Loaded at the first request by server.ts, because the library and what it needs of Node cost a
// device megabytes that never asks.

import type { RequestListener, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono/tiny';
import { visibleJson } from '../base/visible.js';
import type { Log } from '../log/log.js';
import type { Access, Asker, Door } from './access.js';
import { refuseOtherSites, refuseOthersWithCookie } from './cross-site.js';
import { needs } from './needs.js';
import { Problem, problemType, storageProblem } from './problem.js';
import type { Bindings, Route, RouteContext, RouteParts } from './route.js';
import { prefix, routes } from './routes.js';

export interface AppParts extends RouteParts {
  access: Access;
  log: Log;
  /** For tests. */
  applicationStreamMs?: number;
}

/**
 * How long an answer goes on that an application has let pass: then it is asked for again, and so is the
 * application.
 */
const applicationStreamMsMax = 60_000;

/** Nothing here is for a cache, a frame, or a script of another site. */
const standardHeaders = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
};

function answerOf(problem: Problem): Response {
  const text = `${visibleJson(problem.body)}\n`;
  return new Response(text, {
    status: problem.status,
    headers: { ...problem.headers, ...standardHeaders, 'Content-Type': problemType },
  });
}

function refuseBadQuery(c: RouteContext, { parameters = [] }: Route): void {
  const known = parameters.filter((one) => one.in === 'query').map(({ name }) => name);
  for (const [name, { length }] of Object.entries(c.req.queries())) {
    if (known.includes(name) && length === 1) continue;
    if (length > 1) throw new Problem(400, 'Bad query', `${JSON.stringify(name)} is there twice.`);
    const has = known.length === 0 ? 'there are none' : `there are: ${known.join(', ')}`;
    throw new Problem(400, 'Bad query', `There is no parameter ${JSON.stringify(name)}; ${has}.`);
  }
}

const patternOf = (path: string): RegExp =>
  new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`);

/** Why there is no such route: the path is unknown, or it is asked in another way. */
function noRoute(c: RouteContext): Problem {
  const path = c.req.path.startsWith(prefix) ? c.req.path.slice(prefix.length) : undefined;
  const isThis = (route: Route): boolean => path !== undefined && patternOf(route.path).test(path);
  const methods = routes.filter(isThis).map(({ method }) => method);
  if (methods.length === 0) {
    const detail = `There is no ${c.req.path}; ${prefix}/openapi.json describes what there is.`;
    return new Problem(404, 'Nothing there', detail);
  }
  const allowed = methods.map((method) => method.toUpperCase()).join(', ');
  const detail = `${c.req.path} knows ${allowed}.`;
  return new Problem(405, 'Wrong method', detail, { headers: { Allow: allowed } });
}

function refuseOthers(c: RouteContext, isChange: boolean, { by }: Asker): void {
  const header = (name: string) => c.req.header(name);
  const [secFetchSite, origin] = [header('sec-fetch-site'), header('origin')];
  const isHttps = c.env.door === 'proxy';
  const sent = { isHttps, secFetchSite, origin, host: header('host') };
  if (isChange) refuseOtherSites(sent);
  // An application's session is in a cookie as well, of whatever SameSite.
  if (by === 'person' || by === 'application') refuseOthersWithCookie({ ...sent, isChange });
}

function endAfter(ms: number, outgoing: ServerResponse): void {
  const timer = setTimeout(() => outgoing.destroy(), ms).unref();
  outgoing.once('close', () => clearTimeout(timer));
}

export function createApp({ access, log, ...parts }: AppParts): Hono<{ Bindings: Bindings }> {
  const app = new Hono<{ Bindings: Bindings }>();
  const streamMs = parts.applicationStreamMs ?? applicationStreamMsMax;

  /** Who changed what, for the log. What never got past the door is not in it. */
  const record = (route: Route, { who, address }: Asker, c: RouteContext, status: number): void => {
    if (route.recordsItself) return;
    const { method, path } = c.req;
    const requestId = c.req.header('x-request-id')?.slice(0, 64);
    log.info({ event: 'api_changed', who, address, method, path, status, requestId });
  };

  const guarded =
    (route: Route) =>
    async (c: RouteContext): Promise<Response> => {
      const need = needs[route.operationId];
      const asker = await access.admit(c.env.door, need, c.env.incoming);
      const isChange = route.method !== 'get' && !route.changesNothing;
      refuseOthers(c, route.method !== 'get', asker);
      refuseBadQuery(c, route);
      let answer: Response;
      try {
        answer = await route.handle(c, { ...parts, asker });
      } catch (error) {
        const refusal = isChange ? (storageProblem(error) ?? error) : error;
        if (isChange) record(route, asker, c, refusal instanceof Problem ? refusal.status : 500);
        throw refusal;
      }
      if (isChange) record(route, asker, c, answer.status);
      const { outgoing } = c.env;
      // A stream, which the handler has begun.
      if (asker.person !== undefined && outgoing.headersSent)
        parts.people.follow(asker.person.session, outgoing);
      if (asker.by === 'application' && outgoing.headersSent) endAfter(streamMs, outgoing);
      for (const [name, value] of Object.entries(standardHeaders)) {
        if (!outgoing.headersSent) answer.headers.set(name, value);
      }
      return answer;
    };

  for (const route of routes) {
    const path = prefix + route.path.replaceAll(/\{(\w+)\}/g, ':$1');
    app.on(route.method.toUpperCase(), path, guarded(route));
  }
  app.notFound((c) => answerOf(noRoute(c)));
  app.onError((error, c) => {
    if (error instanceof Problem) return answerOf(error);
    log.error({ event: 'api_failed', path: c.req.path, reason: error.stack ?? error.message });
    const detail = 'The service could not do this; its log says why.';
    return answerOf(new Problem(500, 'Failed', detail));
  });
  return app;
}

/** For a server of Node's: every request that it gets came through this door. */
export function listenerOf(app: Hono<{ Bindings: Bindings }>, door: Door): RequestListener {
  const fetch = (request: Request, env: unknown) =>
    app.fetch(request, { ...(env as Omit<Bindings, 'door'>), door });
  const listener = getRequestListener(fetch, { overrideGlobalObjects: false });
  return (incoming, outgoing) => void listener(incoming, outgoing);
}
