// SPDX-License-Identifier: Apache-2.0
// SWUpdate as the installer, by its own clients: they come from the same package as its daemon, and
// so know the layout of the messages on its sockets, which changes from version to version.
// `swupdate-client -v` sends the bundle, prints what the daemon says and ends with its result;
// `swupdate-progress`, where it is installed, tells how far each step is. The sockets are where TMPDIR
// says (docs/UPDATES.md). Loaded by main.ts when it is configured and needed.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Device,
  type InstallCallbacks,
  InstallError,
  type Installer,
  type Progress,
} from '../installer.js';
import { endInWords, programBounds, runProgram } from '../program.js';

const statusLine = /^Status: (\d+) message: (.+)$/;
/** RECOVERY_STATUS of swupdate_status.h. */
const idle = '0';
const failure = '4';
/** Before the words: the function that says them, or that they are an error. */
const prefix = /^(?:\[\w+\] : |ERROR : )/;
/** Such as "[ ====  ] 1 of 2 40% (rootfs.img), dwl 0% of 0 bytes". */
const stepLine = /\] *(\d+) of (\d+) +(\d+)%/;

/** The client could not send everything: it then asks for no result and ends with a failure. */
const brokenTransfer = /image_write failed/;
/** What it writes itself of a result stays in its buffer; the output of a command does not. */
const watchCommand = ['swupdate-progress', '-e', 'echo result'];
const resultLine = /^result (SUCCESS|FAILURE)$/;
const unexplained =
  'SWUpdate has ended the transfer of the bundle, as a rule for its signature or for want of room; ' +
  "SWUpdate's log says why.";
const unknown =
  "The transfer to SWUpdate broke off, and its result is not known; SWUpdate's log tells it.";

const resultPollMs = 500;
/** For swupdate-progress to connect: it does not say when it has, and hears nothing from before. */
const headStartMsDefault = 1_500;
/** Without a word from swupdate-progress for so long there will be none. */
const silenceMsMax = 60_000;

/** What swupdate-progress has said so far. */
interface Watch {
  result: 'SUCCESS' | 'FAILURE' | undefined;
  lastLineMs: number;
  hasEnded: boolean;
}

export class SwupdateInstaller implements Installer {
  readonly #ended = new AbortController();
  readonly #headStartMs: number;

  constructor(headStartMs = headStartMsDefault) {
    this.#headStartMs = headStartMs;
  }

  async device(): Promise<Device> {
    return { compatible: null, slots: [] };
  }

  async install(path: string, { onProgress }: InstallCallbacks): Promise<void> {
    const now: Progress = { percent: 0, message: '' };
    const over = new AbortController();
    const signal = AbortSignal.any([this.#ended.signal, over.signal]);
    const watch: Watch = { result: undefined, lastLineMs: performance.now(), hasEnded: false };
    const watching = this.#watch(watch, now, onProgress, signal);
    try {
      await sleep(this.#headStartMs, undefined, { signal }).catch(() => {});
      await this.#send(path, watch, now, onProgress);
    } finally {
      over.abort();
      await watching;
    }
  }

  close(): void {
    this.#ended.abort();
  }

  async #send(
    path: string,
    watch: Watch,
    now: Progress,
    onProgress: (progress: Progress) => void,
  ): Promise<void> {
    // The first failure is the cause, those behind it are its consequences.
    let reason = '';
    const onLine = (line: string): void => {
      const [, status, text = ''] = statusLine.exec(line) ?? [];
      const words = text.replace(prefix, '');
      if (status === failure) reason ||= words;
      if (status === undefined || status === idle) return;
      now.message = words;
      onProgress({ ...now });
    };
    const timeoutMs = programBounds.installTimeoutMs;
    const { signal } = this.#ended;
    const end = await runProgram(['swupdate-client', '-v', path], { onLine, timeoutMs, signal });
    const result = brokenTransfer.test(end.errors) ? await this.#resultOf(watch) : undefined;
    if (signal.aborted) throw new InstallError('the service was stopped during the installation');
    if (end.code === 0 || result === 'SUCCESS') return;
    if (brokenTransfer.test(end.errors)) reason ||= result === undefined ? unknown : unexplained;
    throw new InstallError(reason || end.errors || endInWords(end, timeoutMs));
  }

  /** The daemon may have everything and go on although its client has given up (seen with 2022.12). */
  async #resultOf(watch: Watch): Promise<Watch['result']> {
    const isOver = (): boolean =>
      watch.result !== undefined ||
      watch.hasEnded ||
      performance.now() - watch.lastLineMs > silenceMsMax;
    while (!isOver()) await sleep(resultPollMs);
    return watch.result;
  }

  /** How far the steps are, and the result; without that program there are the daemon's words alone. */
  async #watch(
    watch: Watch,
    now: Progress,
    onProgress: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const onLine = (line: string): void => {
      watch.lastLineMs = performance.now();
      watch.result = (resultLine.exec(line)?.[1] as Watch['result']) ?? watch.result;
      const [, step, steps, percent] = stepLine.exec(line)?.map(Number) ?? [];
      if (step === undefined || steps === undefined || percent === undefined || steps < 1) return;
      const all = ((step - 1) * 100 + percent) / steps;
      now.percent = Math.min(Math.max(Math.round(all), 0), 100);
      onProgress({ ...now });
    };
    const timeoutMs = programBounds.installTimeoutMs;
    await runProgram(watchCommand, { onLine, timeoutMs, signal }).catch(() => {});
    watch.hasEnded = true;
  }
}
