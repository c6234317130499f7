// SPDX-License-Identifier: Apache-2.0
// The last lines of the log in memory, for readers that ask the running service: a device without a
// journal keeps them nowhere else. Filled by log.ts, read by the API. A reader brings its own position
// and gets the lines that are still here, so that a slow reader costs no memory. Must never log.

/** Both hold; a line that is longer than all of it is kept alone. */
export const tailBounds = { linesMax: 1_000, charactersMax: 256 * 1024 } as const;

export interface TailPart {
  lines: string[];
  /** The number of the first of them; numbers count from 0 at the start of the process. */
  first: number;
  /** So many of those that were asked for have gone already. */
  lost: number;
}

export class LogTail {
  readonly #lines: string[] = [];
  readonly #listeners = new Set<() => void>();
  #first = 0;
  #characters = 0;

  /** A line as it was written, perhaps with its end. */
  push(line: string): void {
    const text = line.trimEnd();
    this.#lines.push(text);
    this.#characters += text.length;
    const { linesMax, charactersMax } = tailBounds;
    while (
      this.#lines.length > 1 &&
      (this.#lines.length > linesMax || this.#characters > charactersMax)
    ) {
      this.#characters -= this.#lines.shift()?.length ?? 0;
      this.#first += 1;
    }
    for (const listener of this.#listeners) listener();
  }

  /** The number of the next line. */
  get next(): number {
    return this.#first + this.#lines.length;
  }

  /** At most `linesMax` lines from the number `from` on. */
  read(from: number, linesMax: number): TailPart {
    const first = Math.min(Math.max(from, this.#first), this.next);
    const begin = first - this.#first;
    const lines = this.#lines.slice(begin, begin + linesMax);
    return { lines, first, lost: Math.max(first - from, 0) };
  }

  /** Calls `listener` after each new line until the answer is called. It must not throw, nor log. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
