// SPDX-License-Identifier: Apache-2.0
// Any program of the product as the installer: it is started with the bundle's path as its last
// argument, and says what it does in lines of JSON on standard output:
//   {"percent": 40, "message": "writing the root file system"}      {"error": "no space left"}
// Exit code 0 is success, unless its last line is an error. docs/UPDATES.md has the contract.

import {
  type Device,
  type InstallCallbacks,
  InstallError,
  type Installer,
  type Progress,
} from '../installer.js';
import { endInWords, programBounds, runProgram } from '../program.js';

interface Said {
  percent?: unknown;
  message?: unknown;
  error?: unknown;
}

/** An object of JSON; undefined for every other line, which is passed over. */
function said(line: string): Said | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Said;
  } catch {
    return undefined;
  }
}

const lastLineOf = (text: string): string => text.split('\n').at(-1)?.trim() ?? '';

export class CommandInstaller implements Installer {
  readonly #command: readonly string[];
  readonly #ended = new AbortController();

  constructor(command: readonly string[]) {
    this.#command = command;
  }

  async device(): Promise<Device> {
    return { compatible: null, slots: [] };
  }

  async install(path: string, { onProgress }: InstallCallbacks): Promise<void> {
    const now: Progress = { percent: 0, message: '' };
    let refusal: string | undefined;
    const onLine = (line: string): void => {
      const { percent, message, error } = said(line) ?? {};
      refusal = typeof error === 'string' && error !== '' ? error : undefined;
      if (typeof percent === 'number')
        now.percent = Math.min(Math.max(Math.round(percent), 0), 100);
      if (typeof message === 'string') now.message = message;
      if (percent !== undefined || message !== undefined) onProgress({ ...now });
    };
    const timeoutMs = programBounds.installTimeoutMs;
    const { signal } = this.#ended;
    const end = await runProgram([...this.#command, path], { onLine, timeoutMs, signal });
    if (signal.aborted) throw new InstallError('the service was stopped during the installation');
    if (end.code === 0 && refusal === undefined) return;
    throw new InstallError(refusal ?? (lastLineOf(end.errors) || endInWords(end, timeoutMs)));
  }

  close(): void {
    this.#ended.abort();
  }
}
