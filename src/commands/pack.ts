// SPDX-License-Identifier: Apache-2.0
// `spliced pack DIR`: the build step that makes the compressed siblings of a directory's files and
// its manifest. Shows a progress bar at a terminal, and one line in a log.

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { reasonOf, StartError } from '../base/start-error.js';
import { visible } from '../base/visible.js';
import { availableCompressors } from '../pack/compressors.js';
import { type PackReport, packDirectory } from '../pack/pack.js';
import { type CommandUsage, readCommandLine } from './usage.js';

const help = (): string => `Usage: spliced pack DIR

Makes compressed siblings of the files in DIR (app.js.br, app.js.zst, app.js.gz beside app.js),
which the server sends to the clients that take them, and DIR/.spliced/manifest.json with the hash
of every file. Siblings that are up to date are kept. Run it whenever DIR has changed, as the last
step of a build. Whatever copies DIR must keep the times of the files (cp -a, rsync -a, tar).

  --help       this text
`;

const usage: CommandUsage = { options: {}, help, positionalsMax: 1 };

const barWidth = 24;

/** One line that is written over. Returns what draws it, and what takes it away. */
function progressBar(stream: NodeJS.WriteStream) {
  const clear = '\r\u001b[K';
  return {
    draw: (done: number, total: number, path: string): void => {
      const full = Math.round((done / Math.max(total, 1)) * barWidth);
      const bar = `${'#'.repeat(full)}${'-'.repeat(barWidth - full)}`;
      const room = Math.max((stream.columns || 80) - barWidth - 20, 0);
      stream.write(`${clear}[${bar}] ${done}/${total} ${visible(path).slice(-room)}`);
    },
    end: (): void => {
      stream.write(clear);
    },
  };
}

function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  const kibibytes = bytes / 1024;
  return kibibytes < 1024 ? `${kibibytes.toFixed(1)} KiB` : `${(kibibytes / 1024).toFixed(1)} MiB`;
}

export function summary(report: PackReport, hasZstd: boolean): string {
  const { files, made, kept, removed, bytesBefore, bytesAfter, tooLarge, build } = report;
  const lines = [
    `${files} files, build ${build}: ${made} siblings made, ${kept} kept, ${removed} removed`,
    `${size(bytesBefore)} of compressible files become ${size(bytesAfter)} in their smallest sibling`,
  ];
  if (tooLarge.length > 0)
    lines.push(`too large to be compressed: ${tooLarge.map(visible).join(', ')}`);
  if (!hasZstd) lines.push('zst is left out: this Node has no zstd, and there is no zstd program');
  return `${lines.join('\n')}\n`;
}

function directoryOf(given: string | undefined): string {
  if (given === undefined) throw new StartError('give the directory: spliced pack DIR');
  try {
    if (statSync(given).isDirectory()) return resolve(given);
  } catch (error) {
    throw new StartError(`${given}: cannot be packed: ${reasonOf(error)}`);
  }
  throw new StartError(`${given}: is no directory`);
}

export async function run(args: string[]): Promise<number> {
  const line = readCommandLine('pack', args, usage);
  if (line === undefined) return 0;
  const root = directoryOf(line.positionals[0]);
  const compressors = availableCompressors();
  const bar = process.stderr.isTTY ? progressBar(process.stderr) : undefined;
  try {
    const report = await packDirectory({
      root,
      compressors,
      ...(bar === undefined ? {} : { onProgress: bar.draw }),
    });
    bar?.end();
    process.stdout.write(
      summary(
        report,
        compressors.some(({ name }) => name === 'zst'),
      ),
    );
    return 0;
  } catch (error) {
    bar?.end();
    process.stderr.write(`spliced: cannot pack ${root}: ${reasonOf(error)}\n`);
    return 1;
  }
}
