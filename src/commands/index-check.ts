// SPDX-License-Identifier: Apache-2.0
// Checks that the index page comes over HTTPS with the bytes of its file. The service under test says
// where it listens and what it serves, but that is verified: the kernel must know a listening socket
// of root or of the service there, on this device; the served root and routes must be those of the
// operator's own configuration; and files are read only beneath that root, with the rights of the
// service's user. Called by update-good.ts.

import { createHash } from 'node:crypto';
import { readlinkSync, realpathSync } from 'node:fs';
import { request } from 'node:https';
import { join, resolve } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import type { ListenAddress } from '../config/address.js';
import { formatListenAddress } from '../config/address.js';
import type { LoadedConfiguration } from '../config/configuration.js';
import { showAsJson } from '../config/show.js';
import { readItself } from '../files/descriptors.js';
import { everyGroup } from '../tls/every-group.js';
import { askApi } from './api-client.js';
import { listenerFault } from './listening.js';
import type { ServiceDirectory } from './service-directory.js';
import type { ServiceProcess } from './service-process.js';

const answerTimeoutMs = 10_000;
const redirectsMax = 3;
const indexBytesMax = 64 * 1024 * 1024;

export interface IndexParts {
  directory: ServiceDirectory;
  service: ServiceProcess;
  /** By its own record. */
  listeners: readonly ListenAddress[];
  /** What this command was configured with. */
  own: LoadedConfiguration;
  index: string;
}

interface RouteShown {
  path: string;
  host: string;
  action: string;
  root: string;
  index: string;
}

/** The file that a path means, and what it lies beneath; undefined: what is answered is no file. */
export function fileOf(
  path: string,
  root: string,
  routes: readonly RouteShown[],
): { root: string; path: string } | undefined {
  const fits = (route: RouteShown): boolean =>
    route.host === '' &&
    (path === route.path ||
      path.startsWith(route.path.endsWith('/') ? route.path : `${route.path}/`));
  const [route] = routes.filter(fits).sort((a, b) => b.path.length - a.path.length);
  if (routes.length > 0 && route?.action !== 'static') return undefined;
  const index = route?.index ?? 'index.html';
  const mounted = route !== undefined && route.root !== '';
  const below = mounted ? path.slice(route.path.length) : path;
  const above = mounted ? route.root : root;
  return { root: above, path: join(above, below, path.endsWith('/') ? index : '') };
}

interface Answer {
  status: number;
  location: string | undefined;
  fingerprint: string;
  body: Buffer;
}

function get(address: string, port: number, path: string): Promise<Answer> {
  const host = { '0.0.0.0': '127.0.0.1', '::': '::1' }[address] ?? address;
  return new Promise((resolve, reject) => {
    // Whose certificate it is, is known: its fingerprint is compared.
    const how = {
      rejectUnauthorized: false,
      agent: false as const,
      timeout: answerTimeoutMs,
      ecdhCurve: everyGroup,
    };
    const outgoing = request({ host, port, path, ...how }, (response) => {
      const { fingerprint256 } = (response.socket as TLSSocket).getPeerCertificate();
      const parts: Buffer[] = [];
      let length = 0;
      response.on('data', (part: Buffer) => {
        parts.push(part);
        length += part.length;
        if (length > indexBytesMax) outgoing.destroy(new Error('it is too large to be compared'));
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          location: response.headers.location,
          fingerprint: fingerprint256,
          body: Buffer.concat(parts),
        }),
      );
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

type Settings = Record<string, { value?: unknown } | undefined>;

/** What the operator's configuration says, and the service's not; undefined: they agree. */
function disagreement(own: LoadedConfiguration, shown: Settings): string | undefined {
  const { settings } = JSON.parse(showAsJson(own)) as { settings: Settings };
  const isSaid = {
    // What only the service's own command line or environment says, this one cannot know.
    root: own.settings.get('root')?.origin.kind !== 'default',
    route: own.files.length > 0,
  };
  const key = (['root', 'route'] as const).find(
    (name) => isSaid[name] && !isDeepStrictEqual(settings[name]?.value, shown[name]?.value),
  );
  return key && `index: the service has another "${key}" than the configuration of this command`;
}

/** What is relative in the configuration is so to the service's own directory. */
function absoluteRoot(root: string, { pid }: ServiceProcess): string {
  try {
    return resolve(readlinkSync(`/proc/${pid}/cwd`), root);
  } catch {
    return resolve(root); // In a user namespace of its own: the units have one directory.
  }
}

/** The file's bytes. Throws when it is not beneath the root. */
function readBeneath(root: string, file: string): Buffer {
  const [above, found] = [realpathSync(root), realpathSync(file)];
  if (!found.startsWith(above.endsWith('/') ? above : `${above}/`)) {
    throw new Error(`${file} is not beneath ${root}`);
  }
  return readItself(found, indexBytesMax);
}

/** Why the index is not right; undefined: it is. Throws when that cannot be found out. */
export async function indexFault(parts: IndexParts): Promise<string | undefined> {
  const { directory, service, listeners, own, index } = parts;
  const [listener] = listeners;
  if (listener === undefined) return 'index: nothing is listened on';
  const fault = listenerFault(listener, service.uid);
  if (fault !== undefined) return `index: ${formatListenAddress(listener)}: ${fault}`;
  const { settings } = JSON.parse(await askApi(directory, { path: '/configuration' })) as {
    settings: Settings;
  };
  const other = disagreement(own, settings);
  if (other !== undefined) return other;
  const { served } = JSON.parse(await askApi(directory, { path: '/certificates' }));
  const root = absoluteRoot(String(settings.root?.value), service);
  const routes = (settings.route?.value as RouteShown[] | undefined) ?? [];
  let path = index;
  for (let turn = 0; turn <= redirectsMax; turn += 1) {
    const answer = await get(listener.address, listener.port, path);
    if (answer.fingerprint !== served[0]?.fingerprint) return 'index: another certificate answers';
    if (answer.status >= 300 && answer.status < 400 && answer.location?.startsWith('/')) {
      path = answer.location;
      continue;
    }
    if (answer.status !== 200) return `index: ${path} is answered with ${answer.status}`;
    const file = fileOf(path, root, routes);
    if (file === undefined) return answer.body.length > 0 ? undefined : `index: ${path} is empty`;
    const isRight = hashOf(readBeneath(file.root, file.path)) === hashOf(answer.body);
    return isRight ? undefined : `index: ${path} has other bytes than ${file.path}`;
  }
  return `index: ${index} leads from one place to the next`;
}
