// SPDX-License-Identifier: Apache-2.0
// `spliced drain [--wait]`: what SIGTERM from the service manager does, by hand. Finds the serving
// process by the record in its state directory, makes sure that it is the service, asks it to finish, waits for its end, and prints its
// last figures. Loaded by cli.ts when this command is given.
//   0  asked, or with --wait: ended, and nothing was lost      1  something was lost, or it goes on
//   2  nothing serves with this state directory

import { StartError } from '../base/start-error.js';
import { isRunning } from '../daemon/run-record.js';
import { loadNative } from '../engine/native.js';
import { recordIn } from './service-directory.js';
import { recordedProcess, type ServiceProcess, terminate } from './service-process.js';
import { findServing, servingHelp, servingOptions } from './serving.js';
import { readCommandLine } from './usage.js';

const pollMs = 100;
const timeoutSDefault = 3600;
const timeoutSMax = 24 * 3600;

const help = (): string => `Usage: spliced drain [--wait] [OPTIONS]

Asks the serving process to stop. It takes no new connections, finishes active responses for up to
timeouts.stop_ms, and ends. Without --state-dir the process is that of the service of this device
(docs/CONFIGURATION.md says which). With a socket unit the next connection starts the service again:
stop the socket first.

  --wait              wait until it has ended, and print its last figures
  --timeout-s SECONDS how long to wait (default: ${timeoutSDefault})
${servingHelp}
  --help              this text
  --version           the version

Exit code 0: asked, or with --wait ended with nothing lost. 1: something was lost, or it did not end
in time. 2: nothing serves with this state directory.
`;

function readTimeoutS(text: unknown): number {
  if (text === undefined) return timeoutSDefault;
  const seconds = /^\d{1,6}$/.test(String(text)) ? Number(text) : 0;
  if (seconds >= 1 && seconds <= timeoutSMax) return seconds;
  throw new StartError(
    `--timeout-s: must be a whole number from 1 to ${timeoutSMax}; it is ${text}`,
  );
}

async function hasEnded(state: ServiceProcess, timeoutS: number): Promise<boolean> {
  const until = performance.now() + timeoutS * 1000;
  while (isRunning(state)) {
    if (performance.now() > until) return false;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  return true;
}

export async function run(args: string[]): Promise<number> {
  const line = readCommandLine('drain', args, {
    options: { ...servingOptions(), wait: { type: 'boolean' }, 'timeout-s': { type: 'string' } },
    help,
  });
  if (line === undefined) return 0;
  const { wait, 'timeout-s': timeoutText, ...settings } = line.values;
  const timeoutS = readTimeoutS(timeoutText);
  const native = loadNative(); // While we may read it.
  const serving = findServing(settings);
  const { directory } = serving;
  const service = await recordedProcess(serving, native);
  // Then the kernel, too, lets us signal nobody else's process.
  if (service.uid === directory.uid) directory.becomeOwner();
  terminate(service, native);
  if (!wait) return 0;
  const { pid } = service;
  if (!(await hasEnded(service, timeoutS))) {
    process.stderr.write(`spliced: process ${pid} still drains after ${timeoutS} s\n`);
    return 1;
  }
  const after = recordIn(directory);
  if (after?.pid !== pid || after.ended === undefined) {
    process.stderr.write(`spliced: process ${pid} ended without its last figures\n`);
    return 1;
  }
  process.stdout.write(`${JSON.stringify({ pid: after.pid, ...after.ended.figures })}\n`);
  return after.ended.isClean ? 0 : 1;
}
