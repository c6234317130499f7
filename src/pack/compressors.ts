// SPDX-License-Identifier: Apache-2.0
// The content codings that siblings are made in, each as strong as it can be: a build machine has
// the time, and the board then never compresses. Names as in native/http/negotiation.hpp.

import { spawn, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';

export type CodingName = 'br' | 'zst' | 'gz';

export interface Compressor {
  /** The end of the sibling's name, without the dot. */
  name: CodingName;
  compress(content: Buffer): Promise<Buffer>;
}

const brotli = promisify(zlib.brotliCompress);
const gzip = promisify(zlib.gzip);

function compressBrotli(content: Buffer): Promise<Buffer> {
  const { BROTLI_PARAM_QUALITY, BROTLI_MAX_QUALITY, BROTLI_PARAM_SIZE_HINT } = zlib.constants;
  const params = {
    [BROTLI_PARAM_QUALITY]: BROTLI_MAX_QUALITY,
    [BROTLI_PARAM_SIZE_HINT]: content.length,
  };
  return brotli(content, { params });
}

const zstdLevel = 19; // The highest whose window every client has to take (RFC 9659: 8 MiB).

/** Since Node 22.15; the types are those of Node 20. */
interface ZstdOfNode {
  zstdCompress?: (
    content: Buffer,
    options: { params: Record<number, number> },
    done: (error: Error | null, result: Buffer) => void,
  ) => void;
  constants: { ZSTD_c_compressionLevel?: number };
}

function zstdByNode(): ((content: Buffer) => Promise<Buffer>) | undefined {
  const { zstdCompress, constants } = zlib as unknown as ZstdOfNode;
  const level = constants.ZSTD_c_compressionLevel;
  if (zstdCompress === undefined || level === undefined) return undefined;
  return (content) =>
    new Promise((resolve, reject) => {
      zstdCompress(content, { params: { [level]: zstdLevel } }, (error, result) => {
        if (error) reject(error);
        else resolve(result);
      });
    });
}

function zstdByProgram(content: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn('zstd', [`-${zstdLevel}`, '--no-check', '-c', '-q'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stdin.on('error', () => {}); // The exit code says it.
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(chunks));
      else reject(new Error(`zstd ended with ${code}`));
    });
    child.stdin.end(content);
  });
}

function hasZstdProgram(): boolean {
  return spawnSync('zstd', ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Those that can be had here; zstd is in Node or a program, or left out. */
export function availableCompressors(): Compressor[] {
  const compressors: Compressor[] = [
    { name: 'br', compress: compressBrotli },
    {
      name: 'gz',
      compress: (content) => gzip(content, { level: zlib.constants.Z_BEST_COMPRESSION }),
    },
  ];
  const zstd = zstdByNode() ?? (hasZstdProgram() ? zstdByProgram : undefined);
  if (zstd !== undefined) compressors.push({ name: 'zst', compress: zstd });
  return compressors;
}
