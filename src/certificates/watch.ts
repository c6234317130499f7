// SPDX-License-Identifier: Apache-2.0
// Notices that files are replaced, in any of the ways in which that is done: written over, renamed
// into place, or by a symbolic link anywhere on the path that is turned to a new directory (as
// Kubernetes and certbot do). Watches directories, not files, because a file that is replaced is
// another one. Used by installed.ts, which also looks from time to time: a watch can be refused.

import { type FSWatcher, readlinkSync, statSync, watch } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Clock } from './clock.js';

const settleMs = 500; // Two files are not replaced at one instant.
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

interface Watched {
  watcher: FSWatcher;
  inode: number;
}

export class FileWatch {
  readonly #paths: readonly string[];
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #watched = new Map<string, Watched>();
  #cancel: (() => void) | undefined;
  #isClosed = false;

  /** `onChange` is called once after each burst of changes, until `close()`. */
  constructor(paths: readonly string[], clock: Clock, onChange: () => void) {
    this.#paths = paths;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** Watches what the paths lead through now. Returns why a directory cannot be watched, if so. */
  arm(): string | undefined {
    let failure: string | undefined;
    const wanted = new Set(this.#paths.flatMap((path) => [...watchedDirectories(path)]));
    for (const [directory, { watcher, inode }] of this.#watched) {
      if (wanted.has(directory) && inodeOf(directory) === inode) continue;
      watcher.close();
      this.#watched.delete(directory);
    }
    for (const directory of wanted) {
      const inode = inodeOf(directory);
      if (this.#watched.has(directory) || inode === undefined) continue;
      try {
        const watcher = watch(directory, { persistent: false }, () => this.#noticed());
        watcher.on('error', () => this.#noticed());
        this.#watched.set(directory, { watcher, inode });
      } catch (error) {
        failure = `${directory}: ${(error as Error).message}`;
      }
    }
    return failure;
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
    for (const { watcher } of this.#watched.values()) watcher.close();
    this.#watched.clear();
  }

  #noticed(): void {
    if (this.#isClosed) return;
    this.#cancel?.();
    this.#cancel = this.#clock.after(settleMs, () => {
      this.#cancel = undefined;
      this.arm();
      this.#onChange();
    });
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
