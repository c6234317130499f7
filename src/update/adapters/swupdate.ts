// SPDX-License-Identifier: Apache-2.0
// SWUpdate as the installer, by its own clients: they come from the same package as its daemon, and
// so know the layout of the messages on its sockets, which changes from version to version.
// `swupdate-client -v` sends the bundle, prints what the daemon says and ends with its result;
// `swupdate-progress`, where it is installed, tells how far each step is. The sockets are where TMPDIR
// says (docs/UPDATES.md). Loaded by main.ts when it is configured and needed.

import {
  type Device,
  type InstallCallbacks,
  InstallError,
  type Installer,
  type Progress,
} from '../installer.js';
import { endInWords, programBounds, runProgram } from '../program.js';

const statusLine = /^Status: (\d+) message: (.*)$/;
/** Such as "[ ====  ] 1 of 2 40% (rootfs.img)". */
const stepLine = /\] *(\d+) of (\d+) +(\d+)%(?: \(([^)]*)\))?/;
const errorWord = /^(?:\[?ERROR\]?)\s*:?\s*/;

export class SwupdateInstaller implements Installer {
  readonly #ended = new AbortController();

  async device(): Promise<Device> {
    return { compatible: null, slots: [] };
  }

  async install(path: string, { onProgress }: InstallCallbacks): Promise<void> {
    const now: Progress = { percent: 0, message: '' };
    const over = new AbortController();
    const signal = AbortSignal.any([this.#ended.signal, over.signal]);
    const watching = this.#watch(now, onProgress, signal);
    let reason = '';
    const onLine = (line: string): void => {
      const [, , text = ''] = statusLine.exec(line) ?? [];
      if (text === '') return;
      // The first is the cause, those behind it are its consequences.
      if (errorWord.test(text)) reason ||= text.replace(errorWord, '');
      now.message = text;
      onProgress({ ...now });
    };
    const timeoutMs = programBounds.installTimeoutMs;
    const own = this.#ended.signal;
    try {
      const command = ['swupdate-client', '-v', path];
      const end = await runProgram(command, { onLine, timeoutMs, signal: own });
      if (own.aborted) throw new InstallError('the service was stopped during the installation');
      if (end.code === 0) return;
      throw new InstallError(reason || end.errors || now.message || endInWords(end, timeoutMs));
    } finally {
      over.abort();
      await watching;
    }
  }

  close(): void {
    this.#ended.abort();
  }

  /** How far the steps are; without that program there are the daemon's words alone. */
  async #watch(now: Progress, onProgress: (progress: Progress) => void, signal: AbortSignal) {
    const onLine = (line: string): void => {
      const [, step, steps, percent] = stepLine.exec(line)?.map(Number) ?? [];
      if (step === undefined || steps === undefined || percent === undefined || steps < 1) return;
      const all = ((step - 1) * 100 + percent) / steps;
      now.percent = Math.min(Math.max(Math.round(all), 0), 100);
      onProgress({ ...now });
    };
    const timeoutMs = programBounds.installTimeoutMs;
    await runProgram(['swupdate-progress'], { onLine, timeoutMs, signal }).catch(() => {});
  }
}
