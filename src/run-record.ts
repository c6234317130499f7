// SPDX-License-Identifier: Apache-2.0
// STATE/service.json: which process serves and where, and afterwards how it ended. Written by the
// daemon at READY and at its end, read by the commands that mean the running service. A record is of use to an operator alone: what
// cannot be written is a line in the log.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ListenAddress } from './config/address.js';
import type { Log } from './log.js';
import { reasonOf } from './start-error.js';

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

const fileOf = (stateDir: string): string => join(stateDir, 'service.json');
const startTicksField = 22;

/** Undefined: there is no such process. */
function startTicksOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // Behind the name, which may hold anything, fields 3 and on. A dead one is no process any more.
    const [state, ...fields] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? undefined : fields[startTicksField - 4];
  } catch {
    return undefined;
  }
}

export function isRunning({ pid, startTicks }: RunState): boolean {
  return startTicksOf(pid) === startTicks;
}

/** Undefined: nothing has ever served with this state directory, or the file is not ours. */
export function readRunState(stateDir: string): RunState | undefined {
  let text: string;
  try {
    text = readFileSync(fileOf(stateDir), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const state = JSON.parse(text) as RunState;
    return Number.isInteger(state.pid) && state.pid > 1 ? state : undefined;
  } catch {
    return undefined;
  }
}

export class RunRecord {
  readonly #state: RunState;
  readonly #stateDir: string;
  readonly #log: Log;

  /**
   * Writes the record of this process, also over that of another which still runs: it may be one that
   * hangs in the kernel and cannot end (failover.ts), but it may also be a mistake, so the log says it.
   */
  constructor(stateDir: string, listeners: readonly ListenAddress[], log: Log) {
    this.#stateDir = stateDir;
    this.#log = log;
    this.#warnIfShared();
    this.#state = { pid: process.pid, startTicks: startTicksOf(process.pid) ?? '', listeners };
    this.#write(this.#state);
  }

  #warnIfShared(): void {
    try {
      const before = readRunState(this.#stateDir);
      if (before === undefined || before.ended !== undefined || !isRunning(before)) return;
      const { pid } = before;
      const advice = 'give each service a state directory of its own';
      this.#log.warn({ event: 'state_dir_shared', stateDir: this.#stateDir, pid, advice });
    } catch {} // What cannot be read cannot be written either, and that is said.
  }

  finish(ended: RunEnd): void {
    this.#write({ ...this.#state, ended });
  }

  #write(state: RunState): void {
    const file = fileOf(this.#stateDir);
    try {
      mkdirSync(this.#stateDir, { recursive: true, mode: 0o700 });
      writeFileSync(`${file}.new`, `${JSON.stringify(state)}\n`, { mode: 0o600 });
      renameSync(`${file}.new`, file);
    } catch (error) {
      this.#log.warn({ event: 'run_record_failed', reason: reasonOf(error) });
    }
  }
}
