// SPDX-License-Identifier: Apache-2.0
// `spliced update wait-good`: whether an update is good; spliced-mark-good.service runs it. For some
// time without a break the same process must listen on the API's socket, its watchdog must be
// satisfied, its canaries right, and the index page must come over HTTPS with the bytes of its file
// (index-check.ts). Prints what is missing whenever that changes. Called by update.ts.

import { reasonOf } from '../base/start-error.js';
import type { StatusDocument } from '../base/status-document.js';
import type { LoadedConfiguration } from '../config/configuration.js';
import { askApi } from './api-client.js';
import { indexFault } from './index-check.js';
import type { ServiceDirectory } from './service-directory.js';
import type { ServiceProcess } from './service-process.js';
import type { Serving } from './serving.js';

const pollMs = 2_000;

export interface WaitParts {
  /** Throws StartError when nothing serves. */
  find: () => Serving;
  /** The process that answers there. Throws StartError. */
  processOf: (directory: ServiceDirectory) => Promise<ServiceProcess>;
  /** What this command was configured with. */
  own: LoadedConfiguration;
  holdMs: number;
  withinMs: number;
  index: string;
  say: (text: string) => void;
}

/** What was so at the beginning of the time that is watched. */
interface Base {
  pid: number;
  startTicks: string;
  sinceMs: number;
  canariesRight: number;
  canariesWrong: number;
}

type Look = { base: Base } | { fault: string };

async function look(parts: WaitParts, base: Base | undefined): Promise<Look> {
  let serving: Serving;
  let service: ServiceProcess;
  let status: StatusDocument;
  try {
    serving = parts.find();
    service = await parts.processOf(serving.directory);
    status = JSON.parse(await askApi(serving.directory, { path: '/status' }));
  } catch (error) {
    return { fault: `ready: ${reasonOf(error)}` };
  }
  const { canary, watchdog } = status;
  if (watchdog !== undefined && watchdog.missing.length > 0) {
    return { fault: `watchdog: it waits for ${watchdog.missing.join(', ')}` };
  }
  if (canary === undefined) return { fault: 'canary: none is sent; the unit needs WatchdogSec=' };
  const { pid, startTicks } = service;
  const isNew = base?.pid !== pid || base.startTicks !== startTicks;
  const from = isNew
    ? {
        pid,
        startTicks,
        sinceMs: performance.now(),
        canariesRight: canary.ok,
        canariesWrong: canary.failed,
      }
    : base;
  if (canary.failed > from.canariesWrong) return { fault: `canary: ${canary.lastError}` };
  try {
    const { directory, state } = serving;
    const { own, index } = parts;
    const { listeners } = state;
    const fault = await indexFault({ directory, service, listeners, own, index });
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
        await askApi(parts.find().directory, { path: '/status' }),
      ) as StatusDocument;
      const isNoneWrong = canary?.failed === base.canariesWrong;
      if (isNoneWrong && canary.ok > base.canariesRight) {
        say('good: ready, the canary has passed, the index has the right bytes');
        return 0;
      }
      fault = isNoneWrong ? 'canary: none has come back yet' : 'canary: one has failed';
    }
    if (fault !== '' && fault !== said) say(`not good yet: ${fault}`);
    said = fault;
    if (performance.now() > endMs) {
      say(`not good: ${fault || 'it has not been good for long enough'}; nothing is marked`);
      return 1;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(pollMs, holdMs)));
  }
}
