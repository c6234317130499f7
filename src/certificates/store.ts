// SPDX-License-Identifier: Apache-2.0
// A private key and the document that goes with it (a certificate chain, or a request), kept as one
// generation: a directory `generations/N` that a symbolic link `current` is renamed to last. A power
// cut at any write leaves the old generation or the new one. A generation is read only when the
// digests in its meta.json fit, so that a torn or emptied file can never pass for a good one; the
// generation before the current one is kept for that case. Used by every source of certificates.

import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { mkdir, open, rename, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { reasonOf } from '../base/start-error.js';
import { fsyncDirectory, makeDirectory } from '../files/durable.js';
import { readOrdinaryText } from '../files/ordinary-file.js';

export interface Stored {
  /** PEM; never logged. Empty: the key is in a token, and no file is made for it. */
  privateKey: string;
  /** PEM: certificates or a certificate request. */
  document: string;
  /** Facts of the owner, such as where the pair came from. No secrets. */
  notes: Record<string, string>;
}

export interface Read extends Stored {
  generation: number;
  /** Set when `current` could not be used and the generation before it was read instead. */
  fallbackBecause: string | undefined;
}

const keyName = 'key.pem';
const metaName = 'meta.json';
const generationsName = 'generations';
const currentName = 'current';
const nextName = 'next'; // The link before it is renamed.
const attemptsMax = 8; // Another process may take the number that we wanted.

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** What writes to a directory comes one after the other, whichever object does it. */
const lastTurns = new Map<string, Promise<unknown>>();

function inTurn<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const turn = (lastTurns.get(directory) ?? Promise.resolve()).then(work);
  const settled = turn.then(
    () => {},
    () => {},
  );
  lastTurns.set(directory, settled);
  void settled.then(() => {
    if (lastTurns.get(directory) === settled) lastTurns.delete(directory);
  });
  return turn;
}

/** A new file for its owner alone, its content on the medium when this returns. */
async function writeSecret(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export class GenerationStore {
  readonly #directory: string;
  readonly #documentName: string;

  /** Touches nothing. `documentName` is the file beside the key: chain.pem, or request.pem. */
  constructor(directory: string, documentName = 'chain.pem') {
    this.#directory = directory;
    this.#documentName = documentName;
  }

  /**
   * The current generation, or undefined when nothing was ever stored. Falls back to the one
   * before; throws when there is something and none of it can be used. Writes nothing.
   */
  read(): Read | undefined {
    const current = this.#currentNumber(); // The link is resolved once, so both files are of one pair.
    if (current === undefined) return undefined;
    try {
      return { ...this.#readGeneration(current), generation: current, fallbackBecause: undefined };
    } catch (error) {
      const before = this.#numbers().findLast((number) => number < current);
      if (before === undefined) throw error;
      const fallbackBecause = reasonOf(error);
      return { ...this.#readGeneration(before), generation: before, fallbackBecause };
    }
  }

  /** Stores a new generation and makes it the current one. Throws the system's error; then nothing changed. */
  write(stored: Stored): Promise<number> {
    return inTurn(this.#directory, () => this.#write(stored));
  }

  /**
   * Removes what an interrupted write left, and closes the key to others. Call it at start; a later
   * call is safe too. Does what it can, then throws the first of the system's errors: what could not
   * be tidied does not keep anything from being read.
   */
  clean(): Promise<void> {
    return inTurn(this.#directory, () => this.#clean());
  }

  /** Forgets everything that is stored here. */
  remove(): Promise<void> {
    return inTurn(this.#directory, () => rm(this.#directory, { recursive: true, force: true }));
  }

  async #write(stored: Stored): Promise<number> {
    const generations = join(this.#directory, generationsName);
    await makeDirectory(generations);
    const before = this.#currentNumber();
    const number = await this.#makeGeneration(generations);
    const generation = join(generations, String(number));
    const meta = {
      sha256: {
        ...(stored.privateKey === '' ? {} : { [keyName]: sha256(stored.privateKey) }),
        [this.#documentName]: sha256(stored.document),
      },
      notes: stored.notes,
    };
    try {
      if (stored.privateKey !== '') {
        await writeSecret(join(generation, keyName), stored.privateKey);
      }
      await writeSecret(join(generation, this.#documentName), stored.document);
      await writeSecret(join(generation, metaName), `${JSON.stringify(meta)}\n`);
      await fsyncDirectory(generation);
      await fsyncDirectory(generations);
      await this.#pointTo(number);
    } catch (error) {
      // A full disk must not be filled further by what we could not finish.
      await rm(generation, { recursive: true, force: true }).catch(() => {});
      throw error;
    }
    await this.#removeAllBut([number, before], (other) => other < number).catch(() => {});
    return number;
  }

  async #clean(): Promise<void> {
    const current = this.#currentNumber();
    const before = this.#numbers().findLast((number) => current !== undefined && number < current);
    const steps = [
      async () => this.#closeKey(current),
      () => this.#removeAllBut([current, before], () => true),
      async () => {
        const next = join(this.#directory, nextName);
        if (lstatSync(next, { throwIfNoEntry: false }) !== undefined) await rm(next);
      },
    ];
    const failures: unknown[] = [];
    for (const step of steps) await step().catch((error) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  /** A backup or a copy may have opened the key to others. */
  #closeKey(current: number | undefined): void {
    if (current === undefined) return;
    const key = join(this.#directory, generationsName, String(current), keyName);
    const mode = statSync(key, { throwIfNoEntry: false })?.mode;
    // Only where it is needed: a read-only file system refuses even what changes nothing.
    if (mode !== undefined && (mode & 0o7777) !== 0o600) chmodSync(key, 0o600);
  }

  async #pointTo(number: number): Promise<void> {
    const next = join(this.#directory, nextName);
    await rm(next, { force: true });
    await symlink(join(generationsName, String(number)), next); // Relative: the state may be moved.
    await rename(next, join(this.#directory, currentName));
    await fsyncDirectory(this.#directory);
  }

  async #makeGeneration(generations: string): Promise<number> {
    for (let attempt = 1; ; attempt += 1) {
      const number = (this.#numbers().at(-1) ?? 0) + 1;
      try {
        await mkdir(join(generations, String(number)), { mode: 0o700 });
        return number;
      } catch (error) {
        const isTaken = (error as NodeJS.ErrnoException).code === 'EEXIST';
        if (!isTaken || attempt === attemptsMax) throw error;
      }
    }
  }

  async #removeAllBut(
    kept: (number | undefined)[],
    isOurs: (number: number) => boolean,
  ): Promise<void> {
    const generations = join(this.#directory, generationsName);
    for (const number of this.#numbers()) {
      if (kept.includes(number) || !isOurs(number)) continue;
      await rm(join(generations, String(number)), { recursive: true, force: true });
    }
  }

  #currentNumber(): number | undefined {
    try {
      const name = basename(readlinkSync(join(this.#directory, currentName)));
      return /^\d{1,15}$/.test(name) ? Number(name) : undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** The numbers of all generations on disk, ascending. */
  #numbers(): number[] {
    try {
      const names = readdirSync(join(this.#directory, generationsName));
      return names
        .filter((name) => /^\d{1,15}$/.test(name))
        .map(Number)
        .sort((a, b) => a - b);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  #readGeneration(number: number): Stored {
    const generation = join(this.#directory, generationsName, String(number));
    const text = (name: string): string => readOrdinaryText(join(generation, name));
    const meta = JSON.parse(text(metaName)) as {
      sha256: Record<string, string>;
      notes?: Record<string, string>;
    };
    const checked = (name: string): string => {
      const content = text(name);
      if (content === '' || sha256(content) !== meta.sha256[name]) {
        throw new Error(`${join(generation, name)} is damaged`);
      }
      return content;
    };
    return {
      privateKey: meta.sha256[keyName] === undefined ? '' : checked(keyName),
      document: checked(this.#documentName),
      notes: meta.notes ?? {},
    };
  }
}
