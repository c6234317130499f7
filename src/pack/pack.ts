// SPDX-License-Identifier: Apache-2.0
// Makes the siblings of a directory's files ("app.js.br" beside "app.js"), keeps those that are up
// to date, and removes its own that are not any more. A sibling's mtime is its original's, which is
// how the server knows that they belong together (native/files/file_cache.hpp: adopt_variant).
// Called by commands/pack.ts.

import type { BigIntStats } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import type { CodingName, Compressor } from './compressors.js';
import { type Packed, type PackedFile, readManifest, sha256, writeManifest } from './manifest.js';
import { openFile, readWhole, Tree, unfinishedSuffix } from './tree.js';

/** A smaller one fits into one packet with its head. */
const bytesMin = 512;
/** A larger one is no part of a user interface, and would take minutes. */
const bytesMax = 32 * 1024 * 1024;
/** What a sibling may have of its original's bytes: less gain is not worth the space. */
const worthPercent = 95;

/** What is compressed already. */
const compressed = new Set(
  `7z aac apk avif br bz2 deb docx eot flac gif gz heic jpeg jpg jxl m4a m4v mkv mov mp3 mp4 odt oga
   ogg ogv opus png pptx raucb rpm squashfs swu tgz webm webp woff woff2 xlsx xz zip zst`.split(
    /\s+/,
  ),
);

export const codingNames: readonly CodingName[] = ['br', 'zst', 'gz'];

export interface PackReport {
  build: string;
  files: number;
  made: number;
  kept: number;
  removed: number;
  /** Of the originals that have siblings, and of the smallest sibling of each. */
  bytesBefore: number;
  bytesAfter: number;
  /** Larger than what is compressed. */
  tooLarge: string[];
}

export interface PackOptions {
  root: string;
  compressors: readonly Compressor[];
  /** Before each file: how many are done, of how many. */
  onProgress?: (done: number, total: number, path: string) => void;
}

const isWorthTrying = (path: string, bytes: number): boolean =>
  bytes >= bytesMin && bytes <= bytesMax && !compressed.has(extname(path).slice(1).toLowerCase());

const microseconds = (ns: bigint): bigint => ns / 1_000n;

/** In seconds, in the middle of the microsecond: what rounding leaves is in the same one. */
const middleOf = (ns: bigint): number => Number(microseconds(ns)) / 1e6 + 0.5e-6;

/** Writes the sibling beside its original, with its mode and its mtime, at once or not at all. */
async function writeSibling(
  { mode, mtimeNs }: BigIntStats,
  sibling: string,
  content: Buffer,
): Promise<void> {
  const unfinished = `${sibling}${unfinishedSuffix}`;
  await rm(unfinished, { force: true });
  const handle = await open(unfinished, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    await handle.chmod(Number(mode & 0o777n));
    await handle.utimes(middleOf(mtimeNs), middleOf(mtimeNs));
    const written = await handle.stat({ bigint: true });
    if (microseconds(written.mtimeNs) !== microseconds(mtimeNs)) {
      throw new Error(`${sibling}: this file system does not keep the time of its original`);
    }
    await rename(unfinished, sibling);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

/** Whether the sibling is there as an earlier run left it, and its original has not been touched. */
async function isCurrent(
  { mtimeNs }: BigIntStats,
  sibling: string,
  digest: string,
): Promise<boolean> {
  try {
    const handle = await openFile(sibling);
    try {
      const after = await handle.stat({ bigint: true });
      if (microseconds(mtimeNs) !== microseconds(after.mtimeNs)) return false;
      return sha256(await handle.readFile()) === digest;
    } finally {
      await handle.close();
    }
  } catch {
    return false;
  }
}

/** The file's facts and its content, of one and the same file. */
async function readOriginal(path: string): Promise<{ found: BigIntStats; content: Buffer }> {
  const handle = await openFile(path);
  try {
    return { found: await handle.stat({ bigint: true }), content: await handle.readFile() };
  } finally {
    await handle.close();
  }
}

class Packer {
  readonly #options: PackOptions;
  readonly #tree: Tree;
  readonly #before: Packed;
  readonly report: PackReport = {
    build: '',
    files: 0,
    made: 0,
    kept: 0,
    removed: 0,
    bytesBefore: 0,
    bytesAfter: 0,
    tooLarge: [],
  };

  constructor(options: PackOptions, tree: Tree, before: Packed) {
    this.#options = options;
    this.#tree = tree;
    this.#before = before;
  }

  pack(path: string): Promise<PackedFile> {
    return this.#tree.at(path, (entry, name) => this.#pack(path, entry(name)));
  }

  async #pack(path: string, original: string): Promise<PackedFile> {
    const { compressors } = this.#options;
    const { found, content } = await readOriginal(original);
    const size = content.length;
    if (size > bytesMax) this.report.tooLarge.push(path);
    const file: PackedFile = { bytes: content.length, sha256: sha256(content), siblings: {} };
    const before = this.#before.get(path);
    const known = before?.sha256 === file.sha256 ? before : undefined;
    for (const { name, compress } of compressors) {
      if (!isWorthTrying(path, size)) break;
      const sibling = `${original}.${name}`;
      const recorded = known?.siblings[name];
      if (recorded !== undefined && (await isCurrent(found, sibling, recorded.sha256))) {
        file.siblings[name] = recorded;
        this.report.kept += 1;
        continue;
      }
      const smaller = await compress(content);
      if (smaller.length * 100 > content.length * worthPercent) continue;
      await writeSibling(found, sibling, smaller);
      file.siblings[name] = { bytes: smaller.length, sha256: sha256(smaller) };
      this.report.made += 1;
    }
    this.#count(file);
    return file;
  }

  #count({ bytes, siblings }: PackedFile): void {
    this.report.files += 1;
    const sizes = Object.values(siblings).map((sibling) => sibling.bytes);
    if (sizes.length === 0) return;
    this.report.bytesBefore += bytes;
    this.report.bytesAfter += Math.min(...sizes);
  }

  /** What an earlier run made and this one has not: its original is gone, or it is not worth it. */
  async removeOutdated(now: Packed): Promise<void> {
    for (const [path, { siblings }] of this.#before) {
      for (const coding of codingNames) {
        const recorded = siblings[coding];
        if (recorded === undefined || now.get(path)?.siblings[coding] !== undefined) continue;
        if (await this.#removeSibling(`${path}.${coding}`, recorded.sha256)) {
          this.report.removed += 1;
        }
      }
    }
  }

  /** What the manifest names may be anything by now, or no path of the directory at all. */
  async #removeSibling(path: string, digest: string): Promise<boolean> {
    const isOurs = this.#tree.at(path, async (entry, name) => {
      if (sha256(await readWhole(entry(name))) !== digest) return false;
      await rm(entry(name));
      return true;
    });
    return isOurs.catch(() => false);
  }
}

/** The files to be packed: no sibling of one of them, and nothing that a run left unfinished. */
async function originalsOf(tree: Tree): Promise<string[]> {
  const paths = await tree.files();
  const all = new Set(paths);
  const isSibling = (path: string): boolean =>
    codingNames.some(
      (name) => path.endsWith(`.${name}`) && all.has(path.slice(0, -name.length - 1)),
    );
  for (const path of paths) {
    if (path.endsWith(unfinishedSuffix)) await tree.at(path, (entry, name) => rm(entry(name)));
  }
  return paths.filter((path) => !isSibling(path) && !path.endsWith(unfinishedSuffix));
}

/** Packs the directory. Throws what the file system says, and leaves what is done. */
export async function packDirectory(options: PackOptions): Promise<PackReport> {
  const { root, onProgress } = options;
  const tree = new Tree(root);
  const before = await readManifest(tree);
  // The siblings of a file that is gone are no originals of their own.
  const orphans = new Set(
    [...before].flatMap(([path, { siblings }]) =>
      Object.keys(siblings).map((name) => `${path}.${name}`),
    ),
  );
  const paths = (await originalsOf(tree)).filter((path) => !orphans.has(path));
  const packer = new Packer(options, tree, before);
  const packed = new Map<string, PackedFile>();
  const waiting = paths.values();
  const work = async (): Promise<void> => {
    for (const path of waiting) {
      onProgress?.(packed.size, paths.length, path);
      packed.set(path, await packer.pack(path));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  const files: Packed = new Map(paths.map((path) => [path, packed.get(path) as PackedFile]));
  await packer.removeOutdated(files);
  packer.report.build = await writeManifest(tree, files);
  return packer.report;
}
