// SPDX-License-Identifier: Apache-2.0
// Which build is served: the identity that validators and pages carry, and a watch that notices when
// an update puts another one in its place, by a link that it turns or by files that it writes over.
// Used by site.ts.

import { createHash } from 'node:crypto';
import { realpathSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { FileWatch, type Timers } from '../files/file-watch.js';

import { readOrdinaryText } from '../files/ordinary-file.js';

const manifestName = '.spliced/manifest.json';
const identityDigits = 12;
const tag = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, identityDigits);

/** What `spliced pack` has written into the directory; undefined: it is not packed. */
function packedBuild(directory: string): string | undefined {
  try {
    const { build } = JSON.parse(readOrdinaryText(join(directory, manifestName)));
    return typeof build === 'string' && build !== '' ? build : undefined;
  } catch {
    return undefined;
  }
}

/** Where a link leads: slots and releases differ in that, when nothing else says so. */
function linkedTo(directory: string): string | undefined {
  try {
    const real = realpathSync(directory);
    return real === resolve(directory) ? undefined : real;
  } catch {
    return undefined;
  }
}

/** What the image calls itself, os-release(5). */
function imageBuild(osRelease: string): string | undefined {
  try {
    const lines = readOrdinaryText(osRelease).split('\n');
    const named = lines.filter((line) => /^(IMAGE_VERSION|BUILD_ID|VERSION_ID)=/.test(line));
    return named.length === 0 ? undefined : named.join('\n');
  } catch {
    return undefined;
  }
}

/**
 * The identity of all that is served from these directories; empty: nothing says what it is. Of each,
 * what `spliced pack` has written, else where its link leads; where no one says anything, the image's.
 */
export function buildOf(directories: readonly string[], osRelease = '/etc/os-release'): string {
  const own: string[] = directories.map(
    (directory) => packedBuild(directory) ?? linkedTo(directory) ?? '',
  );
  const known = own.join('') === '' ? imageBuild(osRelease) : own.join('\0');
  return known === undefined ? '' : tag(known);
}

/** Which directories these are now: others of the same name are others. */
function inodesOf(directories: readonly string[]): string {
  return directories
    .map((directory) => {
      try {
        const { dev, ino } = statSync(directory);
        return `${dev}:${ino}`;
      } catch {
        return '-';
      }
    })
    .join(' ');
}

const settleMs = 100;
/** Where a directory cannot be watched, and for file systems that tell nothing. */
const lookMs = 30_000;

export class WebRootWatch {
  readonly #onChange: (build: string) => void;
  readonly #clock: Timers;
  #directories: readonly string[] = [];
  #watch: FileWatch | undefined;
  #seen = '';
  #cancelLook: (() => void) | undefined;

  /** `onChange` is called when one of the directories is another, or another build. */
  constructor(clock: Timers, onChange: (build: string) => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** What is served from now on. */
  watch(directories: readonly string[]): void {
    this.close();
    this.#directories = directories;
    this.#seen = this.#now();
    const paths = directories.flatMap((path) => [path, join(path, manifestName)]);
    this.#watch = new FileWatch(paths, { clock: this.#clock, settleMs }, () => this.look());
    this.#watch.arm(); // A refusal needs no word: look() comes anyway.
    this.#planLook();
  }

  /** Compares; also the watch's work. */
  look(): void {
    const now = this.#now();
    if (now === this.#seen) return;
    this.#seen = now;
    this.#onChange(buildOf(this.#directories));
  }

  close(): void {
    this.#cancelLook?.();
    this.#watch?.close();
  }

  #now(): string {
    return `${inodesOf(this.#directories)} ${buildOf(this.#directories)}`;
  }

  #planLook(): void {
    this.#cancelLook = this.#clock.after(lookMs, () => {
      this.#watch?.arm();
      this.look();
      this.#planLook();
    });
  }
}
