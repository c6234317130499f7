// SPDX-License-Identifier: Apache-2.0
// The operators' page: ui/ to DIRECTORY by esbuild, with names that carry the hash of the content,
// then the compressed siblings by the program's own `pack`. Called by compile.mjs, behind the server.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { SetupError } from './system.mjs';

/** Of all that a browser loads, uncompressed: it may come over a slow line, from a slow device. */
export const uiBytesMax = 100 * 1024;
const buildDigits = 12;

const options = {
  entryPoints: ['ui/main.ts', 'ui/style.css'],
  bundle: true,
  minify: true,
  write: false,
  outdir: '/',
  entryNames: '[name]-[hash]',
  format: 'esm',
  target: ['es2023', 'chrome116', 'firefox121', 'safari17.4'],
  legalComments: 'none',
  logLevel: 'warning',
};

/** Writes the page, and its siblings by `cli` (of the same build). Throws when it is too large. */
export async function compileUi(projectDir, directory, cli) {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({ ...options, absWorkingDir: projectDir });
  const nameOf = (extension) =>
    basename(outputFiles.find(({ path }) => path.endsWith(extension)).path);
  const [script, style] = [nameOf('.js'), nameOf('.css')];
  const source = readFileSync(join(projectDir, 'ui/index.html'), 'utf8');
  const identity = createHash('sha256').update(`${script} ${style} ${source}`).digest('hex');
  const page = source
    .replace('content="BUILD"', `content="${identity.slice(0, buildDigits)}"`)
    .replace('href="style.css"', `href="assets/${style}"`)
    .replace('src="main.ts"', `src="assets/${script}"`);
  const bytes = outputFiles.reduce((sum, { contents }) => sum + contents.length, page.length);
  if (bytes > uiBytesMax) {
    throw new SetupError(
      `The page has ${bytes} bytes; at most ${uiBytesMax}: leave something out.`,
    );
  }
  mkdirSync(join(directory, 'assets'), { recursive: true });
  writeFileSync(join(directory, 'index.html'), page);
  for (const { path, contents } of outputFiles) {
    writeFileSync(join(directory, 'assets', basename(path)), contents);
  }
  const pack = spawnSync(process.execPath, [cli, 'pack', directory], { encoding: 'utf8' });
  if (pack.status !== 0) throw new SetupError(`spliced pack ${directory}: ${pack.stderr}`);
}
