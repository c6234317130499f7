// SPDX-License-Identifier: Apache-2.0
// Sends a bundle to the device in pieces, and goes on where it was cut off: the connection, the
// service, or the page (then with the same file, chosen again). Between two pieces the service may
// close the connection, so that its restart cuts off nothing. Nothing is read into memory.

import { change, Refusal, Unreachable } from './api.js';
import { afterMs } from './wait.js';

const pieceBytes = 16 << 20;
const retryMsMin = 1_000;
const retryMsMax = 15_000;
/** No byte taken for so long: the connection is as good as cut off. */
const stallMs = 30_000;
/** The device compares it when all is there. A larger one would have to be in memory for that. */
const digestBytesMax = 64 << 20;
/** The rate is that of the last seconds. */
const rateWindowMs = 5_000;

/** `POST update/uploads`. */
interface Ticket {
  upload: string;
  offset: number;
  length: number;
}

export interface Progress {
  name: string;
  offset: number;
  length: number;
  bytesPerS: number;
  /** Why nothing moves, when nothing does. */
  waiting: string;
}

/** What a new announcement of the same file puts right (docs/UPLOAD.md). */
const passing: Readonly<Record<number, string>> = {
  404: 'The service was restarted.',
  408: 'The line was too slow.',
  409: 'The device has another part of it.',
  502: 'The service is being restarted.',
  503: 'The service is being restarted.',
  504: 'The service is too busy.',
};

type Piece = { isDone: true; offset: number | undefined } | { isDone: false; reason: string };

async function digestOf(file: File): Promise<string | undefined> {
  if (file.size > digestBytesMax || crypto.subtle === undefined) return undefined;
  const hash = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const offsetOf = (request: XMLHttpRequest): number | undefined => {
  const field = request.getResponseHeader('Upload-Offset');
  return field !== null && /^\d{1,15}$/.test(field) ? Number(field) : undefined;
};

function refusalOf(request: XMLHttpRequest): Refusal {
  const { status, responseText } = request;
  const type = request.getResponseHeader('Content-Type') ?? '';
  const said = /^text\/plain/.test(type) ? responseText.trim().slice(0, 300) : '';
  let detail = said || `The device refused the upload with ${status}.`;
  try {
    detail = JSON.parse(responseText).detail ?? detail;
  } catch {
    // In other words, or none.
  }
  return new Refusal(status, { title: '', status, detail });
}

export class Upload {
  readonly #file: File;
  readonly #onProgress: (progress: Progress) => void;
  readonly #cancelled = new AbortController();
  #offset = 0;
  #waiting = '';
  #marks: { atMs: number; offset: number }[] = [];

  constructor(file: File, onProgress: (progress: Progress) => void) {
    this.#file = file;
    this.#onProgress = onProgress;
  }

  /** Stops to send. What the device has stays there, for going on. */
  pause(): void {
    this.#cancelled.abort();
  }

  /** True when the device has all of it, false after pause(). Throws Refusal. */
  async run(): Promise<boolean> {
    this.#tell('Reading the file…');
    const sha256 = await digestOf(this.#file);
    const { name, size: length } = this.#file;
    let retryMs = retryMsMin;
    while (!this.#cancelled.signal.aborted) {
      let reason: string;
      try {
        const body = { name, length, ...(sha256 === undefined ? {} : { sha256 }) };
        const ticket = await change<Ticket>('POST', 'update/uploads', body);
        const before = ticket.offset;
        reason = await this.#send(ticket);
        if (reason === '') return this.#offset === length;
        if (this.#offset > before) retryMs = retryMsMin;
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        reason = error.message;
      }
      this.#marks = [];
      this.#tell(`${reason} Going on as soon as it is possible.`);
      await afterMs(retryMs, this.#cancelled.signal);
      retryMs = Math.min(retryMs * 2, retryMsMax);
    }
    return false;
  }

  /** All that is missing. Empty: it is there, or paused; else why it went no further. */
  async #send({ upload, offset }: Ticket): Promise<string> {
    if (!upload.startsWith('/.spliced/upload/')) return 'The device gave no place to send it to.';
    this.#offset = offset;
    this.#tell('');
    const { size } = this.#file;
    while (this.#offset < size) {
      const first = this.#offset;
      const end = Math.min(first + pieceBytes, size);
      const piece = await this.#put(upload, first, end);
      if (this.#cancelled.signal.aborted) return '';
      if (!piece.isDone) return piece.reason;
      this.#offset = piece.offset ?? end;
      this.#tell('');
      // Nothing taken, nothing refused: better to ask where we are than to send it for ever.
      if (this.#offset <= first) return 'The device took nothing.';
    }
    return '';
  }

  /** One piece. Throws Refusal for what would be refused again. */
  #put(url: string, first: number, end: number): Promise<Piece> {
    const { signal } = this.#cancelled;
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      let timer = 0;
      const settle = (piece: Piece): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        resolve(piece);
      };
      const abort = (): void => request.abort();
      const patience = (): void => {
        clearTimeout(timer);
        timer = window.setTimeout(abort, stallMs);
      };
      request.upload.onprogress = ({ loaded }) => {
        patience();
        this.#offset = Math.min(first + loaded, end);
        this.#tell('');
      };
      request.onload = () => {
        const { status } = request;
        if (status >= 200 && status < 300) settle({ isDone: true, offset: offsetOf(request) });
        else if (passing[status] !== undefined) settle({ isDone: false, reason: passing[status] });
        else {
          clearTimeout(timer);
          reject(refusalOf(request));
        }
      };
      request.onerror = () => settle({ isDone: false, reason: 'The connection was cut off.' });
      request.onabort = () =>
        settle({ isDone: false, reason: 'The device took nothing any more.' });
      signal.addEventListener('abort', abort);
      request.open('PUT', url);
      request.setRequestHeader('Content-Type', 'application/octet-stream');
      request.setRequestHeader('Content-Range', `bytes ${first}-${end - 1}/${this.#file.size}`);
      request.send(this.#file.slice(first, end));
      patience();
    });
  }

  #tell(waiting: string): void {
    this.#waiting = waiting;
    const nowMs = performance.now();
    const offset = this.#offset;
    this.#marks.push({ atMs: nowMs, offset });
    while ((this.#marks[0]?.atMs ?? nowMs) < nowMs - rateWindowMs) this.#marks.shift();
    const { atMs = nowMs, offset: from = offset } = this.#marks[0] ?? {};
    const bytesPerS = nowMs > atMs ? ((offset - from) * 1000) / (nowMs - atMs) : 0;
    const { name, size: length } = this.#file;
    this.#onProgress({ name, offset, length, bytesPerS, waiting: this.#waiting });
  }
}
