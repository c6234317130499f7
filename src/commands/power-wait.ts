// SPDX-License-Identifier: Apache-2.0
// After a restart or a power-off was asked for: waits until the service begins to end, or says why
// it does not. Used by device.ts and update.ts.

import { StartError } from '../base/start-error.js';
import type { PowerDocument } from '../power/document.js';
import { ApiRefusal, askApi } from './api-client.js';
import type { ServiceDirectory } from './service-directory.js';

const pollMs = 500;
/** Longer than the service itself waits (power/request.ts). */
const waitMsMax = 75_000;

/** Asked at each turn: the words of what has gone wrong; undefined: nothing has. */
export type Failure = () => Promise<string | null | undefined>;

/** True: it begins, or nobody answers any more. Undefined: not yet. */
async function hasBegun(directory: ServiceDirectory): Promise<boolean> {
  try {
    const { draining } = JSON.parse(await askApi(directory, { path: '/device' })) as PowerDocument;
    return draining;
  } catch (error) {
    if (error instanceof StartError && !(error instanceof ApiRefusal)) return true;
    throw error;
  }
}

/** 0, or 1 with the reason on standard error. */
export async function waitUntilItBegins(
  directory: ServiceDirectory,
  done: string,
  failure: Failure,
): Promise<number> {
  const endMs = performance.now() + waitMsMax;
  while (!(await hasBegun(directory))) {
    const reason = await failure().catch(() => undefined); // hasBegun() judges who does not answer.
    if (reason) {
      process.stderr.write(`spliced: ${reason}\n`);
      return 1;
    }
    if (performance.now() > endMs) {
      process.stderr.write('spliced: the service did not do it in time; see spliced log\n');
      return 1;
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  process.stdout.write(`${done}\n`);
  return 0;
}
