// SPDX-License-Identifier: Apache-2.0
// `spliced update wait-good`: whether an update is good, as spliced-mark-good.service asks it. For
// some time on end the same process must have been ready, its watchdog satisfied, its canaries right,
// and the page's index must have come over HTTPS with the bytes that its file has. What is missing is
// said when it changes. Called by update.ts.

import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { request } from 'node:https';
import { join, resolve } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { reasonOf } from '../start-error.js';
import type { StatusDocument } from '../status-document.js';
import { askApi } from './api-client.js';
import type { Serving } from './serving.js';

const pollMs = 2_000;
const answerTimeoutMs = 10_000;
const redirectsMax = 3;
const indexBytesMax = 64 * 1024 * 1024;

export interface WaitParts {
  /** Throws StartError when nothing serves. */
  find: () => Serving;
  holdMs: number;
  withinMs: number;
  index: string;
  say: (text: string) => void;
}

interface RouteShown {
  path: string;
  host: string;
  action: string;
  root: string;
  index: string;
}

/** The file that a path means; undefined: what is answered is no file. */
export function fileOf(
  path: string,
  root: string,
  routes: readonly RouteShown[],
): string | undefined {
  const fits = (route: RouteShown): boolean =>
    route.host === '' &&
    (path === route.path ||
      path.startsWith(route.path.endsWith('/') ? route.path : `${route.path}/`));
  const [route] = routes.filter(fits).sort((a, b) => b.path.length - a.path.length);
  if (routes.length > 0 && route?.action !== 'static') return undefined;
  const index = route?.index ?? 'index.html';
  const mounted = route !== undefined && route.root !== '';
  const below = mounted ? path.slice(route.path.length) : path;
  return join(mounted ? route.root : root, below, path.endsWith('/') ? index : '');
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
    const how = { rejectUnauthorized: false, agent: false as const, timeout: answerTimeoutMs };
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

/** Why the index is not right; undefined: it is. */
async function indexFault(
  { stateDir, state }: Serving,
  index: string,
): Promise<string | undefined> {
  const [listener] = state.listeners;
  if (listener === undefined) return 'index: nothing is listened on';
  const shown = JSON.parse(await askApi(stateDir, { path: '/configuration' }));
  const { served } = JSON.parse(await askApi(stateDir, { path: '/certificates' }));
  const value = (key: string): unknown => shown.settings[key]?.value;
  // What is relative in the configuration is so to the service's own directory.
  const root = resolve(readlinkSync(`/proc/${state.pid}/cwd`), String(value('root')));
  let path = index;
  for (let turn = 0; turn <= redirectsMax; turn += 1) {
    const answer = await get(listener.address, listener.port, path);
    if (answer.fingerprint !== served[0]?.fingerprint) return 'index: another certificate answers';
    if (answer.status >= 300 && answer.status < 400 && answer.location?.startsWith('/')) {
      path = answer.location;
      continue;
    }
    if (answer.status !== 200) return `index: ${path} is answered with ${answer.status}`;
    const file = fileOf(path, root, (value('route') as RouteShown[] | undefined) ?? []);
    if (file === undefined) return answer.body.length > 0 ? undefined : `index: ${path} is empty`;
    const isRight = hashOf(readFileSync(file)) === hashOf(answer.body);
    return isRight ? undefined : `index: ${path} has other bytes than ${file}`;
  }
  return `index: ${index} leads from one place to the next`;
}

/** What was so at the beginning of the time that is watched. */
interface Base {
  pid: number;
  sinceMs: number;
  canariesRight: number;
  canariesWrong: number;
}

type Look = { base: Base } | { fault: string };

async function look(parts: WaitParts, base: Base | undefined): Promise<Look> {
  let serving: Serving;
  let status: StatusDocument;
  try {
    serving = parts.find();
    status = JSON.parse(await askApi(serving.stateDir, { path: '/status' }));
  } catch (error) {
    return { fault: `ready: ${reasonOf(error)}` };
  }
  const { canary, watchdog } = status;
  if (watchdog !== undefined && watchdog.missing.length > 0) {
    return { fault: `watchdog: it waits for ${watchdog.missing.join(', ')}` };
  }
  if (canary === undefined) return { fault: 'canary: none is sent; the unit needs WatchdogSec=' };
  const { pid } = serving.state;
  const isNew = base === undefined || base.pid !== pid;
  const from = isNew
    ? { pid, sinceMs: performance.now(), canariesRight: canary.ok, canariesWrong: canary.failed }
    : base;
  if (canary.failed > from.canariesWrong) return { fault: `canary: ${canary.lastError}` };
  try {
    const fault = await indexFault(serving, parts.index);
    return fault === undefined ? { base: from } : { fault };
  } catch (error) {
    return { fault: `index: ${reasonOf(error)}` };
  }
}

/** The exit code: 0 when all held for `holdMs`, 1 when that did not come about in time. */
export async function waitUntilGood(parts: WaitParts): Promise<number> {
  const { holdMs, withinMs, say } = parts;
  const endMs = performance.now() + withinMs;
  let base: Base | undefined;
  let said = '';
  for (;;) {
    const result = await look(parts, base);
    base = 'base' in result ? result.base : undefined;
    let fault = 'fault' in result ? result.fault : '';
    if (base !== undefined && performance.now() - base.sinceMs >= holdMs) {
      const { canary } = JSON.parse(
        await askApi(parts.find().stateDir, { path: '/status' }),
      ) as StatusDocument;
      const isNoneWrong = canary?.failed === base.canariesWrong;
      if (isNoneWrong && canary.ok > base.canariesRight) {
        say('good: ready, the canary has passed, the index came with its right bytes');
        return 0;
      }
      fault = isNoneWrong ? 'canary: none has come back yet' : 'canary: one has failed';
    }
    if (fault !== '' && fault !== said) say(`not good yet: ${fault}`);
    said = fault;
    if (performance.now() > endMs) {
      say(`not good: ${fault || 'it has not held for long enough'}; nothing is marked`);
      return 1;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(pollMs, holdMs)));
  }
}
