// SPDX-License-Identifier: Apache-2.0
// Writes lines to a standard stream at once and never waits: a reader that hangs (a stuck journal, a
// pager, a stopped terminal) must not stop the thread that signals, renewals and the watchdog need.
// Lines that the reader does not read wait in a short queue; when the queue is full, lines are dropped
// and counted. Used by log.ts, and by cli.ts for its last words.

import { constants, fstatSync, openSync, type Stats, writeSync } from 'node:fs';
import { Socket } from 'node:net';

/** Of the queue; both hold. */
export const outputBounds = { linesMax: 500, bytesMax: 128 * 1024 } as const;
const retryMs = 200;

/** Sockets that made a stream non-blocking. They must live as long as the process. */
const kept: Socket[] = [];

/**
 * A descriptor of the same stream that never waits. A pipe or a terminal is opened anew, so that
 * whoever shares it is not touched; a socket (the journal's) cannot be, nor a pipe of another user.
 */
function withoutWaiting(fd: number): number {
  let status: Stats;
  try {
    status = fstatSync(fd);
  } catch {
    return fd; // It is closed: writing says so.
  }
  if (status.isFIFO() || status.isCharacterDevice()) {
    try {
      const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
      return openSync(`/proc/self/fd/${fd}`, flags);
    } catch {} // Not ours, or without a reader.
  }
  if (status.isFIFO() || status.isSocket()) {
    try {
      kept.push(new Socket({ fd, readable: false, writable: true }).unref());
    } catch {} // Of a kind that Node does not know.
  }
  return fd;
}

export interface OutputListener {
  /** Lines were dropped, `dropped` in all so far, for this reason. Also while it lasts. */
  onDropped(dropped: number, reason: string): void;
  /** It is written again; so many lines are missing before what comes next. */
  onRecovered(lines: number): void;
}

export class LineOutput {
  readonly #fd: number;
  readonly #listeners: OutputListener[] = [];
  #queue: Buffer[] = [];
  #bytes = 0;
  /** Of the first line; what is begun is finished first, so that no line is cut. */
  #written = 0;
  #isTorn = false;
  #dropped = 0;
  #untold = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(fd: number) {
    this.#fd = withoutWaiting(fd);
  }

  /** In all. */
  get dropped(): number {
    return this.#dropped;
  }

  listen(listener: OutputListener): void {
    this.#listeners.push(listener);
  }

  /** With its end. Never throws, never waits. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    const { linesMax, bytesMax } = outputBounds;
    const isEmpty = this.#queue.length === 0;
    const hasPlace = this.#queue.length < linesMax && this.#bytes + bytes.length <= bytesMax;
    if (isEmpty || hasPlace) {
      this.#queue.push(bytes);
      this.#bytes += bytes.length;
    }
    this.#flush();
    if (!isEmpty && !hasPlace) this.#drop(1, 'its reader does not read');
  }

  /** Resolves when all is written or dropped, or when the time is over. */
  async drained(timeoutMs: number): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    while (this.#queue.length > 0 && performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, retryMs / 10));
      this.#flush();
    }
  }

  #flush(): void {
    while (this.#queue.length > 0) {
      const code = this.#writeOn();
      if (code === 'EINTR') continue;
      if (code === 'EAGAIN') this.#later();
      else if (code !== '') this.#fail(code);
      if (code !== '') return;
    }
    this.#recovered();
  }

  /** As much of the first line as is taken; an errno's name, or empty. */
  #writeOn(): string {
    const [line = Buffer.alloc(0)] = this.#queue;
    try {
      if (this.#isTorn) writeSync(this.#fd, '\n');
      this.#isTorn = false;
      this.#written += writeSync(this.#fd, line, this.#written);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? 'EIO';
    }
    if (this.#written === line.length) {
      this.#queue.shift();
      this.#bytes -= line.length;
      this.#written = 0;
    }
    return '';
  }

  /** Such as EPIPE, EIO of a terminal that is gone, ENOSPC of a file. */
  #fail(code: string): void {
    const lines = this.#queue.length;
    this.#isTorn ||= this.#written > 0;
    this.#queue = [];
    this.#bytes = 0;
    this.#written = 0;
    this.#drop(lines, code);
  }

  #drop(lines: number, reason: string): void {
    this.#dropped += lines;
    this.#untold += lines;
    for (const { onDropped } of this.#listeners) onDropped(this.#dropped, reason);
  }

  #recovered(): void {
    if (this.#untold === 0) return;
    const lines = this.#untold;
    this.#untold = 0;
    for (const { onRecovered } of this.#listeners) onRecovered(lines);
  }

  #later(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#flush();
    }, retryMs).unref();
  }
}
