// SPDX-License-Identifier: Apache-2.0
// Paths below the root of an image, or of this machine: a symbolic link there means what it means once
// the image runs, and so never leads out of it. Used by install-service.ts.

import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  type Stats,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { StartError } from '../base/start-error.js';
import { replaceFileSync } from '../files/replace-file.js';

const linksMax = 40; // As the kernel (path_resolution(7)).

/** Undefined: there is nothing, also where a file stands in the place of a directory. */
function lookAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

export class ImageRoot {
  /** Absolute, without a link; "/" for this machine. */
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  get isThisMachine(): boolean {
    return this.path === '/';
  }

  /** Where `path` of the image is on this machine; what is missing of it is taken as it stands. */
  resolve(path: string): string {
    const names = path.split('/').filter(Boolean);
    let at = '/';
    let links = 0;
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      if (name === '.') continue;
      const next = name === '..' ? dirname(at) : join(at, name);
      const found = lookAt(join(this.path, next));
      if (found?.isSymbolicLink() !== true) {
        at = next;
        continue;
      }
      links += 1;
      if (links > linksMax) throw new StartError(`${path}: too many symbolic links`);
      const target = readlinkSync(join(this.path, next));
      if (target.startsWith('/')) at = '/';
      names.unshift(...target.split('/').filter(Boolean));
    }
    return join(this.path, at);
  }

  /** The path in the image of a place on this machine; undefined: it is not in the image. */
  inside(place: string): string | undefined {
    if (this.isThisMachine) return place;
    return place.startsWith(`${this.path}/`) ? place.slice(this.path.length) : undefined;
  }

  has(path: string): boolean {
    return existsSync(this.resolve(path));
  }

  /** Undefined: it is not there. */
  read(path: string): string | undefined {
    const place = this.resolve(path);
    return existsSync(place) ? readFileSync(place, 'utf8') : undefined;
  }

  /** With the directories on its way, for everybody to read. */
  write(path: string, text: string): void {
    this.makeDirectory(dirname(path));
    const place = this.resolve(path);
    replaceFileSync(place, text);
    chmodSync(place, 0o644);
  }

  makeDirectory(path: string): void {
    mkdirSync(this.resolve(path), { recursive: true, mode: 0o755 });
  }
}
