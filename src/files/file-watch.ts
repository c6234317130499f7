// SPDX-License-Identifier: Apache-2.0
// Notices that files are replaced, however that is done: overwritten, renamed into place, or by a
// symbolic link anywhere on the path that is changed to a new directory (as Kubernetes and certbot do).
// Watches directories and not files, because a replaced file is a new file. Used for certificates and
// for served files; both also check from time to time, because a watch can be refused.

import { existsSync, type FSWatcher, readlinkSync, watch } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { reasonOf } from '../base/start-error.js';

const linksMax = 40; // As the kernel's own bound, path_resolution(7).

/** Every directory in which a change can make `path` another file. */
export function watchedDirectories(path: string): Set<string> {
  const found = new Set<string>([dirname(resolve(path))]);
  const rest = resolve(path).split('/').filter(Boolean);
  let at = '/';
  let links = 0;
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    const next = join(at, name);
    let target: string | undefined;
    try {
      target = readlinkSync(next);
    } catch {} // No link, or nothing there.
    if (target === undefined) {
      at = next;
      continue;
    }
    found.add(at);
    links += 1;
    if (links > linksMax) break;
    rest.unshift(...resolve(at, target).split('/').filter(Boolean));
    at = '/';
  }
  return found.add(dirname(at));
}

/** Timers of the system, or as tests have them. The answer cancels. */
export interface Timers {
  after(delayMs: number, run: () => void): () => void;
}

export interface FileWatchOptions {
  /** From the first change until `onChange`: files are not replaced at one instant. */
  settleMs: number;
  clock: Timers;
}

export class FileWatch {
  readonly #paths: readonly string[];
  readonly #options: FileWatchOptions;
  readonly #onChange: () => void;
  #watchers: FSWatcher[] = [];
  #cancel: (() => void) | undefined;
  #isClosed = false;

  /**
   * `onChange` is called once for all changes within `settleMs`, until `close()`: a directory in which
   * something changes without end does not hold it up.
   */
  constructor(paths: readonly string[], options: FileWatchOptions, onChange: () => void) {
    this.#paths = paths;
    this.#options = options;
    this.#onChange = onChange;
  }

  /**
   * Watches what the paths lead through now, all of it anew: a directory that was removed and made
   * again looks like the old one, to its inode number even. Returns why one cannot be watched, if so.
   */
  arm(): string | undefined {
    let failure: string | undefined;
    const former = this.#watchers;
    this.#watchers = [];
    for (const directory of new Set(this.#paths.flatMap((path) => [...watchedDirectories(path)]))) {
      if (!existsSync(directory)) continue;
      try {
        const watcher = watch(directory, { persistent: false }, () => this.#noticed());
        watcher.on('error', () => this.#noticed());
        this.#watchers.push(watcher);
      } catch (error) {
        failure = `${directory}: ${reasonOf(error)}`;
      }
    }
    for (const watcher of former) watcher.close();
    return failure;
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }

  #noticed(): void {
    if (this.#isClosed) return;
    const { clock, settleMs } = this.#options;
    this.#cancel ??= clock.after(settleMs, () => {
      this.#cancel = undefined;
      this.arm();
      this.#onChange();
    });
  }
}
