// SPDX-License-Identifier: Apache-2.0
// Values that an open page is told at once: for each name the newest value, such as the state of the
// update and the build that is served. There is no queue. A reader brings the number of the last change
// that it has seen; a slow reader misses the values that have been replaced meanwhile. Filled by
// the daemon's rooms, read by the API. Must never log.
import { visibleJson } from './visible.js';

export interface NamedValue {
  name: string;
  /** JSON text. */
  data: string;
}

export class Events {
  readonly #values = new Map<string, { data: string; change: number }>();
  readonly #listeners = new Set<() => void>();
  #changes = 0;

  /** The value of this name from now on. The same again is no change. */
  publish(name: string, value: unknown): void {
    const data = visibleJson(value);
    if (this.#values.get(name)?.data === data) return;
    this.#changes += 1;
    this.#values.set(name, { data, change: this.#changes });
    for (const listener of this.#listeners) listener();
  }

  /** What has changed after this one, 0 for everything; and the number of the last change. */
  since(change: number): { values: NamedValue[]; change: number } {
    const newer = [...this.#values].filter(([, value]) => value.change > change);
    const values = newer.map(([name, { data }]) => ({ name, data }));
    return { values, change: this.#changes };
  }

  /** Calls `listener` after each change until the answer is called. It must not throw, nor publish. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
