// SPDX-License-Identifier: Apache-2.0
// What routes must be beside each other so that an application can hand files over, and nobody else
// gets at them: called by configuration.ts with all routes of the files.

import { join } from 'node:path';
import type { RouteSettings } from './routes.js';

export interface PlacedRoute {
  route: RouteSettings;
  refuse: (key: string, text: string) => void;
  warn: (key: string, text: string) => void;
}

/** Without the slash at its end; "/" is empty. */
const bare = (path: string): string => path.replace(/\/$/, '');

/** In whole segments. */
const isWithin = (path: string, parent: string): boolean =>
  bare(path) === bare(parent) || bare(path).startsWith(`${bare(parent)}/`);

/** The directory whose files clients get by a route. */
const openDirectory = ({ root, path }: RouteSettings, serverRoot: string): string =>
  root === '' ? join(serverRoot, path) : root;

export function judgeHandOver(placed: readonly PlacedRoute[], serverRoot: string): void {
  const internal = placed.filter(({ route }) => route.internal);
  const open = placed.filter(({ route }) => route.action === 'static' && !route.internal);
  for (const { route, refuse } of placed) {
    for (const prefix of route.action === 'proxy' ? route.accelerate : []) {
      if (internal.some((other) => isWithin(other.route.path, prefix))) continue;
      refuse('accelerate', `there is no internal route at ${prefix}`);
    }
  }
  for (const { route, refuse, warn } of internal) {
    const way = open.find(
      (other) => route.root !== '' && isWithin(route.root, openDirectory(other.route, serverRoot)),
    );
    if (way !== undefined) {
      const directory = openDirectory(way.route, serverRoot);
      refuse('root', `clients get its files by the route ${way.route.path}, from ${directory}`);
    }
    const isNamed = placed.some((other) =>
      other.route.accelerate.some((prefix) => isWithin(route.path, prefix)),
    );
    if (!isNamed) warn('path', 'no route names it in "accelerate": nobody gets its files');
  }
}
