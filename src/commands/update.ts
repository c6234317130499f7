// SPDX-License-Identifier: Apache-2.0
// `spliced update`: the update for operators on the device, through the running service's API; and
// what spliced-mark-good.service does. Loaded by cli.ts for this command.

import { StartError } from '../base/start-error.js';
import { loadConfiguration } from '../config/configuration.js';
import { loadNative } from '../engine/native.js';
import type { UpdateDocument } from '../update/document.js';
import { ApiRefusal, askApi } from './api-client.js';
import { waitUntilItBegins } from './power-wait.js';
import type { ServiceDirectory } from './service-directory.js';
import { askedProcess } from './service-process.js';
import {
  enterServing,
  findServing,
  type Serving,
  servingHelp,
  servingIn,
  servingOptions,
} from './serving.js';
import { waitUntilGood } from './update-good.js';
import { updateInstall } from './update-install.js';
import { readCommandLine } from './usage.js';

const holdSDefault = 60;
const withinSDefault = 240;
const busyPollMs = 2_000;
const busyMsMax = 30 * 60_000;

const help = (): string => `Usage: spliced update status [--json] [OPTIONS]
       spliced update install FILE [OPTIONS]
       spliced update restart [OPTIONS]
       spliced update wait-good [--hold-s N] [--within-s N] [--index PATH] [OPTIONS]
       spliced update mark-good [OPTIONS]

  status      the state of the update, and the slots
  install     gives the file to the installer that update.adapter names, and waits for its end
  restart     finishes what is active, then restarts the device
  wait-good   waits until the service has been well for a while; prints what is missing
  mark-good   tells the boot loader to keep the slot that runs; waits while an update is installed

  --json              everything, as JSON
  --hold-s N          wait-good: how long it must have been well (default: ${holdSDefault})
  --within-s N        wait-good: give up after this time (default: ${withinSDefault})
  --index PATH        wait-good: the page whose bytes are compared (default: /)
${servingHelp}
  --help              this text
  --version           the version

Exit code 0: done. 1: refused or failed; the reason is on standard error.
`;

function rowsOf(update: UpdateDocument): [string, string][] {
  const { adapter, state, bundle, waiting, upload, progress, error, compatible, slots } = update;
  const by = update.begunBy === 'other' ? ', begun by another program' : '';
  const rows: [string, string][] = [['update', `${state} (${adapter})${by}`]];
  if (upload !== null) {
    rows.push(['upload', `${upload.name}, ${upload.offset} of ${upload.length} bytes`]);
  }
  if (bundle !== null) {
    const more = [bundle.version, bundle.compatible && `for ${bundle.compatible}`].filter(Boolean);
    rows.push(['bundle', [bundle.name, ...more].join(', ')]);
  }
  if (waiting !== null) rows.push(['waiting', waiting.name]);
  if (progress !== null) rows.push(['progress', `${progress.percent} % ${progress.message}`]);
  if (error !== null) rows.push(['error', error]);
  if (update.restartNeeded) rows.push(['', 'it runs after a restart: spliced update restart']);
  if (compatible !== null) rows.push(['device', compatible]);
  for (const { name, bootname, state: slotState, status, version } of slots) {
    const words = [bootname ?? '', slotState, status, version ?? ''].filter((word) => word !== '');
    rows.push([`slot ${name}`, words.join(', ')]);
  }
  return rows;
}

async function showStatus(directory: ServiceDirectory, isJson: boolean): Promise<number> {
  const text = await askApi(directory, { path: '/update' });
  const rows = isJson ? [] : rowsOf(JSON.parse(text) as UpdateDocument);
  const table = rows.map(([name, value]) => `${name.padEnd(15)} ${value}\n`).join('');
  process.stdout.write(isJson ? `${text}\n` : table);
  return 0;
}

async function post(directory: ServiceDirectory, path: string): Promise<Record<string, unknown>> {
  return JSON.parse(await askApi(directory, { method: 'POST', path, body: {} }));
}

/** Until the service begins to end: then nothing but the device's own shutdown is left. */
async function restart(directory: ServiceDirectory): Promise<number> {
  await post(directory, '/update/restart');
  const done = 'The service finishes what is active; then comes the restart.';
  return waitUntilItBegins(directory, done, async () => {
    const { state, error } = JSON.parse(await askApi(directory, { path: '/update' }));
    return state === 'restarting' ? undefined : error;
  });
}

/** An installer that is busy marks nothing: until it has come to an end. */
async function markGood(directory: ServiceDirectory): Promise<number> {
  const endMs = performance.now() + busyMsMax;
  for (;;) {
    try {
      const { message } = await post(directory, '/update/slots/booted/good');
      process.stdout.write(`${message}\n`);
      return 0;
    } catch (error) {
      const { state } = JSON.parse(await askApi(directory, { path: '/update' }));
      const isBusy = error instanceof ApiRefusal && state === 'installing';
      if (!isBusy || performance.now() > endMs) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, busyPollMs));
  }
}

function seconds(text: unknown, name: string, fallback: number): number {
  if (text === undefined) return fallback;
  const number = /^\d{1,5}$/.test(String(text)) ? Number(text) : 0;
  if (number >= 1) return number;
  throw new StartError(`--${name}: must be a whole number of seconds; it is ${text}`);
}

export async function run(args: string[]): Promise<number> {
  const string = { type: 'string' as const };
  const own = {
    'hold-s': string,
    'within-s': string,
    index: string,
    json: { type: 'boolean' as const },
  };
  const options = { ...servingOptions(), ...own };
  const line = readCommandLine('update', args, { options, help, positionalsMax: 2 });
  if (line === undefined) return 0;
  const [action = 'status', file] = line.positionals;
  if (file !== undefined && action !== 'install') {
    throw new StartError(`unexpected argument "${file}"; see spliced update --help`);
  }
  const { 'hold-s': holdText, 'within-s': withinText, index = '/', json, ...place } = line.values;
  const actions: Record<string, () => Promise<number>> = {
    status: () => showStatus(enterServing(place).directory, json === true),
    install: async () => {
      if (file === undefined) throw new StartError('give the file: spliced update install FILE');
      return updateInstall(findServing(place).directory, file);
    },
    restart: () => restart(enterServing(place).directory),
    'wait-good': () => {
      const native = loadNative(); // While we may read it.
      let serving: Serving | undefined;
      return waitUntilGood({
        find: () => {
          // By its path it may be out of reach by now.
          serving = serving === undefined ? enterServing(place) : servingIn(serving.directory);
          return serving;
        },
        processOf: (directory) => askedProcess(directory, native),
        own: loadConfiguration(place),
        holdMs: seconds(holdText, 'hold-s', holdSDefault) * 1000,
        withinMs: seconds(withinText, 'within-s', withinSDefault) * 1000,
        index: String(index),
        say: (text) => process.stderr.write(`spliced: ${text}\n`),
      });
    },
    'mark-good': () => markGood(enterServing(place).directory),
  };
  const chosen = Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (chosen === undefined) {
    const names = Object.keys(actions).join(', ');
    throw new StartError(`there is no update ${action}; there are: ${names}`);
  }
  try {
    return await chosen();
  } catch (error) {
    if (!(error instanceof ApiRefusal)) throw error;
    process.stderr.write(`spliced: ${error.message}\n`);
    return 1;
  }
}
