// SPDX-License-Identifier: Apache-2.0
// What the daemon adds to the engine's status document (`"daemon": {...}`), by name. Any room's
// figures are set here by whoever connects it; changes that come together are pushed once. Made by
// daemon.ts.

/** What the engine takes; native/base/limits.hpp has the same, a unit test compares. */
export const daemonStatusBytesMax = 8 * 1024;

// A burst of changes (a reload, a start) becomes one push.
const pushDelayMs = 50;

export class DaemonStatus {
  readonly #values = new Map<string, unknown>();
  #push: ((json: string) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Replaces the value of `name`; JSON. It is shown soon, once there is an engine. */
  set(name: string, value: unknown): void {
    this.#values.set(name, value);
    if (this.#push === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#flush(), pushDelayMs);
    this.#timer.unref();
  }

  /** From now on `push` is told of changes, and at once of what there is. */
  start(push: (json: string) => void): void {
    this.#push = push;
    this.#flush();
  }

  /** Pushes nothing any more. Idempotent. */
  close(): void {
    clearTimeout(this.#timer);
    this.#push = undefined;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#push?.(this.#json());
  }

  /** In the order of the first set(); what no longer fits is named in `omitted` instead. */
  #json(): string {
    const names = JSON.stringify([...this.#values.keys()]);
    const parts: string[] = [];
    const omitted: string[] = [];
    let bytesLeft = daemonStatusBytesMax - Buffer.byteLength(`{"omitted":${names}}`);
    for (const [name, value] of this.#values) {
      const part = `${JSON.stringify(name)}:${JSON.stringify(value)}`;
      const bytes = Buffer.byteLength(part) + 1;
      if (bytes > bytesLeft) omitted.push(name);
      else {
        parts.push(part);
        bytesLeft -= bytes;
      }
    }
    if (omitted.length > 0) parts.push(`"omitted":${JSON.stringify(omitted)}`);
    return `{${parts.join(',')}}`;
  }
}
