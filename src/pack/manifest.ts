// SPDX-License-Identifier: Apache-2.0
// What `spliced pack` knows about a directory: the hash of every file and of the siblings that it
// made. Lies in the directory itself, is the same for the same content whenever it was packed, and
// gives the build its identity, which the validators of the served files carry (docs/HTTP.md).

import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import type { CodingName } from './compressors.js';
import { ownDirectory, readWhole, type Tree, unfinishedSuffix } from './tree.js';

const manifestName = 'manifest.json';
const version = 1;
const identityDigits = 16;

export interface Sibling {
  bytes: number;
  sha256: string;
}

export interface PackedFile {
  bytes: number;
  sha256: string;
  /** Those that are worth it. */
  siblings: Partial<Record<CodingName, Sibling>>;
}

/** By path, in the order of the paths. */
export type Packed = Map<string, PackedFile>;

export const sha256 = (content: Buffer): string =>
  createHash('sha256').update(content).digest('hex');

/** Two directories with the same names and contents have the same identity, no others do. */
export function identityOf(files: Packed): string {
  const hash = createHash('sha256');
  for (const [path, { sha256: digest }] of files) hash.update(`${digest} ${path}\0`);
  return hash.digest('hex').slice(0, identityDigits);
}

/** What an earlier run left; nothing when there is none, or none that can be read. */
export async function readManifest(tree: Tree): Promise<Packed> {
  try {
    const text = await tree.inside(ownDirectory, (entry) => readWhole(entry(manifestName)));
    const parsed = JSON.parse(text.toString('utf8'));
    if (parsed.version !== version) return new Map();
    return new Map(Object.entries(parsed.files as Record<string, PackedFile>));
  } catch {
    return new Map();
  }
}

const unlessThere = (error: NodeJS.ErrnoException): void => {
  if (error.code !== 'EEXIST') throw error;
};

/** Replaces the manifest at once or not at all. Returns the identity. */
export async function writeManifest(tree: Tree, files: Packed): Promise<string> {
  const build = identityOf(files);
  const text = JSON.stringify({ version, build, files: Object.fromEntries(files) }, null, 1);
  await tree.inside('', (entry) => mkdir(entry(ownDirectory)).catch(unlessThere));
  await tree.inside(ownDirectory, async (entry) => {
    const unfinished = entry(`${manifestName}${unfinishedSuffix}`);
    await rm(unfinished, { force: true });
    const handle = await open(unfinished, 'wx');
    try {
      await handle.writeFile(`${text}\n`);
    } finally {
      await handle.close();
    }
    await rename(unfinished, entry(manifestName));
  });
  return build;
}
