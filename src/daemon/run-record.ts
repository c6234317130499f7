// SPDX-License-Identifier: Apache-2.0
// service.json in the state directory (or another: run-directory.ts): which process serves and where, and afterwards how it ended. Written by the
// daemon at READY and at its end, read by the commands that mean the running service, which believe
// it no more than they must (commands/service-process.ts). A record is of use to an operator alone:
// what cannot be written is tried again (housekeeping.ts).

import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ListenAddress } from '../config/address.js';
import { readItself } from '../files/descriptors.js';
import type { Housekeeper } from '../files/housekeeping.js';
import { replaceFileSync } from '../files/replace-file.js';
import type { Log } from '../log/log.js';

export interface RunEnd {
  isClean: boolean;
  figures: Record<string, unknown>;
}

export interface RunState {
  pid: number;
  /** When the process began, in clock ticks since the boot, proc_pid_stat(5): pids are used again. */
  startTicks: string;
  /** As bound. */
  listeners: readonly ListenAddress[];
  ended?: RunEnd;
}

export const recordName = 'service.json';
export const recordBytesMax = 64 * 1024;

const fileOf = (stateDir: string): string => join(stateDir, recordName);
const startTicksField = 22;

/** Undefined: there is no such process. */
export function startTicksOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // Behind the name, which may hold anything, fields 3 and on. A dead one is no process any more.
    const [state, ...fields] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? undefined : fields[startTicksField - 4];
  } catch {
    return undefined;
  }
}

export function isRunning({ pid, startTicks }: Pick<RunState, 'pid' | 'startTicks'>): boolean {
  return startTicksOf(pid) === startTicks;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

const isAddress = (value: unknown): boolean =>
  isObject(value) && typeof value.address === 'string' && Number.isInteger(value.port);

const isEnd = (value: unknown): value is RunEnd =>
  isObject(value) && typeof value.isClean === 'boolean' && isObject(value.figures);

/** What of it can be understood; undefined: it names no process. */
function runStateOf(value: unknown): RunState | undefined {
  if (!isObject(value)) return undefined;
  const { pid, startTicks, listeners, ended } = value;
  if (!Number.isInteger(pid) || Number(pid) <= 1 || typeof startTicks !== 'string')
    return undefined;
  const places = Array.isArray(listeners) && listeners.every(isAddress) ? listeners : [];
  const state = { pid: Number(pid), startTicks, listeners: places };
  return isEnd(ended) ? { ...state, ended } : state;
}

/** Undefined: nothing has ever served with this state directory, or the file is not ours. */
export function readRunState(
  stateDir: string,
  read: () => string = () => readItself(fileOf(stateDir), recordBytesMax).toString('utf8'),
): RunState | undefined {
  let text: string;
  try {
    text = read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return runStateOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

export class RunRecord {
  readonly #state: RunState;
  readonly #directory: string;
  readonly #log: Log;
  readonly #housekeeping: Housekeeper;

  /**
   * Writes the record of this process, also over that of another which still runs: it may be one that
   * hangs in the kernel and cannot end (failover.ts), but it may also be a mistake, so the log says it.
   */
  constructor(
    directory: string,
    listeners: readonly ListenAddress[],
    log: Log,
    housekeeping: Housekeeper,
  ) {
    this.#directory = directory;
    this.#housekeeping = housekeeping;
    this.#log = log;
    this.#warnIfShared();
    this.#state = { pid: process.pid, startTicks: startTicksOf(process.pid) ?? '', listeners };
    this.#write(this.#state);
  }

  #warnIfShared(): void {
    try {
      const before = readRunState(this.#directory);
      if (before === undefined || before.ended !== undefined || !isRunning(before)) return;
      const { pid } = before;
      const advice = 'give each service a state directory of its own';
      this.#log.warn({ event: 'state_dir_shared', stateDir: this.#directory, pid, advice });
    } catch {} // What cannot be read cannot be written either, and that is said.
  }

  finish(ended: RunEnd): void {
    this.#write({ ...this.#state, ended });
  }

  #write(state: RunState): void {
    void this.#housekeeping.keep('writing service.json', () => {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      replaceFileSync(fileOf(this.#directory), `${JSON.stringify(state)}\n`);
    });
  }
}
