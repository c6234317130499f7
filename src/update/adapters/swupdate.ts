// SPDX-License-Identifier: Apache-2.0
// SWUpdate as the installer, by its own clients: they come from the same package as its daemon, and
// so know the layout of the messages on its sockets, which changes from version to version.
// `swupdate-client -v` sends the bundle, prints what the daemon says and ends with its result;
// `swupdate-progress`, where it is installed, tells how far each step is, and what other programs have
// begun, such as suricatta. The sockets are where TMPDIR says (docs/UPDATES.md). Loaded by main.ts when
// it is configured.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Device,
  type Follow,
  type InstallCallbacks,
  InstallError,
  type Installer,
  type OthersEvents,
  type Progress,
} from '../installer.js';
import { endInWords, programBounds, runProgram } from '../program.js';
import { type Result, SwupdateProgress } from './swupdate-progress.js';

const statusLine = /^Status: (\d+) message: (.+)$/;
/** RECOVERY_STATUS of swupdate_status.h. */
const idle = '0';
const failure = '4';
/** Before the words: the function that says them, or that they are an error. */
const prefix = /^(?:\[\w+\] : |ERROR : )/;

/** The client could not send everything: it then asks for no result and ends with a failure. */
const brokenTransfer = /image_write failed/;
const unexplained =
  'SWUpdate has ended the transfer of the bundle, as a rule for its signature or for want of room; ' +
  "SWUpdate's log says why.";
const unknown =
  "The transfer to SWUpdate broke off, and its result is not known; SWUpdate's log tells it.";
const othersFailure = "The installation has failed; SWUpdate's log says why.";
const othersEndUnknown =
  "SWUpdate tells nothing more of this installation; SWUpdate's log has its end.";
/** Any word would do: the daemon has one installation at a time. */
const othersToken = 'swupdate';

const resultPollMs = 500;
/** For swupdate-progress to connect: it does not say when it has, and hears nothing from before. */
const headStartMsDefault = 1_500;
/** Without a word from swupdate-progress for so long there will be none. */
const silenceMsMax = 60_000;
/** Of an installation that others began: its scripts may take long. */
const othersSilenceMsDefault = 10 * 60_000;
/** The client knows the result a moment before swupdate-progress has told it. */
const lateMsMax = 2_000;

/** What swupdate-progress has said of an installation so far. */
interface Watch {
  onPercent: (percent: number) => void;
  result: Result | undefined;
  lastLineMs: number;
  hasEnded: boolean;
}

function newWatch(onPercent: Watch['onPercent'] = () => {}): Watch {
  return { onPercent, result: undefined, lastLineMs: performance.now(), hasEnded: false };
}

export class SwupdateInstaller implements Installer {
  readonly #ended = new AbortController();
  readonly #program: SwupdateProgress;
  readonly #headStartMs: number;
  readonly #othersSilenceMs: number;
  #others: OthersEvents | undefined;
  /** Of the installation that is under way, ours or another's. */
  #current: Watch | undefined;

  constructor(headStartMs = headStartMsDefault, othersSilenceMs = othersSilenceMsDefault) {
    this.#headStartMs = headStartMs;
    this.#othersSilenceMs = othersSilenceMs;
    this.#program = new SwupdateProgress({
      onStep: (percent) => this.#heard()?.onPercent(percent),
      onResult: (result) => {
        const watch = this.#heard();
        if (watch !== undefined) watch.result = result;
        this.#current = undefined;
      },
      onEnd: (reason) => {
        if (this.#current !== undefined) this.#current.hasEnded = true;
        this.#others?.onTrouble(`What other programs install is not seen: ${reason}.`);
      },
    });
  }

  async device(): Promise<Device> {
    return { compatible: null, slots: [] };
  }

  async install(path: string, { onProgress }: InstallCallbacks): Promise<void> {
    const now: Progress = { percent: 0, message: '' };
    const { signal } = this.#ended;
    const watch = newWatch((percent) => {
      now.percent = percent;
      onProgress({ ...now });
    });
    this.#current = watch;
    try {
      this.#program.start();
      const startedMs = this.#program.startedMs ?? 0;
      const waitMs = startedMs + this.#headStartMs - performance.now();
      await sleep(Math.max(waitMs, 0), undefined, { signal }).catch(() => {});
      await this.#send(path, watch, now, onProgress);
    } finally {
      // What is told behind it would be taken for somebody else's.
      await this.#resultOf(watch, lateMsMax, lateMsMax);
      this.#forget(watch);
    }
  }

  async resume(_token: string, callbacks: InstallCallbacks): Promise<void> {
    this.#current ??= newWatch();
    this.#program.start();
    await this.#followOther(this.#current, callbacks);
  }

  watchOthers(events: OthersEvents): void {
    this.#others = events;
    this.#program.start();
  }

  close(): void {
    this.#ended.abort();
    this.#program.close();
  }

  /** The daemon tells of an installation: of which. Undefined: nobody wants to know. */
  #heard(): Watch | undefined {
    const before = this.#current;
    if (before === undefined && this.#others !== undefined) {
      const watch = newWatch();
      this.#current = watch;
      const follow: Follow = (callbacks) => this.#followOther(watch, callbacks);
      this.#others.onBegun(follow);
    }
    if (this.#current !== undefined) this.#current.lastLineMs = performance.now();
    return this.#current;
  }

  async #followOther(watch: Watch, { onProgress, onToken }: InstallCallbacks): Promise<void> {
    onToken(othersToken);
    watch.onPercent = (percent) => onProgress({ percent, message: '' });
    const result = await this.#resultOf(watch, this.#othersSilenceMs);
    this.#forget(watch);
    if (this.#ended.signal.aborted) throw new InstallError('the service was stopped meanwhile');
    if (result === undefined) throw new InstallError(othersEndUnknown);
    if (result === 'FAILURE') throw new InstallError(othersFailure);
  }

  #forget(watch: Watch): void {
    if (this.#current === watch) this.#current = undefined;
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
    const result = brokenTransfer.test(end.errors)
      ? await this.#resultOf(watch, silenceMsMax)
      : undefined;
    if (signal.aborted) throw new InstallError('the service was stopped during the installation');
    if (end.code === 0 || result === 'SUCCESS') return;
    if (brokenTransfer.test(end.errors)) reason ||= result === undefined ? unknown : unexplained;
    throw new InstallError(reason || end.errors || endInWords(end, timeoutMs));
  }

  /** The daemon may have everything and go on although its client has given up (seen with 2022.12). */
  async #resultOf(watch: Watch, silenceMs: number, waitMs = Infinity): Promise<Watch['result']> {
    const endMs = performance.now() + Math.min(waitMs, programBounds.installTimeoutMs);
    const isOver = (): boolean =>
      watch.result !== undefined ||
      watch.hasEnded ||
      this.#ended.signal.aborted ||
      performance.now() - watch.lastLineMs > silenceMs ||
      performance.now() > endMs;
    while (!isOver()) await sleep(resultPollMs);
    return watch.result;
  }
}
