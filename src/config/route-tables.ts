// SPDX-License-Identifier: Apache-2.0
// The [[route]] tables of all files: each judged like the settings, and then all beside each other. For
// configuration.ts.

import { resolve } from 'node:path';
import { judgeHandOver, type PlacedRoute } from './hand-over.js';
import { type Effective, judge } from './judge.js';
import { type Layers, labelOf, type Origin, originText, routeTable } from './layers.js';
import {
  judgeRoute,
  type RouteSettings,
  routeDirectoriesMax,
  routeIdentity,
  routeOf,
  routeSchema,
  routesMax,
} from './routes.js';

/** Every [[route]], each judged like the settings, and then all beside each other. */
export function judgeRoutes(
  layers: Layers,
  settings: ReadonlyMap<string, Effective>,
  directory: string,
): RouteSettings[] {
  const { problems } = layers;
  const hasClientAuthorities = settings.get('client_certificates.ca')?.value !== '';
  const seen = new Map<string, Origin>();
  const routes: RouteSettings[] = [];
  const placed: PlacedRoute[] = [];
  for (const { origin, assignments } of layers.routes) {
    const found = judge(routeSchema, { assignments, problems }, `${routeTable}.`);
    const value = (key: string): unknown => found.get(key)?.value;
    const isSet = (key: string): boolean => found.get(key)?.origin.kind === 'file';
    const placeOf = (key: string): Origin =>
      isSet(key) ? (found.get(key)?.origin ?? origin) : origin;
    const refuse = (key: string, text: string): void => {
      const place = placeOf(key);
      problems.push({ text: `${labelOf(`${routeTable}.${key}`, place)}: ${text}`, origin: place });
    };
    const warn = (key: string, text: string): void => {
      layers.warnings.push(`${labelOf(`${routeTable}.${key}`, placeOf(key))}: ${text}`);
    };
    judgeRoute({ value, isSet, refuse, hasClientAuthorities });
    const route = routeOf(value, directory);
    const identity = routeIdentity(route);
    const before = seen.get(identity);
    if (before === undefined) seen.set(identity, origin);
    else refuse('path', `there is such a route in ${originText(before)} already`);
    routes.push(route);
    placed.push({ route, refuse, warn });
  }
  const root = settings.get('root');
  const rootFrom = root?.origin.kind === 'option' ? process.cwd() : directory;
  judgeHandOver(placed, resolve(rootFrom, String(root?.value)));
  const last = layers.routes.at(-1)?.origin;
  const refuseAll = (text: string): void => {
    if (last !== undefined) {
      problems.push({ text: `${labelOf(routeTable, last)}: ${text}`, origin: last });
    }
  };
  if (routes.length > routesMax) refuseAll(`there are more than ${routesMax} routes`);
  const roots = new Set(routes.map(({ root }) => root).filter(Boolean));
  if (roots.size > routeDirectoriesMax) {
    refuseAll(`the routes have more than ${routeDirectoriesMax} directories`);
  }
  return routes;
}
